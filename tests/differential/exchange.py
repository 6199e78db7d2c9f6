"""One exchange with the site, through the entry point that a server calls, and everything that can be seen of it."""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from unittest.mock import patch
from wsgiref.util import FileWrapper

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import got_request_exception, request_finished, request_started
from django.core.signing import TimestampSigner
from django.db import connection
from django.db.backends.signals import connection_created
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import override_settings

from tests.differential.both_ways import BothWays
from tests.differential.notebook import describe, note, take

SESSION_KEY: Final = "s" * 32
LOGGER: Final = "security.middleware.LogMiddleware"
# The time at which both sites answer, where they say it.
TIMESTAMP: Final = TimestampSigner().timestamp()
# What the logger adds to a request by design.
OWN_ATTRIBUTES: Final = {"input_logged_request", "input_request_logger", "_security_exchange", "close"}

# What a new connection to MariaDB says: a site that used no database has a connection through the logger.
_SET_UP: Final = re.compile(r"\s*(?:SET |SELECT VERSION)")

Notes = list[tuple[str, Any]]


@dataclass(frozen=True)
class Scenario:
    """A request, and the site that it goes to."""

    name: str
    target: str = "/sync/"
    method: str = "GET"
    body: bytes = b""
    content_type: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    around: tuple[str, ...] = ()
    """Middleware of the site's own before the logger."""
    inside: tuple[str, ...] = ()
    """Middleware of the site's own behind the logger."""
    servers: tuple[str, ...] = ("wsgi", "asgi")
    environ: Mapping[str, Any] = field(default_factory=dict)
    """What a WSGI server says otherwise than usual."""
    chunk: int = 65_536
    """In how large pieces the body arrives."""
    arrives: int | None = None
    """After how many bytes of the body the client goes away."""
    leaves_after: int | None = None
    """After how many chunks of the answer the client goes away."""
    is_logged_in: bool = False
    reads_session: bool = False
    """Whether the logger reads the session once to tell who asked: the one query that it may add."""
    stand_in: tuple[str, ...] = ()
    """What stands in the logger's place on the other site: Django sends one signal more for any middleware more."""
    reaches_logger: bool = True
    """Whether no middleware before the logger answers."""

    def __str__(self) -> str:
        return self.name

    @property
    def all_headers(self) -> dict[str, str]:
        headers = {"Host": "shop.example", "User-Agent": "a browser", **self.headers}
        if self.is_logged_in:
            headers["Cookie"] = f"sessionid={SESSION_KEY}; theme=dark"
        if self.content_type:
            headers["Content-Type"] = self.content_type
        if (self.body or self.method == "POST") and "Transfer-Encoding" not in headers:
            headers.setdefault("Content-Length", str(len(self.body)))
        return headers


