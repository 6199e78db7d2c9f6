"""The site that is measured: Django's usual middleware, and one view that answers small JSON."""

from tests import databases

DATABASES = {"default": {**databases.connection("postgresql"), "CONN_MAX_AGE": None}}

SECRET_KEY = "bench"
ALLOWED_HOSTS = ["shop.example"]
USE_TZ = True
ROOT_URLCONF = "bench.site"

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "security",
    "security.backends.sql",
]

# The arm with the logger adds its middleware after these (bench.traffic).
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

# Each client asks more often than it may; what throttling costs is measured by itself.
SECURITY_THROTTLING_ENABLED = False
