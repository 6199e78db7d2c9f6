"""Who asked: the address and the user of a request."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings as site_settings
from django.contrib.auth import SESSION_KEY
from django.http import HttpRequest
from django.utils.functional import LazyObject, empty

from security.addresses import is_in_networks
from security.config import settings


def is_ignored_address(address: str | None) -> bool:
    """Tell whether SECURITY_LOG_REQUEST_IGNORE_IP names an address, by itself or as one of a network."""
    ignored = settings.LOG_REQUEST_IGNORE_IP
    return bool(ignored) and address is not None and is_in_networks(address, tuple(ignored))


def loaded_user_id(request: HttpRequest) -> str | None:
    """Give the id of the user whom the site itself loaded, without loading anything and without marking the session.

    The user of the session as it came is the one who asked, also where the view logged that user out since.
    """
    seen = vars(request)
    for candidate in (seen.get("_cached_user"), seen.get("_acached_user"), seen.get("user")):
        user = _unwrapped(candidate)
        if user is not None and getattr(user, "is_authenticated", False) and getattr(user, "pk", None) is not None:
            return str(user.pk)
    session = vars(seen["session"]) if hasattr(seen.get("session"), "__dict__") else {}
    user_id = session.get("_session_cache", {}).get(SESSION_KEY)
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


def session_user_id(request: HttpRequest) -> str | None:
    """Read the id of the user from a session of our own, which the site and its response do not notice."""
    session_key = request.COOKIES.get(site_settings.SESSION_COOKIE_NAME)
    if not session_key:
        return None
    store: Any = import_module(site_settings.SESSION_ENGINE).SessionStore(session_key)
    # Some engines remove a session that has expired, and make another, when it is loaded.
    store.create = store.delete = store.save = _do_nothing
    user_id = store.load().get(SESSION_KEY)
    return None if user_id is None else str(user_id)


def _do_nothing(*args: Any, **kwargs: Any) -> None:
    pass


def _unwrapped(user: Any) -> Any:
    """Give the user inside a lazy object, and None for one that nobody has looked at."""
    if isinstance(user, LazyObject):
        # Each look through the object itself is a call of Python's.
        inner = object.__getattribute__(user, "__dict__").get("_wrapped", empty)
        return None if inner is empty else inner
    return user
