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
from security.records import Entry

from .exchange import Exchange, exchange_of

logger = logging.getLogger("security")

MIDDLEWARE: Final = "security.middleware.LogMiddleware"


class RefusedRequests(logging.Handler):
    """Records the request of each such message, unless the middleware has seen it."""

    def emit(self, record: logging.LogRecord) -> None:
        request = getattr(record, "request", None)
        if not isinstance(request, HttpRequest) or exchange_of(request) is not None:
            return
        if MIDDLEWARE not in site_settings.MIDDLEWARE:
            return
        try:
            exchange = Exchange(request)
            exchange.arrive()
            _store(request, exchange.refuse(getattr(record, "status_code", 400), record.getMessage()))
        except Exception:  # a logger's fault is never the site's
            logger.exception("A refused request could not be recorded; the site goes on.")


def _store(request: HttpRequest, entries: list[Entry]) -> None:
    loop = getattr(SyncToAsync.threadlocal, "main_event_loop", None)
    if isinstance(request, ASGIRequest) and loop is not None and loop.is_running():
        # Django answers such a request in any thread, whose connection nobody would close.
        asyncio.run_coroutine_threadsafe(adeliver(entries), loop).result()
    else:
        deliver(entries)


def watch() -> None:
    """Let refused requests be recorded, in addition to whatever the site does with the message."""
    refusals = logging.getLogger("django.security.DisallowedHost")
    if not any(isinstance(handler, RefusedRequests) for handler in refusals.handlers):
        refusals.addHandler(RefusedRequests(logging.WARNING))
