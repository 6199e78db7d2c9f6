"""The request that is being served, for logins whose code does not hand it on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from django.http import HttpRequest

_served: Final[ContextVar[HttpRequest | None]] = ContextVar("security_request_served", default=None)


@contextmanager
def serving(request: HttpRequest) -> Iterator[None]:
    """Make a request the one that is being served in this block, also in what `sync_to_async` runs for it."""
    token = _served.set(request)
    try:
        yield
    finally:
        _served.reset(token)


def request_served() -> HttpRequest | None:
    """Give the request that is being served, None outside of any."""
    return _served.get()
