"""The request that is being served, for logins whose code does not hand it on."""

from __future__ import annotations

from contextvars import ContextVar, Token
from typing import Final

from django.http import HttpRequest

_served: Final[ContextVar[HttpRequest | None]] = ContextVar("security_request_served", default=None)


class serving:  # noqa: N801 it is called as a function is
    """Make a request the one that is being served in this block, also in what `sync_to_async` runs for it."""

    __slots__ = ("_request", "_token")

    _token: Token[HttpRequest | None]

    def __init__(self, request: HttpRequest) -> None:
        self._request = request

    def __enter__(self) -> None:
        self._token = _served.set(self._request)

    def __exit__(self, *args: object) -> None:
        _served.reset(self._token)


def request_served() -> HttpRequest | None:
    """Give the request that is being served, None outside of any."""
    return _served.get()
