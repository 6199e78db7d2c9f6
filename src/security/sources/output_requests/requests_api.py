"""The functions of `requests`, each a call of a recording session of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .requests_session import Session

if TYPE_CHECKING:
    import requests

__all__ = ["Session", "delete", "get", "head", "options", "patch", "post", "put", "request", "session"]


def request(method: str, url: str, **kwargs: Any) -> requests.Response:
    """Send a request; the parameters are those of `requests.request`, and `slug` and `related_objects`."""
    with Session() as session:
        return session.request(method, url, **kwargs)


def get(url: str, params: Any = None, **kwargs: Any) -> requests.Response:
    """Send a GET request."""
    return request("get", url, params=params, **kwargs)


def options(url: str, **kwargs: Any) -> requests.Response:
    """Send an OPTIONS request."""
    return request("options", url, **kwargs)


def head(url: str, **kwargs: Any) -> requests.Response:
    """Send a HEAD request, which follows no redirects unless it is told to."""
    return request("head", url, **{"allow_redirects": False, **kwargs})


def post(url: str, data: Any = None, json: Any = None, **kwargs: Any) -> requests.Response:
    """Send a POST request."""
    return request("post", url, data=data, json=json, **kwargs)


def put(url: str, data: Any = None, **kwargs: Any) -> requests.Response:
    """Send a PUT request."""
    return request("put", url, data=data, **kwargs)


def patch(url: str, data: Any = None, **kwargs: Any) -> requests.Response:
    """Send a PATCH request."""
    return request("patch", url, data=data, **kwargs)


def delete(url: str, **kwargs: Any) -> requests.Response:
    """Send a DELETE request."""
    return request("delete", url, **kwargs)


def session() -> Session:
    """Make a session; the name is the library's older one of `Session`."""
    return Session()
