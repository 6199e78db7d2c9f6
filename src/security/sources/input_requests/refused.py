"""Requests that Django refuses before they reach the middleware: those for a host that the site does not allow.

CommonMiddleware, which comes before ours, asks for the host. All that Django lets the site know of its refusal is a
message of the logger `django.security.DisallowedHost`, which carries the request.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from asgiref.sync import SyncToAsync
from django.conf import settings as site_settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from security.delivery import adeliver, deliver
from security.faults import log_fault
from security.records import Entry

from .exchange import Exchange, exchange_of
from .middleware import is_log_middleware

# Seconds; under a server it takes as long as a write. Under a test client, a synchronous middleware can occupy the one
# thread that the write would run in.
_PATIENCE: Final = 5.0


# The lowest level that is one: each message comes to the filter.
_EVERY_LEVEL: Final = logging.NOTSET + 1


class RefusedRequests(logging.Filter):
    """Records the request of each such message, unless the middleware has seen it.

    The messages pass that the site's own level lets through. A handler would take the place of the one of last resort,
    in a site that has no other.
    """

    def __init__(self, refusals: logging.Logger) -> None:
        super().__init__()
        self._refusals = refusals
        self._own_level = logging.NOTSET if refusals.level == _EVERY_LEVEL else refusals.level

    def filter(self, record: logging.LogRecord) -> bool:
        self._record_request_of(record)
        return record.levelno >= self._level()

    def _level(self) -> int:
        """Give the level that the site gave the logger or, as it does for any other, one above it."""
        above = self._refusals.parent
        level = self._refusals.level
        own = self._own_level if level == _EVERY_LEVEL else level
        return own or (above.getEffectiveLevel() if above is not None else logging.NOTSET)

    def _record_request_of(self, record: logging.LogRecord) -> None:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and exchange_of(request) is None:
            try:
                _record(request, getattr(record, "status_code", 400), record.getMessage())
            except Exception:  # a logger's fault is never the site's
                log_fault("A refused request could not be recorded; the site goes on.")


def _record(request: HttpRequest, response_code: int, reason: str) -> None:
    if not any(is_log_middleware(path) for path in site_settings.MIDDLEWARE):
        return
    exchange = Exchange(request)
    exchange.arrive()
    _store(request, exchange.refuse(response_code, reason))


def _store(request: HttpRequest, entries: list[Entry]) -> None:
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    if not isinstance(request, ASGIRequest) or loop is None or not loop.is_running():
        deliver(entries)
        return
    # Django answers such a request in any thread, whose connection nobody would close; `async_to_sync` would keep the
    # write in that thread.
    written = asyncio.run_coroutine_threadsafe(adeliver(entries), loop)
    try:
        written.result(_PATIENCE)
    finally:
        written.cancel()


def watch() -> None:
    """Let refused requests be recorded, in addition to whatever the site does with the message."""
    refusals = logging.getLogger("django.security.DisallowedHost")
    if not any(isinstance(known, RefusedRequests) for known in refusals.filters):
        # Before the filters of the site, and its level: both are about the message, and not about the record.
        refusals.filters.insert(0, RefusedRequests(refusals))
        refusals.setLevel(_EVERY_LEVEL)
