"""Settings are live, have two names where the documentation writes two, and are checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.core import mail
from django.core.checks import Tags, run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django.test import override_settings

from security.backends.sql.db_router import MirrorSecurityLoggerRouter
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


@pytest.fixture(params=["in the settings module", "overridden"])
def site_sets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set settings of the site: as a site does, whose settings are read in another way than those of a test."""

    def in_module(**given: Any) -> None:
        for name, value in given.items():
            monkeypatch.setattr(site_settings, name, value, raising=False)

    def overridden(**given: Any) -> None:
        override = override_settings(**given)
        override.enable()
        request.addfinalizer(override.disable)

    return in_module if request.param == "in the settings module" else overridden


@pytest.mark.parametrize(
    ("name", "alias", "attribute"),
    [
        ("SECURITY_BACKENDS", "SECURITY_BACKEND_WRITERS", "BACKENDS"),
        ("SECURITY_LOG_DB_NAME", "SECURITY_DB_NAME", "LOG_DB_NAME"),
    ],
)
def test_a_setting_with_two_names_is_read_by_either_and_the_first_name_wins(
    name: str, alias: str, attribute: str, site_sets: Callable[..., None]
) -> None:
    site_sets(**{alias: "second"})
    assert getattr(settings, attribute) == "second"
    site_sets(**{name: "first"})
    assert getattr(settings, attribute) == "first"


@pytest.mark.parametrize("name", [name for setting in all_settings() for name in setting.names])
def test_each_name_of_a_setting_is_an_attribute_without_the_prefix(name: str) -> None:
    value = object()
    with override_settings(**{name: value}):
        assert getattr(settings, name.removeprefix("SECURITY_")) is value


def test_a_second_name_is_no_second_setting() -> None:
    assert len({setting.name for setting in all_settings()}) == len(list(all_settings()))


def test_a_site_without_settings_has_no_problem() -> None:
    assert problems() == {}


@pytest.mark.parametrize("setting", list(all_settings()), ids=lambda setting: setting.name)
def test_every_default_is_of_the_type_that_is_asked_for(setting: Any) -> None:
    assert setting.expected.accepts(setting.default)


