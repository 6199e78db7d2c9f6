"""Ways in through the requests that the site sends, to a real service on loopback or to nobody."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

from asgiref.sync import async_to_sync

from security import httpx, requests
from security.enums import LoggerName
from tests.acceptance.remote import remote_service

from .cases import ANSWER_HEADERS, CASES, HEADERS, PATHS, QUERIES, TEXTS, Case, once
from .ways import Send, Way

Ask = Callable[..., Any]
KIND = LoggerName.OUTPUT_REQUEST
# Those that are an address, after all, would be asked.
NO_ADDRESSES = [case for case in once(TEXTS) if not any(sign in case.text for sign in ("://", "?", "#"))]
USERS = [case for case in QUERIES if case.secret.isalnum() and case.secret.isascii()]


@contextmanager
def by_requests() -> Iterator[Ask]:
    with requests.Session() as session:
        yield lambda *args, **kwargs: session.request(*args, allow_redirects=False, **kwargs)


@contextmanager
def by_httpx() -> Iterator[Ask]:
    with httpx.Client(verify=False) as client:
        yield lambda method, url, data=None, **kwargs: client.request(method, url, content=data, **kwargs)


@contextmanager
def by_async_httpx() -> Iterator[Ask]:
    @async_to_sync
    async def ask(method: str, url: str, data: Any = None, **kwargs: Any) -> None:
        async with httpx.AsyncClient(verify=False) as client:
            await client.request(method, url, content=data, **kwargs)

    yield ask


CLIENTS = {"requests": by_requests, "httpx": by_httpx, "async httpx": by_async_httpx}


@contextmanager
def nobody() -> Iterator[str]:
    """Give an address at which nobody answers."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def somebody() -> Iterator[str]:
    with remote_service() as remote:
        yield remote.host


def send_body(ask: Ask, host: str, case: Case) -> None:
    ask("POST", f"http://{host}/mirror", data=case.text.encode(), headers={"Content-Type": case.content_type})


def send_query(ask: Ask, host: str, case: Case) -> None:
    ask("GET", f"http://{host}/x?{case.text}")


def send_path(ask: Ask, host: str, case: Case) -> None:
    ask("GET", f"http://{host}/mirror/{case.text}")


def send_user_info(ask: Ask, host: str, case: Case) -> None:
    ask("GET", f"http://ann:{case.secret}@{host}/x?{case.text}")


def send_header(ask: Ask, host: str, case: Case) -> None:
    ask("GET", f"http://{host}/x", headers={case.name: case.text})


def send_answer(ask: Ask, host: str, case: Case) -> None:
    ask("GET", f"http://{host}/mirror", headers={f"Mirror-{case.name}": case.text})


def send_broken_header(ask: Ask, host: str, case: Case) -> None:
    """Send a header that the library refuses, which then quotes it."""
    ask("GET", f"http://{host}/x", headers={case.name: f"{case.text}\n"})


def send_no_address(ask: Ask, host: str, case: Case) -> None:
    """Take what is none for an address."""
    ask("GET", case.text)


def opened(
    client: Callable[[], AbstractContextManager[Ask]],
    service: Callable[[], AbstractContextManager[str]],
    send: Callable[[Ask, str, Case], None],
) -> Callable[[], AbstractContextManager[Send]]:
    @contextmanager
    def open_way() -> Iterator[Send]:
        with client() as ask, service() as host:

            def send_to_host(case: Case) -> None:
                with suppress(Exception):
                    send(ask, host, case)

            yield send_to_host

    return open_way


def ways() -> Iterator[Way]:
    for name, client in CLIENTS.items():
        for what, service, cases, send, fields in (
            ("bodies", somebody, CASES, send_body, ("request_body", "response_body")),
            ("a query", somebody, QUERIES, send_query, ("queries",)),
            ("a path", somebody, PATHS, send_path, ("path",)),
            ("a header", somebody, HEADERS, send_header, ("request_headers",)),
            ("a header of the answer", somebody, ANSWER_HEADERS, send_answer, ("response_headers",)),
            ("a query to nobody", nobody, QUERIES, send_query, ("queries",)),
            ("a path to nobody", nobody, PATHS, send_path, ("path",)),
            ("a body to nobody", nobody, once(TEXTS), send_body, ("request_body",)),
            ("a header that is none", somebody, once(HEADERS), send_broken_header, ("error_message",)),
            ("user and password", somebody, USERS, send_user_info, ("request_headers", "queries")),
            ("user and password to nobody", nobody, USERS, send_user_info, ("queries",)),
            ("an address that is none", somebody, NO_ADDRESSES, send_no_address, ("path",)),
        ):
            # What masks is the same: the other libraries have each carrier once, and one of them the half of those.
            some = {"requests": cases, "httpx": once(cases), "async httpx": once(cases)[::2]}[name]
            yield Way(f"{what}, by {name}", some, opened(client, service, send), {KIND: fields})


WAYS = [*ways()]
