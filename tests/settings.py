"""The site under test; the variable `DATABASE` names its database: sqlite, postgresql or mariadb."""

import os

from tests import databases

DATABASES = {"default": databases.connection(os.environ.get("DATABASE", "sqlite"))}
# A second connection to the same database, as in the published section "SQL backend".
DATABASES["log"] = DATABASES["default"] | {"TEST": {"MIRROR": "default"}}

SECRET_KEY = "tests"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
STATIC_URL = "static/"
ROOT_URLCONF = "tests.site.urls"
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.admin",
    "security",
    "security.backends.sql",
    "security.backends.logging",
    "security.backends.testing",
    "tests.site",
]

# Tests ask more often than a client may; those of throttling turn it on, for a server by these variables.
SECURITY_THROTTLING_ENABLED = os.environ.get("THROTTLING") == "on"
SECURITY_THROTTLING_STORAGE = os.environ.get("THROTTLING_STORAGE")
SECURITY_TRUSTED_PROXIES = 1 if SECURITY_THROTTLING_ENABLED else None

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "security.middleware.LogMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]
