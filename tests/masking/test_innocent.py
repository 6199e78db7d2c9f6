"""What is no secret is stored as it came."""

from __future__ import annotations

import json
import shlex
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import override_settings

from security.backends.sql.models import LOG_MODELS
from security.enums import LoggerName
from security.masking import mask_body, mask_members, mask_text
from tests.site import tasks

from . import ways_of_calls, ways_of_commands, ways_of_requests, ways_of_tasks
from .cases import Case
from .innocent import BODIES, ERRORS, HEADERS, MEMBERS, PATHS, QUERIES
from .stored import everything_stored
from .ways import Send

pytestmark = pytest.mark.django_db


TEXTS = [*ERRORS, *(text for _, text in BODIES)]


def stored(
    open_way: Callable[[], AbstractContextManager[Send]], cases: Iterable[Case], kind: LoggerName
) -> list[tuple[Case, Any]]:
    """Send cases by a way, and give each with its row."""
    cases = list(cases)
    with everything_stored(), open_way() as send:
        for case in cases:
            send(case)
    return list(zip(cases, LOG_MODELS[kind].objects.order_by("id"), strict=True))


# These are innocent as documents: inside the quotes of a shell or of Python, too much of them is hidden.
_DOCUMENTS = ("content-disposition: form-data", "<u tokens=")


def texts() -> list[Case]:
    # Longer ones are cut in these fields.
    some = [text for text in TEXTS if len(text) < 2000 and not any(sign in text for sign in _DOCUMENTS)]
    return [Case("innocent", "", text) for text in some]


def bodies() -> list[Case]:
    return [Case("innocent", "", text, content_type) for content_type, text in BODIES]


def test_there_are_150_cases() -> None:
    assert len(BODIES) + len(HEADERS) + len(QUERIES) + len(PATHS) + len(ERRORS) >= 150


REQUESTS = {
    "WSGI": (LoggerName.INPUT_REQUEST, ways_of_requests.opened, [ways_of_requests.ask_wsgi]),
    "ASGI": (LoggerName.INPUT_REQUEST, ways_of_requests.opened, [ways_of_requests.ask_asgi]),
    **{
        name: (LoggerName.OUTPUT_REQUEST, ways_of_calls.opened, [client, ways_of_calls.somebody])
        for name, client in ways_of_calls.CLIENTS.items()
    },
}
every_way_of_requests = pytest.mark.parametrize("name", REQUESTS)


@every_way_of_requests
def test_no_body_is_damaged(name: str) -> None:
    kind, opened, how = REQUESTS[name]
    rows = stored(opened(*how, _module(name).send_body), bodies(), kind)
    assert [(case.text, row.request_body, row.response_body) for case, row in rows] == [
        (case.text,) * 3 for case, _ in rows
    ]


@every_way_of_requests
def test_no_query_or_path_is_damaged(name: str) -> None:
    kind, opened, how = REQUESTS[name]
    query = Case("innocent", "", urlencode(QUERIES))
    ((_, row),) = stored(opened(*how, _module(name).send_query), [query], kind)
    assert row.queries == QUERIES
    LOG_MODELS[kind].objects.all().delete()
    rows = stored(opened(*how, _module(name).send_path), [Case("innocent", "", path) for path in PATHS], kind)
    assert all(row.path.endswith(f"/{case.text}") for case, row in rows)


@every_way_of_requests
def test_no_header_is_damaged(name: str) -> None:
    kind, opened, how = REQUESTS[name]
    cases = [Case("innocent", "", value, name=header) for header, value in HEADERS.items()]
    for case, row in stored(opened(*how, _module(name).send_header), cases, kind):
        headers = {name.lower(): value for name, value in row.request_headers.items()}
        assert headers[case.name.lower()] == case.text


def _module(name: str) -> Any:
    return ways_of_requests if name.endswith("SGI") else ways_of_calls


@pytest.mark.parametrize("deed", ["write", "print", "complain", "return"])
def test_no_command_is_damaged(deed: str) -> None:
    way = ways_of_commands.opened(ways_of_commands.run_by_code, deed, ways_of_commands.text_of)
    for case, row in stored(way, texts(), LoggerName.COMMAND):
        assert shlex.split(row.input) == [deed, case.text]
        # A terminal shows no difference between the ends of lines.
        written = case.text.replace("\r\n", "\n")
        assert row.output == written + "\n" * (deed == "print" or not written.endswith("\n"))


def test_no_error_of_a_command_is_damaged() -> None:
    way = ways_of_commands.opened(ways_of_commands.run_by_code, "fail", ways_of_commands.text_of)
    for case, row in stored(way, texts(), LoggerName.COMMAND):
        assert row.error_message.endswith(f"ValueError: {case.text}\n" if case.text else "ValueError\n")


