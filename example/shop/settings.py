"""The settings of the shop; what django-security-logger needs is marked."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

# For an example only: a real site keeps its key to itself.
SECRET_KEY = "example"
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
LOGIN_REDIRECT_URL = "/"

# Where the bank is, and how the shop says who it is.
SHOP_BANK = os.environ.get("SHOP_BANK", "http://127.0.0.1:8000/bank")
SHOP_BANK_KEY = "key-of-the-shop"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    # django-security-logger, and where its logs are kept
    "security",
    "security.backends.sql",
    "security.backends.logging",
    "shop",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    # django-security-logger, after the authentication
    "security.middleware.LogMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
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

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SHOP_DATABASE", BASE_DIR / "shop.sqlite3"),
        "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL"},
    },
}

# Forms are recorded too: their passwords are hidden, as everywhere.
SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/csv",
)
SECURITY_RELEASE = "example-1"
SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH = "shop.throttling"
