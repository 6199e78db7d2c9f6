"""Settings are live, have two names where the documentation writes two, and are checked."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.test import override_settings

from security.config import all_settings, settings


def problems() -> dict[str, str]:
    """Give what the library's checks say, with their hints, by their ids."""
    return {
        str(message.id): f"{message.msg} {message.hint}"
        for message in run_checks(tags=[Tags.security])
        if str(message.id).startswith("security_logger.")
    }


def test_a_setting_is_read_each_time_it_is_used() -> None:
    assert settings.LOG_REQUEST_BODY_LENGTH == 1000
    with override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=7):
        assert settings.LOG_REQUEST_BODY_LENGTH == 7
    assert settings.LOG_REQUEST_BODY_LENGTH == 1000


@pytest.mark.parametrize(
    ("name", "attribute"), [("SECURITY_BACKEND_WRITERS", "BACKENDS"), ("SECURITY_DB_NAME", "LOG_DB_NAME")]
)
def test_a_setting_with_two_names_is_read_by_either(name: str, attribute: str) -> None:
    with override_settings(**{name: "log"}):
        assert getattr(settings, attribute) == "log"


def test_a_site_without_settings_has_no_problem() -> None:
    assert problems() == {}


@pytest.mark.parametrize("setting", list(all_settings()), ids=lambda setting: setting.name)
def test_every_default_is_of_the_type_that_is_asked_for(setting: Any) -> None:
    assert setting.expected.accepts(setting.default)


LOG = "security.middleware.LogMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
OWN = "tests.site.middleware.OwnLogMiddleware"
THROTTLING = {"SECURITY_THROTTLING_ENABLED": True}
MIRROR = "security.backends.sql.db_router.MirrorSecurityLoggerRouter"


