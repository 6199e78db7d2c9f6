"""Every setting of the library, with its default; read from the site's settings each time it is used.

`settings.LOG_REQUEST_BODY_LENGTH` is `SECURITY_LOG_REQUEST_BODY_LENGTH` (published section "Setup"). Nothing is frozen
at import, so `override_settings` works.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, overload

from django.conf import Settings as SiteSettings
from django.conf import settings as site_settings

PREFIX: Final = "SECURITY_"
_UNSET: Final = object()

# The attributes of the lazy object itself; `vars` would go through its lazy look-up.
_site_settings_state: Final[dict[str, Any]] = object.__getattribute__(site_settings, "__dict__")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Expected:
    """What a site may write as a setting's value: in words for the site, as a test for the system checks."""

    words: str
    accepts: Callable[[Any], bool]

    def or_none(self) -> Expected:
        return Expected(f"{self.words}, or None", lambda value: value is None or self.accepts(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_texts(value: object) -> bool:
    return isinstance(value, (list, tuple, set, frozenset)) and all(isinstance(item, str) for item in value)


def _is_proxies(value: object) -> bool:
    return _is_count(value) or _is_texts(value)


def _is_patterns(value: object) -> bool:
    return isinstance(value, Mapping) and all(_is_texts(patterns) for patterns in value.values())


FLAG = Expected("True or False", lambda value: isinstance(value, bool))
TEXT = Expected("a text that is not empty", _is_text)
PATH = Expected("a dotted path, for example 'shop.security'", _is_text)
COUNT = Expected("a whole number, 0 or more", _is_count)
SECONDS = Expected(
    "a number of seconds above 0",
    lambda value: isinstance(value, (int, float)) and not isinstance(value, bool) and value > 0,
)
MINUTES = Expected("a number of minutes above 0", SECONDS.accepts)
TEXTS = Expected("a list, tuple or set of texts (a tuple of one needs its comma: ('text',))", _is_texts)
PATTERNS = Expected(
    "a dictionary of 'BODY', 'HEADERS' and 'QUERIES', each with a list or tuple of regular expressions",
    _is_patterns,
)
HEADER = Expected("'X-Forwarded-For' or 'Forwarded'", lambda value: value in ("X-Forwarded-For", "Forwarded"))
STORAGE = Expected(
    "an address such as 'redis://localhost:6379/0'", lambda value: isinstance(value, str) and "://" in value
)
MAPPING = Expected("a dictionary", lambda value: isinstance(value, Mapping))
PROXIES = Expected("the number of proxies, for example 1, or a list of their addresses and networks", _is_proxies)
USER_SOURCE = Expected("'session' or 'loaded'", lambda value: value in ("session", "loaded"))


class Setting(Generic[T]):
    """One setting; as an attribute of `settings` it gives the site's value, or else the default.

    `alias` is the second name under which the documentation writes the same setting: the second attribute that holds
    it; the first name wins. What is published and has no effect in this version is not `is_used`.
    """

    name: str

    def __init__(self, default: T, expected: Expected, *, is_used: bool = True) -> None:
        self.default = default
        self.expected = expected
        self.is_used = is_used
        self.alias: str | None = None
        self.names: tuple[str, ...] = ()

    def __set_name__(self, owner: type, name: str) -> None:
        self.names = (*self.names, PREFIX + name)
        self.name = self.names[0]
        self.alias = self.names[1] if len(self.names) > 1 else None

    def given(self) -> dict[str, Any]:
        """Give the values that the site wrote, by the names that it used."""
        return {name: getattr(site_settings, name) for name in self.names if hasattr(site_settings, name)}

    @property
    def given_name(self) -> str:
        """The name under which the site wrote the setting: of two, the one that counts."""
        return next(iter(self.given()), self.name)

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        if instance is None:
            return self
        # What is not set costs an exception in Django's lazy settings whenever it is asked for, 30 times a request.
        # The attributes of this object are what stands in a settings module; it is another one while settings are
        # overridden.
        holder = _site_settings_state.get("_wrapped")
        if type(holder) is SiteSettings:
            values: dict[str, T] = holder.__dict__
            default = self.default if self.alias is None else values.get(self.alias, self.default)
            return values.get(self.name, default)
        for name in self.names:
            value: T | object = getattr(site_settings, name, _UNSET)
            if value is not _UNSET:
                return value  # type: ignore[return-value]
        return self.default


class Settings:
    """The settings; each attribute is a `SECURITY_` setting without its prefix."""

    # What is recorded
    LOG_REQUEST_IGNORE_URL_PATHS = Setting[Collection[str]](frozenset(), TEXTS)
    LOG_REQUEST_IGNORE_IP = Setting[Collection[str]]((), TEXTS)
    LOG_REQUEST_BODY_LENGTH = Setting[int | None](1000, COUNT.or_none())
    LOG_RESPONSE_BODY_LENGTH = Setting[int | None](1000, COUNT.or_none())
    LOG_RESPONSE_BODY_CONTENT_TYPES = Setting[Collection[str]](
        (
            "application/json",
            "application/xml",
            "text/xml",
            "text/csv",
            "text/html",
            "application/xhtml+xml",
        ),
        TEXTS,
    )
    LOG_JSON_STRING_LENGTH = Setting[int | None](250, COUNT.or_none())
    # "session" reads the session once where the site itself did not; "loaded" never does.
    LOG_USER = Setting[str]("session", USER_SOURCE)
    APPEND_SLASH = Setting[bool](True, FLAG)
    # The version of the site that wrote a record, for example a commit.
    RELEASE = Setting[str | None](None, TEXT.or_none())
    LOG_OUTPUT_REQUESTS = Setting[bool](True, FLAG)
    # Keeps the `traceparent` of a request, and passes it on to those that the site sends (W3C Trace Context).
    TRACE_CONTEXT = Setting[bool](False, FLAG)
    COMMAND_LOG_EXCLUDED_COMMANDS = Setting[Collection[str]](
        (
            "runserver",
            "makemigrations",
            "migrate",
            "sqlmigrate",
            "showmigrations",
            "shell",
            "shell_plus",
            "test",
            "help",
            "reset_db",
            "compilemessages",
            "makemessages",
            "dumpdata",
            "loaddata",
        ),
        TEXTS,
    )
    LOG_STRING_IO_FLUSH_TIMEOUT = Setting[float](5, SECONDS)
    LOG_STRING_OUTPUT_TRUNCATE_LENGTH = Setting[int](10_000, COUNT)
    LOG_STRING_OUTPUT_TRUNCATE_OFFSET = Setting[int](1_000, COUNT)
    CELERY_STALE_TASK_TIME_LIMIT_MINUTES = Setting[float](60, MINUTES)
    AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS = Setting[Collection[str]]((), TEXTS)

    # The proxies in front of the site: how many, or their addresses and networks. None and 0 believe no header.
    TRUSTED_PROXIES = Setting[int | Collection[str] | None](None, PROXIES.or_none())
    # The one header that they write; another one could come from the client as it is.
    TRUSTED_PROXIES_HEADER = Setting[str]("X-Forwarded-For", HEADER)

    # What is hidden
    HIDE_SENSITIVE_DATA = Setting[bool](True, FLAG)
    SENSITIVE_DATA_REPLACEMENT = Setting[str]("[Filtered]", Expected("a text", lambda value: isinstance(value, str)))
    HIDE_SENSITIVE_DATA_PATTERNS = Setting[Mapping[str, Collection[str]]](
        {
            "BODY": (
                r'"password"\s*:\s*"((?:\\"|[^"])*)',
                r"<password>([^<]*)",
                r"password=([^&]*)",
                r"csrfmiddlewaretoken=([^&]*)",
                r'(?i)content-disposition: form-data; name="password"\r\n\r\n.*',
                r'"access_key": "([^"]*)',
            ),
            "HEADERS": (r"Authorization", r"X_Authorization", r"Cookie", r".*token.*"),
            "QUERIES": (r".*token.*",),
        },
        PATTERNS,
    )
    # Names whose values are hidden, beside the documented ones; and names that are never taken for secret.
    SENSITIVE_KEYS = Setting[Collection[str]]((), TEXTS)
    INNOCENT_KEYS = Setting[Collection[str]]((), TEXTS)
    # Detectors that are off, by their documented names.
    DISABLED_DETECTORS = Setting[Collection[str]]((), TEXTS)

    # Where it is kept
    BACKENDS = Setting[Collection[str] | None](None, TEXTS.or_none())
    BACKEND_WRITERS = BACKENDS
    BACKEND_READER = Setting[str | None](None, TEXT.or_none())
    RAISE_WRITER_EXCEPTIONS = Setting[bool](False, FLAG)
    LOG_DB_NAME = Setting[str | None](None, TEXT.or_none())
    DB_NAME = LOG_DB_NAME
    # How long the log is waited for each time, in seconds: for a connection, for a statement, for a lock.
    LOG_DB_TIMEOUT = Setting[float](2, SECONDS)
    BACKUP_STORAGE_PATH = Setting[str | None](None, TEXT.or_none(), is_used=False)
    ELASTICSEARCH_DATABASE = Setting[Mapping[str, Any]]({}, MAPPING, is_used=False)
    ELASTICSEARCH_AUTO_REFRESH = Setting[bool](False, FLAG, is_used=False)
    ELASTICSEARCH_LOGSTASH_WRITER = Setting[bool](False, FLAG, is_used=False)

    # Throttling
    THROTTLING_ENABLED = Setting[bool](True, FLAG)
    DEFAULT_THROTTLING_VALIDATORS_PATH = Setting[str]("security.default_validators", PATH)
    # Where requests are counted, for example "redis://localhost:6379/0"; None counts where logs are read.
    THROTTLING_STORAGE = Setting[str | None](None, STORAGE.or_none())
    # Whether requests pass (True) or are answered by 503 (False) while they cannot be counted.
    THROTTLING_FAIL_OPEN = Setting[bool](True, FLAG)
    THROTTLING_FAILURE_VIEW = Setting[str]("security.views.throttling_failure_view", PATH)

    # django-debug-toolbar
    DEBUG_TOOLBAR = Setting[bool](False, FLAG, is_used=False)
    SHOW_DEBUG_TOOLBAR = Setting[bool](False, FLAG, is_used=False)
    DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS = Setting[Collection[str]]((), TEXTS, is_used=False)


settings: Final = Settings()


class SettingGroup:
    """Settings that are read together, for what is asked again and again; none of them has a second name."""

    def __init__(self, *members: Setting[Any]) -> None:
        if any(member.alias for member in members):
            raise ValueError("A setting with a second name is read by itself.")
        self._members = members
        self._names = [member.name for member in members]
        self._defaults = [member.default for member in members]

    def values(self) -> tuple[Any, ...]:
        """Give their values, in the order of the settings."""
        holder = _site_settings_state.get("_wrapped")
        if type(holder) is SiteSettings:
            return tuple(map(holder.__dict__.get, self._names, self._defaults))
        return tuple(member.__get__(settings, Settings) for member in self._members)


def setting_of_django(name: str) -> Any:
    """Give a setting that is Django's own; its lazy object takes three calls of Python's for each look."""
    holder = _site_settings_state.get("_wrapped")
    return holder.__dict__[name] if type(holder) is SiteSettings else getattr(site_settings, name)


def all_settings() -> Iterator[Setting[Any]]:
    """Go through every setting of the library, through one with two names once."""
    return iter(dict.fromkeys(member for member in vars(Settings).values() if isinstance(member, Setting)))
