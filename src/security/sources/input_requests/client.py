"""Who asked: the address and the user of a request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings as site_settings
from django.contrib.auth import SESSION_KEY
from django.db import connections, router
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from security.addresses import is_in_networks
from security.config import setting_of_django, settings
from security.databases.at_rest import borrowed, expect_at_rest, has_transaction
from security.databases.limits import check_health_in_time, limited, open_in_time

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper


def is_ignored_address(address: str | None) -> bool:
    """Tell whether SECURITY_LOG_REQUEST_IGNORE_IP names an address, by itself or as one of a network."""
    ignored = settings.LOG_REQUEST_IGNORE_IP
    return bool(ignored) and address is not None and is_in_networks(address, tuple(ignored))


def loaded_user_id(request: HttpRequest) -> str | None:
    """Give the id of the user whom the site itself loaded, without loading anything and without marking the session.

    The user of the session as it came is the one who asked, also where the view logged that user out since.
    """
    seen = vars(request)
    for name in ("_cached_user", "_acached_user", "user"):
        user = _unwrapped(seen[name]) if name in seen else None
        if user is not None and getattr(user, "is_authenticated", False) and getattr(user, "pk", None) is not None:
            return str(user.pk)
    user_id = getattr(seen.get("session"), "__dict__", {}).get("_session_cache", {}).get(SESSION_KEY)
    return None if user_id is None else str(user_id)


def is_loaded(request: HttpRequest) -> bool:
    """Tell whether the site looked for the user or read the session, so that nothing more is to be found there."""
    seen = vars(request)
    session = seen.get("session")
    return (
        "_cached_user" in seen
        or "_acached_user" in seen
        or (session is not None and "_session_cache" in getattr(session, "__dict__", {}))
        or _unwrapped(seen.get("user")) is not None
    )


def has_unread_session(request: HttpRequest) -> bool:
    """Tell whether a session has to be read to know who asked."""
    return (
        "session" in vars(request)
        # Django keeps what it makes of the cookies: it is asked last, and only where there may be such a one.
        and setting_of_django("SESSION_COOKIE_NAME") in str(request.META.get("HTTP_COOKIE"))
        and settings.LOG_USER == "session"
        and not is_loaded(request)
        and site_settings.SESSION_COOKIE_NAME in request.COOKIES
    )


def session_user_id(request: HttpRequest) -> str | None:
    """Read the id of the user from a session of our own, which the site and its response do not notice."""
    session_key = request.COOKIES.get(site_settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    store: Any = import_module(site_settings.SESSION_ENGINE).SessionStore(session_key)
    # Some engines remove a session that has expired, and make another, when it is loaded.
    store.create = store.delete = store.save = _do_nothing
    _bound_reading(store)
    user_id = store.load().get(SESSION_KEY)
    return None if user_id is None else str(user_id)


def _bound_reading(store: Any) -> None:
    """Bound what a session store asks a database: those of Django that keep sessions in one do it in this method."""
    read = getattr(store, "_get_session_from_db", None)
    if read is None:
        return
    connection: BaseDatabaseWrapper = connections[router.db_for_read(store.model)]

    def read_in_time() -> Any:
        with _reading(connection, settings.LOG_DB_TIMEOUT):
            return read()

    store._get_session_from_db = read_in_time  # noqa: SLF001 its `load` would find one in the cache without it


@contextmanager
def _reading(connection: BaseDatabaseWrapper, seconds: float) -> Iterator[None]:
    with borrowed(connection):
        open_in_time(connection, seconds)
        expect_at_rest(connection.connection, seconds)
        if connection.in_atomic_block or not connection.autocommit or has_transaction(connection.connection):
            # A statement that is cancelled would spoil the site's own transaction.
            yield
            return
        check_health_in_time(connection, seconds)
        with limited(connection, seconds):
            yield


def _do_nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _unwrapped(user: Any) -> Any:
    """Give the user inside a lazy object, and None for one that nobody has looked at."""
    if isinstance(user, LazyObject):
        # Each look through the object itself is a call of Python's.
        inner = object.__getattribute__(user, "__dict__").get("_wrapped", empty)
        return None if inner is empty else inner
    return user
