"""Ways in through the middleware, under WSGI and ASGI."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client

from security.enums import LoggerName

from .carriers import JSON
from .cases import ANSWER_HEADERS, CASES, HEADERS, HOSTS, PATHS, QUERIES, TEXTS, Case, once
from .ways import Send, Way

Ask = Callable[..., Any]


def ask_wsgi() -> Ask:
    return Client(raise_request_exception=False).generic


def ask_asgi() -> Ask:
    client = AsyncClient(raise_request_exception=False)

    async def ask(*args: Any, **kwargs: Any) -> Any:
        return await client.generic(*args, **kwargs)

    return async_to_sync(ask)


def send_body(ask: Ask, case: Case) -> None:
    ask("POST", "/echo/", case.text.encode(), case.content_type)


def send_failure(ask: Ask, case: Case) -> None:
    ask("POST", "/masking/fail-with-body/", case.text.encode(), case.content_type)


def send_extra_data(ask: Ask, case: Case) -> None:
    ask("POST", "/masking/extra-data/", case.text.encode(), case.content_type)


def send_query(ask: Ask, case: Case) -> None:
    ask("GET", f"/?{case.text}")


def send_path(ask: Ask, case: Case) -> None:
    ask("GET", f"/masking/any/{case.text}")


def send_host(ask: Ask, case: Case) -> None:
    ask("GET", "/", headers={"Host": case.text})


def send_failing_path(ask: Ask, case: Case) -> None:
    ask("GET", f"/masking/fail-with-path/{case.text}")


def send_failing_header(ask: Ask, case: Case) -> None:
    ask("GET", f"/masking/fail-with-header/?name={case.name}", headers={case.name: case.text})


def send_header(ask: Ask, case: Case) -> None:
    ask("GET", "/", headers={case.name: case.text})


def send_answer(ask: Ask, case: Case) -> None:
    # The body of this request holds the secret as well: of JSON, under a name that is one.
    ask("POST", "/masking/answer-with-headers/", json.dumps({"secret": [[case.name, case.text]]}).encode(), JSON)


def opened(make: Callable[[], Ask], send: Callable[[Ask, Case], None]) -> Callable[[], AbstractContextManager[Send]]:
    @contextmanager
    def open_way() -> Iterator[Send]:
        ask = make()
        yield lambda case: send(ask, case)

    return open_way


def ways() -> Iterator[Way]:
    kind = LoggerName.INPUT_REQUEST
    for server, make in (("WSGI", ask_wsgi), ("ASGI", ask_asgi)):
        for name, cases, send, fields in (
            ("bodies", CASES, send_body, ("request_body", "response_body")),
            ("an exception", TEXTS, send_failure, ("request_body", "error_message")),
            ("extra data", TEXTS, send_extra_data, ("request_body", "extra_data")),
            ("the query", QUERIES, send_query, ("queries",)),
            ("the host", HOSTS, send_host, ("host",)),
            ("the path", PATHS, send_path, ("path",)),
            ("an exception with the path", PATHS, send_failing_path, ("path", "error_message")),
            ("an exception with a header", HEADERS, send_failing_header, ("request_headers", "error_message")),
            ("a header", HEADERS, send_header, ("request_headers",)),
            ("a header of the answer", ANSWER_HEADERS, send_answer, ("request_body", "response_headers")),
        ):
            # What masks is the same: the other server has each carrier once.
            some = cases if server == "WSGI" else once(cases)
            yield Way(f"{name}, {server}", some, opened(make, send), {kind: fields})


WAYS = [*ways()]