@pytest.mark.parametrize(
    ("given", "check", "said"),
    [
        (
            {"SECURITY_LOG_REQUEST_BODY_LENGHT": 1},
            "W001",
            "Write SECURITY_LOG_REQUEST_BODY_LENGTH instead",
        ),
        ({"SECURITY_XYZZY": 1}, "W001", "Remove it"),
        ({"SECURITY_LOG_REQUEST_BODY_LENGTH": "7"}, "E001", "a whole number, 0 or more, or None"),
        ({"SECURITY_LOG_REQUEST_BODY_LENGTH": True}, "E001", "a whole number"),
        ({"SECURITY_LOG_REQUEST_IGNORE_IP": "192.0.2.7"}, "E001", "a tuple of one needs its comma"),
        ({"SECURITY_BACKENDS": "sql"}, "E001", "a list, tuple or set of texts"),
        ({"SECURITY_HIDE_SENSITIVE_DATA": "yes"}, "E001", "True or False"),
        ({"SECURITY_HIDE_SENSITIVE_DATA_PATTERNS": {"BODY": "x"}}, "E001", "a dictionary of 'BODY'"),
        ({"SECURITY_LOG_USER": "never"}, "E001", "'session' or 'loaded'"),
        (
            {"SECURITY_BACKENDS": ["sql"], "SECURITY_BACKEND_WRITERS": []},
            "E002",
            "Keep SECURITY_BACKENDS",
        ),
        ({"SECURITY_HIDE_SENSITIVE_DATA_PATTERNS": {"HEADER": ["x"]}}, "E003", "'HEADERS'"),
        ({"SECURITY_HIDE_SENSITIVE_DATA_PATTERNS": {"BODY": ["(x"]}}, "E004", "regular expression"),
        (
            {"SECURITY_THROTTLING_FAILURE_VIEW": "tests.nowhere.view"},
            "E005",
            "'shop.views.too_many_requests'",
        ),
        ({"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "tests.nowhere"}, "E005", "'shop.throttling'"),
        ({"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "tests.site.views"}, "E005", "default_validators"),
        ({"SECURITY_LOG_REQUEST_IGNORE_IP": ["localhost"]}, "E006", "'10.0.0.0/8'"),
        ({"SECURITY_TRUSTED_PROXIES": ["nginx"]}, "E031", "'10.0.0.0/8'"),
        ({"SECURITY_TRUSTED_PROXIES": -1}, "E001", "the number of proxies"),
        ({"SECURITY_TRUSTED_PROXIES": "10.0.0.1"}, "E001", "the number of proxies"),
        ({"SECURITY_TRUSTED_PROXIES_HEADER": "X-Real-IP"}, "E001", "'Forwarded'"),
        ({"SECURITY_THROTTLING_STORAGE": "localhost"}, "E001", "redis://localhost:6379/0"),
        ({"SECURITY_THROTTLING_STORAGE": "reddis://a", **THROTTLING}, "E030", "redis://localhost:6379/0"),
        ({"SECURITY_BACKEND_READER": "logging", **THROTTLING}, "W030", "SECURITY_THROTTLING_STORAGE"),
        ({"SECURITY_DISABLED_DETECTORS": ["luhn"]}, "E070", "card_number, iban"),
        ({"SECURITY_BACKENDS": ["elasticsearch"]}, "E010", "sql, logging"),
        ({"SECURITY_BACKEND_READER": "logging"}, "E011", "Write one of: sql"),
        ({"MIDDLEWARE": [LOG, AUTHENTICATION]}, "E012", f"Move '{LOG}' behind"),
        ({"MIDDLEWARE": [AUTHENTICATION, LOG, LOG]}, "E013", "Keep the one"),
        ({"MIDDLEWARE": [AUTHENTICATION]}, "W010", f"Add '{LOG}' after"),
        ({"DATABASE_ROUTERS": [MIRROR]}, "E014", "Set SECURITY_LOG_DB_NAME"),
        ({"DATABASE_ROUTERS": [MIRROR], "SECURITY_LOG_DB_NAME": "logs"}, "E015", "'default', 'log'"),
        ({"INSTALLED_APPS": ["security", "django.contrib.auth", "django.contrib.contenttypes"]}, "W012", "Nothing"),
        ({"MIDDLEWARE": [OWN, AUTHENTICATION]}, "E012", f"Move '{OWN}' behind"),
        ({"SECURITY_BACKEND_READER": "nonsense"}, "E011", "sql, testing"),
        ({"SECURITY_LOG_DB_NAME": ["log"]}, "E001", "a text that is not empty"),
        ({"SECURITY_LOG_DB_NAME": "log"}, "W011", f"Add '{MIRROR}'"),
    ],
)
def test_a_mistake_is_named_with_what_to_write_instead(given: dict[str, Any], check: str, said: str) -> None:
    with override_settings(**given):
        assert said in problems()[f"security_logger.{check}"]


@pytest.mark.django_db(databases=["default", "log"])
@override_settings(DATABASE_ROUTERS=[MIRROR])
def test_the_command_check_says_it_although_django_asks_the_router_too() -> None:
    with pytest.raises(SystemCheckError, match=r"security_logger\.E014"):
        call_command("check", databases=["default", "log"])


def test_a_backend_without_the_app_that_records_says_what_is_missing() -> None:
    with (
        pytest.raises(ImproperlyConfigured, match="Add 'security' to INSTALLED_APPS"),
        override_settings(INSTALLED_APPS=["security.backends.logging"]),
    ):
        pass


def test_a_subclass_of_the_middleware_is_the_middleware() -> None:
    with override_settings(MIDDLEWARE=[AUTHENTICATION, OWN]):
        assert problems() == {}


@pytest.mark.parametrize("setting", list(all_settings()), ids=lambda setting: setting.name)
def test_no_value_makes_the_checks_fail(setting: Any) -> None:
    for value in (None, 7, -1, "", "x", ["x"], {"x": "y"}, {"BODY": 7}, [7], object()):
        with override_settings(**{setting.name: value}):
            problems()


def test_the_checks_pass_a_site_that_uses_everything() -> None:
    given = {
        "SECURITY_BACKENDS": ("sql",),
        "SECURITY_BACKEND_WRITERS": ("sql",),
        "SECURITY_BACKEND_READER": "sql",
        "SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": {"/health/"},
        "SECURITY_LOG_REQUEST_IGNORE_IP": ("127.0.0.1", "10.0.0.0/8"),
        "SECURITY_LOG_REQUEST_BODY_LENGTH": None,
        "SECURITY_LOG_DB_NAME": "log",
        "DATABASE_ROUTERS": [MIRROR],
        "SECURITY_THROTTLING_FAILURE_VIEW": "django.views.defaults.page_not_found",
        "SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "tests.site.twice_a_minute",
        "SECURITY_THROTTLING_ENABLED": True,
        "SECURITY_THROTTLING_STORAGE": "redis://localhost:6379/0",
        "SECURITY_TRUSTED_PROXIES": ["10.0.0.0/8"],
        "SECURITY_TRUSTED_PROXIES_HEADER": "Forwarded",
    }
    with override_settings(**given):
        assert problems() == {}
    assert site_settings.MIDDLEWARE.index(AUTHENTICATION) < site_settings.MIDDLEWARE.index(LOG)