LOG = "security.middleware.LogMiddleware"
AUTHENTICATION = "django.contrib.auth.middleware.AuthenticationMiddleware"
OWN = "tests.site.middleware.OwnLogMiddleware"
THROTTLING = {"SECURITY_THROTTLING_ENABLED": True}
WITHOUT_BACKENDS = ["security", "django.contrib.auth", "django.contrib.contenttypes"]
MIRROR = "security.backends.sql.db_router.MirrorSecurityLoggerRouter"
MULTIPLE = "security.backends.sql.dbr_router.MultipleDBSecurityLoggerRouter"


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
        ({"SECURITY_LOG_DB_TIMEOUT": 0}, "E001", "a number of seconds above 0"),
        ({"SECURITY_CELERY_STALE_TASK_TIME_LIMIT_MINUTES": 0}, "E001", "a number of minutes above 0"),
        ({"SECURITY_LOG_USER": "never"}, "E001", "'session' or 'loaded'"),
        (
            {"SECURITY_BACKENDS": ["sql"], "SECURITY_BACKEND_WRITERS": []},
            "E002",
            "Keep SECURITY_BACKENDS",
        ),
        ({"SECURITY_HIDE_SENSITIVE_DATA_PATTERNS": {"HEADER": ["x"]}}, "E003", "'HEADERS'"),
        ({"SECURITY_HIDE_SENSITIVE_DATA_PATTERNS": {"BODY": ["(x"]}}, "E004", "regular expression"),
        ({"SECURITY_DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS": ["("]}, "E004", "regular expression"),
        (
            {"SECURITY_THROTTLING_FAILURE_VIEW": "tests.nowhere.view"},
            "E005",
            "'shop.views.too_many_requests'",
        ),
        (
            {"SECURITY_THROTTLING_FAILURE_VIEW": "security.config"},
            "E005",
            "it leads to a module, which cannot be called.",
        ),
        ({"SECURITY_THROTTLING_FAILURE_VIEW": "tests.site.views.__doc__"}, "E005", "it leads to a str"),
        ({"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "tests.nowhere"}, "E005", "'shop.throttling'"),
        (
            {"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "tests.site.views"},
            "E005",
            "define default_validators = (...) in it",
        ),
        ({"SECURITY_LOG_REQUEST_IGNORE_IP": ["localhost"]}, "E006", "'10.0.0.0/8'"),
        ({"SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": ["health/"]}, "W007", "'health/', which is the path of no request"),
        ({"SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": {"/health/?verbose"}}, "W007", "Write whole paths"),
        ({"SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": {"/static/*"}}, "W007", "no patterns"),
        ({"SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": ("^/static/.*",)}, "W007", "no patterns"),
        ({"SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES": ["json"]}, "W008", "'json', which is no content type"),
        ({"SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES": ["text/*"]}, "W008", "as in 'application/json'"),
        ({"SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES": ["text/html; charset=utf-8"]}, "W008", "no parameters"),
        ({"SECURITY_DEBUG_TOOLBAR": True}, "W009", "SECURITY_DEBUG_TOOLBAR does nothing in this version"),
        ({"SECURITY_BACKUP_STORAGE_PATH": "/var/backups"}, "W009", "SECURITY_BACKUP_STORAGE_PATH does nothing"),
        ({"SECURITY_TRUSTED_PROXIES": ["nginx"]}, "E031", "'10.0.0.0/8'"),
        ({"SECURITY_TRUSTED_PROXIES": -1}, "E001", "the number of proxies"),
        ({"SECURITY_TRUSTED_PROXIES": "10.0.0.1"}, "E001", "the number of proxies"),
        ({"SECURITY_TRUSTED_PROXIES_HEADER": "X-Real-IP"}, "E001", "'Forwarded'"),
        ({"SECURITY_THROTTLING_STORAGE": "localhost"}, "E001", "redis://localhost:6379/0"),
        ({"SECURITY_THROTTLING_STORAGE": "reddis://a", **THROTTLING}, "E030", "redis://localhost:6379/0"),
        ({"INSTALLED_APPS": WITHOUT_BACKENDS, **THROTTLING}, "W030", "SECURITY_THROTTLING_STORAGE"),
        ({"SECURITY_DISABLED_DETECTORS": ["luhn"]}, "E070", "card_number, iban"),
        (
            {"SECURITY_BACKENDS": ["elasticsearch"]},
            "E010",
            "no backend 'elasticsearch'; write one of the installed: sql",
        ),
        ({"SECURITY_BACKENDS": ["security.backends.sql"]}, "E010", "Write 'sql'"),
        ({"SECURITY_BACKEND_READER": "elasticsearch"}, "E011", "no backend 'elasticsearch'"),
        ({"SECURITY_BACKEND_WRITERS": ["nonsense"]}, "E010", "SECURITY_BACKEND_WRITERS names"),
        (
            {"SECURITY_BACKENDS": ["logging"], "INSTALLED_APPS": WITHOUT_BACKENDS},
            "E010",
            "Add 'security.backends.logging' to INSTALLED_APPS",
        ),
        (
            {"SECURITY_BACKEND_READER": "testing", "INSTALLED_APPS": WITHOUT_BACKENDS},
            "E011",
            "Add 'security.backends.testing' to INSTALLED_APPS",
        ),
        ({"SECURITY_BACKEND_READER": "logging"}, "E011", "Write one of: sql"),
        ({"MIDDLEWARE": [LOG, AUTHENTICATION]}, "E012", f"Move '{LOG}' behind"),
        ({"MIDDLEWARE": [AUTHENTICATION, LOG, LOG]}, "E013", "Keep the one"),
        ({"MIDDLEWARE": [AUTHENTICATION]}, "W010", f"Add '{LOG}' after"),
        ({"DATABASE_ROUTERS": [MIRROR]}, "E014", "Set SECURITY_LOG_DB_NAME"),
        ({"DATABASE_ROUTERS": [MULTIPLE]}, "E014", "Set SECURITY_LOG_DB_NAME"),
        ({"DATABASE_ROUTERS": [MIRROR], "SECURITY_LOG_DB_NAME": "logs"}, "E015", "'default', 'log'"),
        ({"DATABASE_ROUTERS": [MIRROR], "SECURITY_DB_NAME": "logs"}, "E015", "SECURITY_DB_NAME is 'logs'"),
        ({"INSTALLED_APPS": WITHOUT_BACKENDS}, "W012", "Nothing"),
        ({"MIDDLEWARE": [OWN, AUTHENTICATION]}, "E012", f"Move '{OWN}' behind"),
        ({"SECURITY_BACKEND_READER": "nonsense"}, "E011", "sql, testing"),
        ({"SECURITY_LOG_DB_NAME": ["log"]}, "E001", "a text that is not empty"),
        ({"SECURITY_LOG_DB_NAME": "log"}, "W011", f"Add '{MIRROR}'"),
    ],
)
def test_a_mistake_is_named_with_what_to_write_instead(given: dict[str, Any], check: str, said: str) -> None:
    with override_settings(**given):
        assert said in problems()[f"security_logger.{check}"]


@override_settings(SECURITY_BACKEND_READER="logging", **THROTTLING)
def test_of_a_reader_that_cannot_be_read_nobody_says_that_it_cannot_count() -> None:
    assert set(problems()) == {"security_logger.E011"}


def test_a_module_without_validators_is_spoken_of_once() -> None:
    with override_settings(SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH="tests.nowhere"):
        said = problems()["security_logger.E005"]
    assert said == (
        "SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH is 'tests.nowhere', which has no tuple default_validators: "
        "No module named 'tests.nowhere'. "
        "Write the path of a module, for example 'shop.throttling', and define default_validators = (...) in it."
    )


class OwnMirror(MirrorSecurityLoggerRouter):
    """A router of a site's own."""


@pytest.mark.parametrize("router", [f"{__name__}.OwnMirror", OwnMirror(), MULTIPLE])
def test_a_router_is_known_by_its_class(router: Any) -> None:
    with override_settings(DATABASE_ROUTERS=[router]):
        assert "Set SECURITY_LOG_DB_NAME" in problems()["security_logger.E014"]


SERVER = {"ENGINE": "django.db.backends.postgresql", "NAME": "shop", "HOST": "db", "PORT": "5432"}
FILE = {"ENGINE": "django.db.backends.sqlite3", "NAME": "/tmp/shop.sqlite3"}
MEMORY = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
SCHEMA = {"OPTIONS": {"options": "-c search_path=log"}}


@pytest.mark.parametrize(
    ("router", "site", "log", "check"),
    [
        (MULTIPLE, SERVER, SERVER, "E016"),
        (MULTIPLE, SERVER, {**SERVER, "PORT": 5432, "OPTIONS": {"options": "-c statement_timeout=9"}}, "E016"),
        (MULTIPLE, FILE, {**FILE, "NAME": Path("/tmp/../tmp/shop.sqlite3")}, "E016"),
        (MULTIPLE, SERVER, {**SERVER, "NAME": "shop_log"}, None),
        (MULTIPLE, SERVER, {**SERVER, "HOST": "other"}, None),
        (MULTIPLE, SERVER, SERVER | SCHEMA, None),
        (MULTIPLE, MEMORY, MEMORY, None),
        # While tests run, the name is that of the mirrored database.
        (MULTIPLE, SERVER, {**SERVER, "TEST": {"MIRROR": "default"}}, None),
        (MIRROR, SERVER, {**SERVER, "NAME": "shop_log"}, "W013"),
        (MIRROR, SERVER, FILE, "W013"),
        (MIRROR, SERVER, SERVER | SCHEMA, "W013"),
        (MIRROR, SERVER, SERVER, None),
        (MIRROR, FILE, {**FILE, "NAME": Path("/tmp/shop.sqlite3")}, None),
        # A pool of connections
        (MIRROR, SERVER, {**SERVER, "PORT": "6432"}, None),
        (MIRROR, MEMORY, MEMORY, None),
    ],
)
def test_the_router_fits_the_alias(
    router: str, site: dict[str, Any], log: dict[str, Any], check: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(site_settings.DATABASES, "default", site)
    monkeypatch.setitem(site_settings.DATABASES, "log", log)
    with override_settings(DATABASE_ROUTERS=[router], SECURITY_LOG_DB_NAME="log"):
        found = problems().keys() & {"security_logger.E016", "security_logger.W013"}
        assert found == ({f"security_logger.{check}"} if check else set())


def test_a_mirror_of_tests_is_checked_where_no_tests_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(site_settings.DATABASES, "default", SERVER)
    monkeypatch.setitem(site_settings.DATABASES, "log", {**SERVER, "TEST": {"MIRROR": "default"}})
    monkeypatch.delattr(mail, "outbox", raising=False)
    with override_settings(DATABASE_ROUTERS=[MULTIPLE], SECURITY_LOG_DB_NAME="log"):
        assert MIRROR in problems()["security_logger.E016"]


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


def test_of_a_setting_that_does_nothing_the_default_can_be_written() -> None:
    with override_settings(SECURITY_DEBUG_TOOLBAR=False, SECURITY_DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS=[]):
        assert problems() == {}


def test_a_subclass_of_the_middleware_is_the_middleware() -> None:
    with override_settings(MIDDLEWARE=[AUTHENTICATION, OWN]):
        assert problems() == {}


@pytest.mark.parametrize("setting", list(all_settings()), ids=lambda setting: setting.name)
def test_no_value_makes_the_checks_fail(setting: Any) -> None:
    for value in (None, 7, -1, "", "x", ["x"], {"x": "y"}, {"BODY": 7}, [7], object()):
        with override_settings(**{setting.name: value}):
            problems()


def test_the_checks_pass_a_site_that_uses_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    if connections["log"].vendor == "mysql":
        # There the site has to bound what the library cannot.
        monkeypatch.setitem(connections.settings["log"], "OPTIONS", {"read_timeout": 5})
    given = {
        "SECURITY_BACKENDS": ("sql",),
        "SECURITY_BACKEND_WRITERS": ("sql",),
        "SECURITY_BACKEND_READER": "sql",
        "SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": {"/health/"},
        "SECURITY_LOG_REQUEST_IGNORE_IP": ("127.0.0.1", "10.0.0.0/8"),
        "SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES": {"Text/HTML", "application/vnd.api+json"},
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