@pytest.mark.parametrize("kind", [LoggerName.CELERY_TASK_INVOCATION, LoggerName.CELERY_TASK_RUN])
def test_no_task_is_damaged(kind: LoggerName) -> None:
    for case, row in stored(ways_of_tasks.queued("return"), texts(), kind):
        assert row.task_args == [case.text]
        assert row.task_kwargs == {"deed": "return", "more": {"a": [{"b": case.text}]}}
        # Behind the colon at the end of a line, what Python writes there, an escape or a quote, begins a value.
        if len(case.text) < 300 and ":\n" not in case.text and not case.text.endswith(":"):
            assert row.input == f"{case.text!r}, deed='return', more={{'a': [{{'b': {case.text!r}}}]}}"
        if kind is LoggerName.CELERY_TASK_RUN:
            assert row.result == case.text


def test_no_data_is_damaged() -> None:
    def send(case: Case) -> None:
        tasks.repeat_text.apply_async(([MEMBERS],), {"members": MEMBERS}, queue=ways_of_tasks.QUEUE)

    cases = [Case("innocent", "", "")]
    ((_, row),) = stored(ways_of_tasks.opened(send), cases, LoggerName.CELERY_TASK_RUN)
    assert row.task_args == [[MEMBERS]]
    assert row.task_kwargs == {"members": MEMBERS}


def test_the_rest_of_a_cookie_and_of_an_address_stays() -> None:
    cases = [
        Case("innocent", "", "seen=hunter2Xq9zR; HttpOnly; Path=/", name="Set-Cookie"),
        Case("innocent", "", "/x?code_token=hunter2Xq9zR&a=1#token=hunter2Xq9zR", name="Location"),
    ]
    how = ways_of_requests.opened(ways_of_requests.ask_wsgi, ways_of_requests.send_answer)
    (_, cookie), (_, address) = stored(how, cases, LoggerName.INPUT_REQUEST)
    assert cookie.response_headers["Set-Cookie"] == ["seen=[Filtered]; HttpOnly; Path=/"]
    assert address.response_headers["Location"] == "/x?code_token=[Filtered]&a=1#token=[Filtered]"


SECRET_AMONG_OTHERS = {**MEMBERS, "password": "hunter2Xq9zR", "tail": "end"}


@pytest.mark.parametrize("indent", [None, 2])
def test_json_beside_a_secret_stays_byte_for_byte(indent: int | None) -> None:
    text = json.dumps(SECRET_AMONG_OTHERS, indent=indent)
    assert mask_body(text, "application/json") == text.replace("hunter2Xq9zR", "[Filtered]")


@pytest.mark.parametrize("replacement", ["[Filtered]", "<hidden & gone>", '"', "", "\\", "***"])
def test_any_replacement_leaves_json_and_xml_well_formed(replacement: str) -> None:
    with override_settings(SECURITY_SENSITIVE_DATA_REPLACEMENT=replacement):
        text = json.dumps({"a": {"password": "x1", "b": 'say password="y2"'}})
        document = json.loads(mask_body(text, "application/json"))
        assert document["a"]["password"] == replacement
        masked = mask_body('<r a="1" token="x1"><password>y2</password><c>z</c></r>', "text/xml")
        root = ElementTree.fromstring(masked)
        assert (root.get("token"), root.findtext("password"), root.findtext("c")) == (replacement, replacement, "z")


def test_the_rest_of_a_form_a_table_and_a_multipart_body_stays() -> None:
    assert (
        mask_body("a=%20&password=x&b=c+d&e", "application/x-www-form-urlencoded")
        == "a=%20&password=[Filtered]&b=c+d&e"
    )
    assert mask_body('a,pin\r\n"x, y",1234\r\n,""\r\n', "text/csv") == 'a,pin\r\n"x, y",[Filtered]\r\n,""\r\n'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("Key (token)=(abc) already exists.", "Key (token)=([Filtered]) already exists."),
        ("Key (user_id, token)=(1, abc) already exists.", "Key (user_id, token)=([Filtered]) already exists."),
    ],
)
def test_the_words_around_what_a_database_says_stay(text: str, masked: str) -> None:
    assert mask_text(text) == masked
    with override_settings(SECURITY_SENSITIVE_DATA_REPLACEMENT=""):
        assert mask_text(text) == masked.replace("[Filtered]", "")


def test_a_count_of_cookies_stays_in_a_query() -> None:
    assert mask_members({"cookies": "3"}, "QUERIES") == {"cookies": "3"}
