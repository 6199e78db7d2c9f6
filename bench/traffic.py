"""Requests, and how they reach a site: in process, through the entry points that servers call."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from asgiref.sync import async_to_sync
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.test import override_settings

LOGGER = "security.middleware.LogMiddleware"
BOUNDARY = "bench-boundary"
CHUNK = 65_536

# What a browser sends; the cookie is none of the site's.
HEADERS = {
    "Host": "shop.example",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept": "application/json, text/plain, */*",
    "Accept-Language": "en-US,en;q=0.5",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Referer": "https://shop.example/lamps/?page=2",
    "Cookie": "_ga=GA1.2.1234567890.1700000000; theme=dark",
    "Connection": "keep-alive",
}


class Filler(io.RawIOBase):
    """A file of `size` bytes between a head and a tail, which holds none of them."""

    def __init__(self, size: int, head: bytes = b"", tail: bytes = b"") -> None:
        self.size = len(head) + size + len(tail)
        self._parts = self._chunks(size, head, tail)
        self._rest = b""

    def _chunks(self, size: int, head: bytes, tail: bytes) -> Iterator[bytes]:
        yield head
        for start in range(0, size, CHUNK):
            yield b"x" * min(CHUNK, size - start)
        yield tail

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        while not self._rest:
            chunk = next(self._parts, None)
            if chunk is None:
                return b""
            self._rest = chunk
        size = len(self._rest) if size < 0 else size
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken


@dataclass(frozen=True)
class Question:
    """A request to send, as often as wanted."""

    path: str
    method: str = "GET"
    query: str = ""
    content_type: str = ""
    body: Callable[[], Any] = io.BytesIO
    length: int = 0
    headers: Mapping[str, str] = field(default_factory=lambda: HEADERS)


def small_get(path: str) -> Question:
    return Question(path)


def small_post(path: str) -> Question:
    content = b'{"item": "lamp", "count": 2, "password": "correct horse"}'
    return Question(path, "POST", "", "application/json", lambda: io.BytesIO(content), len(content))


def raw_upload(path: str, size: int) -> Question:
    return Question(path, "POST", "", "text/csv", lambda: Filler(size), size)


def file_upload(path: str, size: int) -> Question:
    head = (
        f"--{BOUNDARY}\r\n"
        'Content-Disposition: form-data; name="file"; filename="rows.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return Question(path, "POST", "", content_type, lambda: Filler(size, head, tail), len(head) + size + len(tail))


def download(path: str, size: int) -> Question:
    return Question(path, query=f"size={size}")


class Site(Protocol):
    """A site, without or with a middleware that logs, which answers some questions one after the other."""

    def ask(self, question: Question, times: int = 1, status: int = 200) -> None: ...


class SyncSite:
    """A site under a WSGI server."""

    def __init__(self, logger: str | None = None) -> None:
        with override_settings(MIDDLEWARE=middleware(logger)):
            self.application = WSGIHandler()

    def ask(self, question: Question, times: int = 1, status: int = 200) -> None:
        environ = {
            "REQUEST_METHOD": question.method,
            "SCRIPT_NAME": "",
            "PATH_INFO": question.path,
            "QUERY_STRING": question.query,
            "SERVER_NAME": "shop.example",
            "SERVER_PORT": "443",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "REMOTE_ADDR": "192.0.2.7",
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "https",
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in question.headers.items()},
        }
        if question.length:
            environ |= {"CONTENT_TYPE": question.content_type, "CONTENT_LENGTH": str(question.length)}
        for _ in range(times):
            self._ask(environ | {"wsgi.input": question.body()}, status)

    def _ask(self, environ: dict[str, Any], status: int) -> None:
        statuses = []
        response = self.application(environ, lambda line, headers, exc_info=None: statuses.append(line))
        try:
            for _ in response:
                pass
        finally:
            response.close()
        check(int(statuses[0][:3]), status)


class AsyncSite:
    """A site under an ASGI server."""

    def __init__(self, logger: str | None = None) -> None:
        with override_settings(MIDDLEWARE=middleware(logger)):
            self.application = ASGIHandler()

    def ask(self, question: Question, times: int = 1, status: int = 200) -> None:
        async_to_sync(self._ask_all)(question, times, status)

    async def _ask_all(self, question: Question, times: int, status: int) -> None:
        headers = [(name.lower().encode(), value.encode()) for name, value in question.headers.items()]
        if question.length:
            headers.append((b"content-type", question.content_type.encode()))
            headers.append((b"content-length", str(question.length).encode()))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": question.method,
            "scheme": "https",
            "path": question.path,
            "raw_path": question.path.encode(),
            "query_string": question.query.encode(),
            "root_path": "",
            "headers": headers,
            "client": ("192.0.2.7", 50_000),
            "server": ("shop.example", 443),
        }
        for _ in range(times):
            await self._ask(dict(scope), question, status)

    async def _ask(self, scope: dict[str, Any], question: Question, status: int) -> None:
        import asyncio

        body = question.body()
        sent = 0
        answered = asyncio.Event()
        statuses = []

        async def receive() -> dict[str, Any]:
            nonlocal sent
            if sent < question.length or sent == 0:
                chunk = body.read(CHUNK)
                sent += len(chunk) or 1
                return {"type": "http.request", "body": chunk, "more_body": sent < question.length}
            # The client stays until it has its answer.
            await answered.wait()
            return {"type": "http.disconnect"}

        async def send(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])
            elif not message.get("more_body"):
                answered.set()

        await self.application(scope, receive, send)
        check(statuses[0], status)


def middleware(logger: str | None) -> list[str]:
    others = [path for path in settings.MIDDLEWARE if path != LOGGER]
    return [*others, logger] if logger else others


def check(actual: int, expected: int) -> None:
    if actual != expected:
        raise RuntimeError(f"The site answered {actual}, not {expected}: there is nothing to measure.")
