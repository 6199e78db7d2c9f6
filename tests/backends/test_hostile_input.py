"""Bad input is recorded, and never makes an error that the site would not have made."""

from __future__ import annotations

import copy
import gzip
import io
import json
import os
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client, override_settings

from security.backends.sql.models import InputRequestLog
from security.delivery import lost_entries
from security.enums import RequestLogState
from security.sources.input_requests import messages
from security.sources.input_requests.body_watch import WatchedStream

pytestmark = pytest.mark.django_db


def ask(body: bytes = b"", **environ: Any) -> tuple[int, InputRequestLog]:
    """Ask the site with an environ as a server would make it; give the status and the row."""
    base = {
        "REQUEST_METHOD": "POST" if body else "GET",
        "PATH_INFO": "/echo/" if body else "/",
        "REMOTE_ADDR": "192.0.2.7",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/json",
        "wsgi.input": io.BytesIO(body),
    }
    lost = lost_entries()
    response = Client(raise_request_exception=False).request(**{**base, **environ})
    assert lost_entries() == lost
    return response.status_code, InputRequestLog.objects.get()


@pytest.mark.parametrize(
    ("environ", "field", "stored"),
    [
        ({"PATH_INFO": "/a\0b"}, "path", "/a␀b"),
        ({"PATH_INFO": "/\xff\xfe"}, "path", "/%FF%FE"),
        ({"PATH_INFO": "/" + "x" * 5000}, "path", "/" + "x" * 1998 + "…"),
        ({"QUERY_STRING": "a=%00&b=%ff&c=%ed%a0%80"}, "queries", {"a": "␀", "b": "�", "c": "���"}),
        ({"QUERY_STRING": "a=\xc5\x99"}, "queries", {"a": "ř"}),
        ({"REQUEST_METHOD": "X" * 500}, "method", "X" * 19 + "…"),
        ({"REQUEST_METHOD": "get"}, "method", "GET"),
        ({"REMOTE_ADDR": ""}, "ip", None),
        ({"REMOTE_ADDR": "unix:"}, "ip", None),
        ({"REMOTE_ADDR": "fe80::1%eth0"}, "ip", "fe80::1"),
        ({"REMOTE_ADDR": "::ffff:192.0.2.9"}, "ip", "192.0.2.9"),
        ({"HTTP_X_ODD": "a\0\x01b"}, "request_headers", {"X-Odd": "a␀\x01b"}),
    ],
)
def test_odd_parts_of_a_request_are_stored(environ: dict[str, str], field: str, stored: Any) -> None:
    _, row = ask(**environ)
    value = getattr(row, field)
    if field == "request_headers":
        value = {"X-Odd": value["X-Odd"]}
    assert value == stored


def test_a_peer_without_an_address_is_stored_without_one() -> None:
    # A server on a unix socket leaves the variable out, or gives None.
    _, row = ask(REMOTE_ADDR=None)
    assert row.ip is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"[" * 100_000 + b"]" * 100_000, "application/json"),
        (b"7" * 12_000, "application/json"),
        (b'{"a": ' + b"7" * 12_000 + b"}", "application/json"),
        (b"\xff\xfe\x00", "application/json; charset=utf-16"),
        (b"\xff", "application/json; charset=\xff"),
        (b"x", "application/json; charset=punycode"),
        (b"a\0b\xed\xa0\x80", "text/html"),
        (b'{"a": "\\ud800"}', "application/json"),
        (b"<" * 50_000, "text/xml"),
        (b'{"password": "' + b'\\"' * 50_000, "application/json"),
    ],
)
def test_hostile_bodies_are_stored(body: bytes, content_type: str) -> None:
    code, row = ask(body, CONTENT_TYPE=content_type)
    assert row.response_code == code
    assert row.state != RequestLogState.INCOMPLETE
    assert len(row.request_body) <= 1000
    if body[:1] in b"[7{" and len(body) > 1000:
        json.loads(row.request_body)


@override_settings(SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=["multipart/form-data"])
def test_broken_multipart_is_answered_as_ever_and_stored() -> None:
    code, row = ask(b"--b\r\nContent-Disp", CONTENT_TYPE="multipart/form-data; boundary=b", PATH_INFO="/form/")
    assert (code, row.request_body) == (200, "--b\r\nContent-Disp")
    InputRequestLog.objects.all().delete()
    code, row = ask(b"x", CONTENT_TYPE="multipart/form-data", PATH_INFO="/form/")
    assert row.response_code == code == 400


