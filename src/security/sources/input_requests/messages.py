"""HTTP messages as fields of a record, read so that the site notices nothing.

Django caches what it makes of a request (`headers`, `GET`, `COOKIES`) on the request itself; a middleware that asked
first would freeze it for everybody after it. So the raw values in `request.META` are read here.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import Any, Final

from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.response import HttpResponse, HttpResponseBase
from django.template.response import SimpleTemplateResponse

from security.body import Body, capture_bound, is_encoded
from security.config import setting_of_django
from security.queries import beginning_of_query, parse_queries

from .body_watch import Beginning

_LONGEST_REMEMBERED: Final = 100
_MOST_REMEMBERED: Final = 2048
_HEADERS_OF_CONTENT: Final = ("CONTENT_TYPE", "CONTENT_LENGTH")

# What asks one of a site's own for its content may leave nothing for the client.
_ITERATIONS: Final = (HttpResponse.__iter__, SimpleTemplateResponse.__iter__)

Members = dict[str, str | list[str]]


def host_of(request: HttpRequest) -> str:
    """Give the host that the client named, also one that the site does not allow."""
    named = request.META.get("HTTP_HOST")
    is_django_s_own = type(request).get_host is HttpRequest.get_host and "get_host" not in vars(request)
    if named and is_django_s_own and not setting_of_django("USE_X_FORWARDED_HOST"):
        # All that Django does more is to look whether it is allowed.
        return str(named)
    try:
        return request.get_host()
    except DisallowedHost:
        return str(request.META.get("HTTP_HOST") or request.META.get("SERVER_NAME") or "")


class _HeaderNames(dict[str, str]):
    """The HTTP names of the keys of META (RFC 3875, 4.1.18); that of a key that is no header's is empty."""

    def __missing__(self, key: str) -> str:
        is_header = key.startswith("HTTP_") or key in _HEADERS_OF_CONTENT
        name = key.removeprefix("HTTP_").replace("_", "-").title() if is_header else ""
        # Clients invent names: what is remembered is bounded, and no longer name is.
        if len(key) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[key] = name
        return name


_header_names: Final = _HeaderNames()


def headers_of(request: HttpRequest) -> Members:
    """Give the request's headers by their HTTP names."""
    meta = request.META
    headers: dict[str, Any] = {name: value for key, value in meta.items() if (name := _header_names[key])}
    if "" not in headers.values() and {*map(type, headers.values())} <= {str}:
        return headers
    return {name: str(value) for key, value in meta.items() if (name := _header_names[key]) and value != ""}


def queries_of(request: HttpRequest) -> Members:
    """Give the values of the query by name; the values of a name that is repeated are a list."""
    raw = beginning_of_query(str(request.META.get("QUERY_STRING") or ""))
    if not raw:
        return {}
    if not raw.isascii() and max(raw) <= "\xff":
        # WSGI hands over bytes as latin-1 (PEP 3333); a query in UTF-8 that was not percent-encoded is that below.
        raw = raw.encode("latin-1").decode("utf-8", "replace")
    return parse_queries(raw)


def response_headers_of(response: HttpResponseBase) -> Members:
    """Give the response's headers, its cookies among them."""
    headers: Members = {str(name): str(value) for name, value in response.items()}
    if response.cookies:
        headers["Set-Cookie"] = [morsel.OutputString() for morsel in response.cookies.values()]
    return headers


def announced_length(request: HttpRequest) -> int:
    """Give the length of the body that the client announced (RFC 9110, 8.6), 0 where it announced none that counts.

    Chunks go before it (RFC 9112, 6.3), and under ASGI the whole body is there before Django makes the request.
    """
    if "HTTP_TRANSFER_ENCODING" in request.META or isinstance(request, ASGIRequest):
        return 0
    text = str(request.META.get("CONTENT_LENGTH") or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 0


def request_body_of(request: HttpRequest, watched: Beginning, limit: int | None) -> Body | str:
    """Give the beginning of the body that the site read."""
    meta = request.META
    # Where the whole body was read, also by a middleware before this one, Django keeps it.
    read: Any = vars(request).get("_body")
    content = bytes(read[: capture_bound(limit)]) if read is not None else bytes(watched)
    if not content or (is_encoded(str(meta.get("HTTP_CONTENT_ENCODING") or "")) and not _is_text(content)):
        return ""
    return Body(content, str(meta.get("CONTENT_TYPE") or ""))


def _is_text(content: bytes) -> bool:
    """Tell whether bytes are text: Django reads a body as it came, whatever encoding a client says that it has."""
    try:
        # The last character may be cut.
        codecs.getincrementaldecoder("utf-8")().decode(content)
    except UnicodeDecodeError:
        return False
    return b"\0" not in content


def response_body_of(response: HttpResponseBase, limit: int | None) -> Body | str:
    """Give the beginning of the body of a response that is not streaming, and whose content can be had twice."""
    if type(response).__iter__ not in _ITERATIONS or not getattr(response, "is_rendered", True):
        return ""
    beginning = Beginning(capture_bound(limit))
    # The chunks of the content one by one: `content` would join them, however large they are.
    for chunk in response:
        beginning.add(chunk)
        if beginning.is_full:
            break
    return ResponseHead.of(response).body_of(beginning)


def code_of(response: HttpResponseBase) -> int | None:
    """Give the status code of a response, None for one that is none (RFC 9110, 15)."""
    code: Any = response.status_code
    return code if isinstance(code, int) and 0 <= code < 1000 else None


@dataclass(frozen=True, slots=True)
class ResponseHead:
    """What has to be known of a response to tell its body, before a middleware around the log's compresses it."""

    content_type: str
    is_encoded: bool

    @classmethod
    def of(cls, response: HttpResponseBase) -> ResponseHead:
        headers = response.headers
        return cls(headers.get("Content-Type", ""), is_encoded(headers.get("Content-Encoding", "")))

    def body_of(self, beginning: Beginning) -> Body | str:
        """Give the body as far as it was seen."""
        return "" if self.is_encoded else Body(bytes(beginning), self.content_type)