class Witness(BothWays):
    """The outermost middleware: it notes in what state a request and its response come back."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._call_async(request)
        response: HttpResponseBase = self.get_response(request)
        return self._seen(request, response)

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        return self._seen(request, await self.get_response(request))

    def _seen(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        session = getattr(request, "session", None)
        note("session", None if session is None else (session.accessed, session.modified))
        note("what the request holds", sorted(vars(request).keys() - OWN_ATTRIBUTES))
        note("environ", describe({name: value for name, value in request.META.items() if isinstance(value, str)}))
        note("response", (type(response).__name__, response.streaming, sorted(vars(response))))
        note("response headers", (dict(response.items()), response.cookies.output()))
        note("has content", "content" in dir(response) and not response.streaming)
        close = response.close

        def closed() -> None:
            note("response is closed")
            close()

        response.close = closed  # type: ignore[method-assign]
        return response


class Input:
    """The body of a request as a WSGI server hands it over, which notes each call."""

    def __init__(self, scenario: Scenario) -> None:
        self._rest = scenario.body if scenario.arrives is None else scenario.body[: scenario.arrives]
        self._breaks = scenario.arrives is not None
        self._chunk = scenario.chunk

    def read(self, size: int = -1) -> bytes:
        note("server reads", size)
        if not self._rest and self._breaks:
            raise OSError("the client went away")
        size = self._chunk if size < 0 else min(size, self._chunk)
        taken, self._rest = self._rest[:size], self._rest[size:]
        return taken

    def readline(self, size: int = -1) -> bytes:
        note("server reads a line", size)
        end = self._rest.find(b"\n") + 1 or len(self._rest)
        end = end if size < 0 else min(end, size)
        taken, self._rest = self._rest[:end], self._rest[end:]
        return taken


class _Notes(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        note(f"log {record.name} {record.levelname}", record.getMessage())


def _note_sql(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    if "security_sql" not in sql and not _SET_UP.match(sql):
        note("sql", re.sub(r"\bs\d+_x\d+\b", "savepoint", sql))
    return execute(sql, params, many, context)


_opened: list[Any] = []


def _watch(connection: Any, **kwargs: Any) -> None:
    if _note_sql not in connection.execute_wrappers:
        connection.execute_wrappers.append(_note_sql)
        _opened.append(connection)


@contextmanager
def _everything_noted() -> Iterator[None]:
    def on_signal(signal: Any = None, **kwargs: Any) -> None:
        note("signal", names[signal])

    names = {got_request_exception: "exception", request_started: "started", request_finished: "finished"}
    handler = _Notes()
    loggers = [logging.getLogger(name) for name in ("django.request", "django.security")]
    numbers = random.Random(7)
    for signal in names:
        signal.connect(on_signal)
    for logger in loggers:
        logger.addHandler(handler)
    connection_created.connect(_watch)
    _watch(connection)
    try:
        # Tokens and session keys are drawn at random: both arms draw the same.
        with (
            patch("secrets.choice", numbers.choice),
            patch("secrets.randbelow", numbers.randrange),
            patch("django.core.signing.TimestampSigner.timestamp", lambda signer: TIMESTAMP),
            patch("django.utils.cache.http_date", lambda moment: TIMESTAMP),
        ):
            yield
    finally:
        # Where an exception reaches the server, Django leaves the connections of its threads open.
        while _opened:
            opened = _opened.pop()
            opened.execute_wrappers.remove(_note_sql)
            opened.inc_thread_sharing()
            opened.close()
            opened.dec_thread_sharing()
        connection_created.disconnect(_watch)
        for logger in loggers:
            logger.removeHandler(handler)
        for signal in names:
            signal.disconnect(on_signal)


def run(scenario: Scenario, server: str, middleware: tuple[str, ...]) -> Notes:
    """Have one exchange with `middleware` in the place of the logger's; give what was seen, in its order."""
    stack = [
        "tests.differential.exchange.Witness",
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        *scenario.around,
        *middleware,
        *scenario.inside,
    ]
    given = {
        "ROOT_URLCONF": "tests.differential.site",
        "MIDDLEWARE": stack,
        "ALLOWED_HOSTS": ["shop.example"],
        # A time in a cookie would tell the two runs apart.
        "SESSION_EXPIRE_AT_BROWSER_CLOSE": True,
        "CSRF_COOKIE_AGE": None,
        **scenario.settings,
    }
    take()
    with override_settings(**given), _everything_noted():
        if server == "wsgi":
            _run_wsgi(WSGIHandler(), scenario)
        else:
            async_to_sync(_run_asgi)(ASGIHandler(), scenario)
    return take()


def _run_wsgi(application: WSGIHandler, scenario: Scenario) -> None:
    path, _, query = scenario.target.partition("?")
    headers = {name.upper().replace("-", "_"): value for name, value in scenario.all_headers.items()}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scenario.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "shop.example",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "192.0.2.7",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": Input(scenario),
        "wsgi.errors": None,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        **{name if name.startswith("CONTENT_") else f"HTTP_{name}": value for name, value in headers.items()},
        **scenario.environ,
    }

    def start_response(status: str, head: list[tuple[str, str]], exc_info: Any = None) -> None:
        note("server starts", (status, head))

    try:
        response: Any = application(environ, start_response)
    except BaseException as error:
        note("server is raised at", repr(error))
        return
    note("server got", type(response).__name__)
    try:
        for number, chunk in enumerate(response):
            note("server sends", chunk)
            if scenario.leaves_after == number:
                break
    except Exception as error:
        note("server is raised at in mid-stream", repr(error))
    finally:
        response.close()


async def _run_asgi(application: ASGIHandler, scenario: Scenario) -> None:
    path, _, query = scenario.target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": scenario.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in scenario.all_headers.items()],
        "client": ("192.0.2.7", 50_000),
        "server": ("shop.example", 80),
    }
    rest = scenario.body if scenario.arrives is None else scenario.body[: scenario.arrives]
    is_asked = False
    answered = asyncio.Event()

    async def receive() -> dict[str, Any]:
        nonlocal rest, is_asked
        if is_asked and not rest:
            if scenario.arrives is None:
                await answered.wait()
            return {"type": "http.disconnect"}
        is_asked = True
        chunk, rest = rest[: scenario.chunk], rest[scenario.chunk :]
        return {"type": "http.request", "body": chunk, "more_body": bool(rest) or scenario.arrives is not None}

    async def send(message: dict[str, Any]) -> None:
        note("server sends", message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    try:
        await application(scope, receive, send)
    except BaseException as error:
        note("server is raised at", repr(error))
