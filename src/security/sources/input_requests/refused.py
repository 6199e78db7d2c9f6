"""Requests that Django refuses before they reach the middleware: those for a host that the site does not allow.

CommonMiddleware, which comes before ours, asks for the host. All that Django lets the site know of its refusal is a
message of the logger `django.security.DisallowedHost`, which carries the request.
"""

from __future__ import annotations

import asyncio
import logging

from asgiref.sync import SyncToAsync
from django.conf import settings as site_settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest

from security.delivery import adeliver, deliver
from security.records import Entry

from .exchange import Exchange, exchange_of
from .middleware import is_log_middleware

logger = logging.getLogger("security")


class RefusedRequests(logging.Filter):
    """Records the request of each such message, unless the middleware has seen it; every message passes.

    A handler would take the place of the one of last resort, in a site that has no other.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        request = getattr(record, "request", None)
        if isinstance(request, HttpRequest) and exchange_of(request) is None:
            try:
                _record(request, getattr(record, "status_code", 400), record.getMessage())
            except Exception:  # a logger's fault is never the site's
                logger.exception("A refused request could not be recorded; the site goes on.")
        return True


def _record(request: HttpRequest, response_code: int, reason: str) -> None:
    if not any(is_log_middleware(path) for path in site_settings.MIDDLEWARE):
        return
    exchange = Exchange(request)
    exchange.arrive()
    _store(request, exchange.refuse(response_code, reason))


def _store(request: HttpRequest, entries: list[Entry]) -> None:
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    if isinstance(request, ASGIRequest) and loop is not None and loop.is_running():
        # Django answers such a request in any thread, whose connection nobody would close; `async_to_sync` would keep
        # the write in that thread.
        asyncio.run_coroutine_threadsafe(adeliver(entries), loop).result()
    else:
        deliver(entries)


def watch() -> None:
    """Let refused requests be recorded, in addition to whatever the site does with the message."""
    refusals = logging.getLogger("django.security.DisallowedHost")
    if not any(isinstance(known, RefusedRequests) for known in refusals.filters):
        refusals.addFilter(RefusedRequests())
