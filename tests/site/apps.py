from django.apps import AppConfig
from django.db.models.signals import post_migrate


class SiteConfig(AppConfig):
    name = "tests.site"
    # `site` alone would read as the standard library's module.
    label = "site_under_test"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        # Nobody here has a permission. To make those of all models takes longer than to empty the tables after a test.
        post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
