from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "tests.site"
    # `site` alone would read as the standard library's module.
    label = "site_under_test"
    default_auto_field = "django.db.models.BigAutoField"