def test_a_query_of_60_kb_is_stored_as_far_as_it_may_be() -> None:
    code, row = ask(QUERY_STRING="&".join(f"key{i}={'v' * 20}" for i in range(2500)))
    assert code == 200
    assert len(json.dumps(row.queries)) < 20_000
    assert row.queries["key0"] == "v" * 20


def test_five_thousand_query_keys_are_cut() -> None:
    _, row = ask(QUERY_STRING="&".join(f"{i}" for i in range(5000)))
    assert row.queries["0"] == ""


def test_headers_beyond_all_bounds_are_cut() -> None:
    _, row = ask(**{f"HTTP_X_{i}": "v" * 1000 for i in range(100)})
    assert len(json.dumps(row.request_headers)) < 40_000


@pytest.mark.parametrize("length", ["nonsense", "-1", "٣", "9" * 30, "9" * 5000])
def test_a_length_that_is_none_is_answered_as_ever(length: str) -> None:
    code, row = ask(b"x", CONTENT_LENGTH=length)
    assert (row.response_code, row.host) == (code, "testserver")
    assert row.state is RequestLogState.of_response_code(code)
    # Django before 6.1 fails on some of them itself.
    assert "The logger failed" not in str(row.error_message)


def test_a_client_that_goes_away_while_its_body_is_read_leaves_a_closed_row() -> None:
    class Broken:
        def read(self, *args: Any) -> bytes:
            raise OSError("connection reset")

        readline = read

    _, row = ask(**{"wsgi.input": Broken(), "CONTENT_LENGTH": "10", "REQUEST_METHOD": "POST", "PATH_INFO": "/echo/"})
    # What the site made of it says more than that the client went away.
    assert row.state is RequestLogState.ABORTED
    assert str(row.error_message).startswith("Traceback")
    assert "UnreadablePostError: connection reset" in str(row.error_message)


def test_a_client_cannot_keep_its_body_out_of_the_log_by_a_label() -> None:
    _, row = ask(b'{"a": "\xc3', HTTP_CONTENT_ENCODING="br")
    assert row.request_body == '{"a": "\ufffd'


def test_a_body_that_is_compressed_is_not_stored() -> None:
    _, row = ask(gzip.compress(b'{"a": 1}'), HTTP_CONTENT_ENCODING="gzip")
    assert row.request_body == ""


def test_a_header_that_comes_twice_is_not_lost_where_one_is_empty() -> None:
    request = HttpRequest()
    request.META = {"HTTP_CONTENT_TYPE": "text/plain", "CONTENT_TYPE": "", "HTTP_X_NUMBER": 5, "wsgi.version": (1, 0)}
    assert messages.headers_of(request) == {"Content-Type": "text/plain", "X-Number": "5"}


def test_the_names_that_clients_invent_are_not_kept() -> None:
    kept = len(messages._header_names)
    ask(**{f"HTTP_{'X' * 200}_{number}": "1" for number in range(50)})
    assert len(messages._header_names) < kept + 50


def test_no_more_names_are_kept_than_clients_use() -> None:
    ask(**{f"HTTP_X_{number}": "1" for number in range(3000)})
    assert len(messages._header_names) <= 2048


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: [stream.read()],
        lambda stream: [stream.read(2), stream.read(100)],
        lambda stream: [stream.readline(), stream.readline(), stream.readline()],
        lambda stream: stream.readlines(),
        lambda stream: [next(stream), *stream],
        lambda stream: [*stream],
    ],
    ids=["read", "read by size", "readline", "readlines", "next", "iteration"],
)
def test_a_body_is_seen_however_it_is_read(read: Callable[[Any], list[bytes]]) -> None:
    content = b"one\ntwo\nthree"
    stream = WatchedStream(io.BytesIO(content), None, len(content))
    assert b"".join(read(stream)) == bytes(stream.beginning) == content
    assert (stream.was_read, stream.was_cut_off) == (True, False)


def test_a_body_that_is_shorter_than_was_announced_was_cut_off() -> None:
    stream = WatchedStream(io.BytesIO(b"abc"), None, 10)
    assert stream.read(10) == b"abc"
    assert stream.was_cut_off


def test_the_stream_of_a_request_can_be_copied() -> None:
    stream = WatchedStream(io.BytesIO(b"abc"), 10)
    assert copy.copy(stream).read() == b"abc"


def test_the_database_under_test_is_the_one_that_was_asked_for() -> None:
    vendors = {"sqlite": "sqlite", "postgresql": "postgresql", "mariadb": "mysql"}
    assert connection.vendor == vendors[os.environ.get("DATABASE", "sqlite")]
