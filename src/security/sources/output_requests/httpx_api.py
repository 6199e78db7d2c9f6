"""The functions of httpx, each a call of a recording client of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from .httpx_clients import AsyncClient, Client

if TYPE_CHECKING:
    import httpx

__all__ = [
    "AsyncClient",
    "Client",
    "delete",
    "get",
    "head",
    "options",
    "patch",
    "post",
    "put",
    "request",
    "stream",
]

# What the library's functions take for the client, and not for the request.
_OF_CLIENT: Final = ("cookies", "proxy", "timeout", "verify", "trust_env")


def _client(kwargs: dict[str, Any]) -> Client:
    return Client(**{name: kwargs.pop(name) for name in _OF_CLIENT if name in kwargs})


def request(method: str, url: Any, **kwargs: Any) -> httpx.Response:
    """Send a request; the parameters are those of `httpx.request`, and `slug` and `related_objects`."""
    with _client(kwargs) as client:
        return client.request(method, url, **{"follow_redirects": False, **kwargs})


@contextmanager
def stream(method: str, url: Any, **kwargs: Any) -> Iterator[httpx.Response]:
    """Send a request and read its response bit by bit."""
    with _client(kwargs) as client, client.stream(method, url, **{"follow_redirects": False, **kwargs}) as response:
        yield response


def get(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a GET request."""
    return request("GET", url, **kwargs)


def options(url: Any, **kwargs: Any) -> httpx.Response:
    """Send an OPTIONS request."""
    return request("OPTIONS", url, **kwargs)


def head(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a HEAD request."""
    return request("HEAD", url, **kwargs)


def post(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a POST request."""
    return request("POST", url, **kwargs)


def put(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a PUT request."""
    return request("PUT", url, **kwargs)


def patch(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a PATCH request."""
    return request("PATCH", url, **kwargs)


def delete(url: Any, **kwargs: Any) -> httpx.Response:
    """Send a DELETE request."""
    return request("DELETE", url, **kwargs)
