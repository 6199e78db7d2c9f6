"""What is recorded of calls by `requests`."""

from __future__ import annotations

import gc
import logging
import re
import ssl
from array import array
from collections.abc import Iterator
from typing import Any

import pytest
import requests as plain
import trustme
from django.contrib.auth.models import Group
from django.db import connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from requests.auth import HTTPDigestAuth
from urllib3.util.retry import Retry

from security import requests
from security.backends.reader import get_logs_related_with_object
from security.backends.sql.models import OutputRequestLog
from security.backends.testing import CapturedLogs, capture_security_logs
from security.context import inside
from security.decorators import log_with_data
from security.enums import LoggerName, RequestLogState
from security.records import InputRequestRecord
from security.sources.output_requests import exchange
from security.sources.output_requests.line import LOGGER
from tests.acceptance.remote import Remote, remote_service
from tests.acceptance.servers import wait_until

pytestmark = pytest.mark.django_db


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_security_logs() as captured:
        yield captured


def only(logs: CapturedLogs) -> Any:
    (entry,) = logs.output_request
    return entry


def test_a_call_and_its_response_are_recorded(remote: Remote, logs: CapturedLogs) -> None:
    group = Group.objects.create(name="a")
    requests.post(
        f"{remote.address}/echo/?a=1&a=2&token=t",
        json={"x": 1, "password": "secret"},
        headers={"Authorization": "secret"},
        slug="shop",
        related_objects=[group],
    )
    entry = only(logs)
    assert (entry.method, entry.host, entry.path, entry.is_secure) == ("POST", remote.host, "/echo/", False)
    assert entry.queries == {"a": ["1", "2"], "token": "[Filtered]"}
    assert entry.request_headers["Content-Type"] == "application/json"
    assert entry.request_headers["Authorization"] == "[Filtered]"
    assert entry.request_body == '{"x": 1, "password": "[Filtered]"}'
    assert (entry.response_code, entry.response_headers["Content-Type"]) == (200, "application/json")
    assert entry.response_body.startswith('{"method": "POST"')
    assert "secret" not in entry.response_body
    assert (entry.slug, entry.state, entry.version, entry.error_message) == ("shop", RequestLogState.INFO, 2, None)
    assert 0 < entry.time == pytest.approx((entry.stop - entry.start).total_seconds(), abs=1e-5)
    row = OutputRequestLog.objects.get()
    assert (row.id, row.path, row.state) == (entry.id, "/echo/", RequestLogState.INFO)
    assert [log.id for log in get_logs_related_with_object("output-request", group)] == [entry.id]


@pytest.mark.django_db(transaction=True)
def test_a_call_costs_two_statements(remote: Remote) -> None:
    requests.get(f"{remote.address}/echo")
    with CaptureQueriesContext(connection) as queries:
        requests.get(f"{remote.address}/echo")
    assert len(queries) == 2


@pytest.mark.parametrize(
    ("code", "state"), [(200, RequestLogState.INFO), (404, RequestLogState.WARNING), (503, RequestLogState.ERROR)]
)
def test_the_state_is_that_of_the_answer(code: int, state: RequestLogState, remote: Remote, logs: CapturedLogs) -> None:
    requests.get(f"{remote.address}/status?code={code}")
    assert (only(logs).state, only(logs).response_body) == (state, "answered")


def test_each_redirect_is_a_record_and_a_child_of_the_first(remote: Remote, logs: CapturedLogs) -> None:
    outer = InputRequestRecord()
    with inside(outer):
        requests.get(f"{remote.address}/redirect?times=3", slug="hops")
    first, *others = logs.output_request
    assert first.parent_log == outer.reference
    assert [entry.parent_log for entry in others] == [f"output-request|{first.id}"] * 3
    assert [entry.response_code for entry in logs.output_request] == [302, 302, 302, 200]
    assert {entry.slug for entry in logs.output_request} == {"hops"}
    assert first.response_body == "elsewhere"


def test_each_retry_is_a_record_and_a_child_of_the_first(remote: Remote, logs: CapturedLogs) -> None:
    with requests.Session() as session:
        retry = Retry(total=3, backoff_factor=0, status_forcelist=[503], allowed_methods=None)
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        session.post(f"{remote.address}/flaky?name=retried&failures=2", data="again", slug="tries")
    first, *others = logs.output_request
    assert [entry.response_code for entry in logs.output_request] == [503, 503, 200]
    assert [entry.parent_log for entry in others] == [f"output-request|{first.id}"] * 2
    assert {entry.slug for entry in logs.output_request} == {"tries"}
    assert isinstance(retry, Retry)


def test_the_last_try_has_its_answer_and_its_error(remote: Remote, logs: CapturedLogs) -> None:
    with requests.Session() as session:
        retry = Retry(total=1, backoff_factor=0, status_forcelist=[503])
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        with pytest.raises(plain.exceptions.RetryError):
            session.get(f"{remote.address}/flaky?name=last&failures=9")
    assert [entry.response_code for entry in logs.output_request] == [503, 503]
    assert "too many 503 error responses" in logs.output_request[1].error_message


def test_a_try_that_failed_has_its_error(logs: CapturedLogs) -> None:
    with requests.Session() as session:
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=Retry(total=2, backoff_factor=0)))
        with pytest.raises(plain.ConnectionError):
            session.get("http://no-such-host.invalid/")
    assert [entry.state for entry in logs.output_request] == [RequestLogState.ERROR] * 3
    assert all("NameResolutionError" in entry.error_message for entry in logs.output_request)


def test_each_step_of_digest_authentication_is_a_record(remote: Remote, logs: CapturedLogs) -> None:
    requests.get(f"{remote.address}/digest", auth=HTTPDigestAuth("user", "pass"))
    assert [entry.response_code for entry in logs.output_request] == [401, 200]
    assert logs.output_request[1].request_headers["Authorization"] == "Digest [Filtered]"


def test_what_is_said_of_a_session_holds_for_its_calls(remote: Remote, logs: CapturedLogs) -> None:
    group = Group(pk=7)
    with requests.Session(slug="session", related_objects=[group]) as session:
        session.get(f"{remote.address}/echo")
        session.get(f"{remote.address}/echo", slug="call", related_objects=[Group(pk=8)])
        prepared = session.prepare_request(requests.Request("GET", f"{remote.address}/echo"))
        session.send(prepared, slug="sent")
    assert [entry.slug for entry in logs.output_request] == ["session", "call", "sent"]
    assert [[reference.pk for reference in entry.related_objects] for entry in logs.output_request] == [
        ["7"],
        ["8"],
        ["7"],
    ]


def test_a_call_joins_the_scope_around_it(remote: Remote, logs: CapturedLogs) -> None:
    with log_with_data(slug="scope", output_requests_related_objects=[Group(pk=7)], extra_data={"extra": "data"}):
        requests.get(f"{remote.address}/echo", related_objects=[Group(pk=8)])
    entry = only(logs)
    assert (entry.slug, entry.extra_data) == ("scope", {"extra": "data"})
    assert [reference.pk for reference in entry.related_objects] == ["8", "7"]


def test_a_call_in_a_hook_is_not_a_part_of_the_call(remote: Remote, logs: CapturedLogs) -> None:
    def ask(response: Any, *args: Any, **kwargs: Any) -> None:
        requests.get(f"{remote.address}/lines")

    requests.get(f"{remote.address}/echo", slug="outer", hooks={"response": ask})
    assert {entry.path: entry.slug for entry in logs.output_request} == {"/echo": "outer", "/lines": None}


def test_a_call_in_a_hook_by_the_same_session_is_a_call_of_its_own(remote: Remote, logs: CapturedLogs) -> None:
    session = requests.Session()

    def ask(response: Any, *args: Any, **kwargs: Any) -> None:
        if "/echo" in response.url:
            session.get(f"{remote.address}/lines", slug="inner")

    session.get(f"{remote.address}/echo", slug="outer", hooks={"response": ask})
    assert {entry.path: (entry.slug, entry.parent_log) for entry in logs.output_request} == {
        "/echo": ("outer", None),
        "/lines": ("inner", None),
    }


# Bodies


def test_a_stream_is_seen_as_the_site_reads_it(remote: Remote, logs: CapturedLogs) -> None:
    with requests.get(f"{remote.address}/chunked", stream=True) as response:
        assert only(logs).stop is None
        chunks = response.iter_content(4)
        assert next(chunks) == b"one,"
        assert only(logs).stop is None
        assert b"".join(chunks) == b"two,three"
    assert (only(logs).response_body, only(logs).state) == ("one,two,three", RequestLogState.INFO)


def test_a_stream_that_is_closed_early_is_as_far_as_it_was_read(remote: Remote, logs: CapturedLogs) -> None:
    with requests.get(f"{remote.address}/big?size=1000000", stream=True) as response:
        next(response.iter_content(10))
    assert (only(logs).response_body, only(logs).state) == ("x" * 10, RequestLogState.INFO)


@pytest.mark.parametrize("reads", [False, True])
@override_settings(SECURITY_BACKENDS=[])
def test_a_stream_that_is_dropped_is_completed(reads: bool, remote: Remote, logs: CapturedLogs) -> None:
    response = requests.get(f"{remote.address}/big?size=1000000", stream=True)
    if reads:
        next(response.iter_content(10))
    del response
    gc.collect()
    wait_until(lambda: only(logs).stop, "the end of the stream")
    assert only(logs).state is RequestLogState.INFO
    assert only(logs).response_code == 200


def test_a_generator_is_seen_while_it_is_sent(remote: Remote, logs: CapturedLogs) -> None:
    made = []

    def generated() -> Iterator[bytes]:
        for number in range(3):
            made.append(number)
            yield b"%d," % number

    requests.post(f"{remote.address}/echo", data=generated(), headers={"Content-Type": "text/csv"})
    assert made == [0, 1, 2]
    assert logs.output_request_started[0].request_body == ""
    assert only(logs).request_body == "0,1,2,"


@pytest.mark.parametrize("path", ["/gzip", "/bomb?size=50000000"])
def test_a_compressed_body_is_seen_unpacked_and_bounded(path: str, remote: Remote, logs: CapturedLogs) -> None:
    with requests.get(remote.address + path, stream=True) as response:
        while response.raw.read(65_536):
            pass
    body = only(logs).response_body
    assert len(body) <= 1000
    assert path != "/gzip" or body == '{"token": "[Filtered]", "text": "unpacked"}'


def test_the_libraries_own_unpacking_is_what_is_seen(remote: Remote, logs: CapturedLogs) -> None:
    assert requests.get(f"{remote.address}/gzip").json()["text"] == "unpacked"
    assert only(logs).response_body == '{"token": "[Filtered]", "text": "unpacked"}'


# Failures


def test_a_host_that_does_not_resolve_is_recorded_with_its_error(logs: CapturedLogs) -> None:
    with pytest.raises(plain.ConnectionError):
        requests.get("http://no-such-host.invalid/a?token=secret")
    entry = only(logs)
    assert (entry.host, entry.path, entry.response_code) == ("no-such-host.invalid", "/a", None)
    assert entry.state is RequestLogState.ERROR
    assert "NameResolutionError" in entry.error_message
    assert "secret" not in entry.error_message


def test_an_untrusted_certificate_is_recorded_with_its_error(logs: CapturedLogs) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with remote_service(context) as remote, pytest.raises(plain.exceptions.SSLError):
        requests.get(f"{remote.address}/echo")
    assert (only(logs).state, only(logs).is_secure) == (RequestLogState.ERROR, True)
    assert "CERTIFICATE_VERIFY_FAILED" in only(logs).error_message


def test_a_timeout_is_recorded_with_its_error(remote: Remote, logs: CapturedLogs) -> None:
    with pytest.raises(plain.ReadTimeout):
        requests.get(f"{remote.address}/silence", timeout=0.05)
    assert "ReadTimeout" in only(logs).error_message


def test_a_reset_in_mid_body_keeps_what_had_come(remote: Remote, logs: CapturedLogs) -> None:
    with pytest.raises(plain.exceptions.ChunkedEncodingError):
        requests.get(f"{remote.address}/reset")
    entry = only(logs)
    assert (entry.state, entry.response_code) == (RequestLogState.ERROR, 200)
    assert re.search("ProtocolError|IncompleteRead|ConnectionReset", entry.error_message)
    with (
        requests.get(f"{remote.address}/reset", stream=True) as response,
        pytest.raises(plain.exceptions.ChunkedEncodingError),
    ):
        list(response.iter_content(5))
    # The library keeps the piece that broke off to itself.
    assert logs.output_request[1].response_body == "the beginn"


@pytest.mark.parametrize("url", ["nonsense", "http://", "http://[", "ftp://example.com/a", "http://a b/"])
def test_an_address_that_is_none_is_recorded_with_its_error(url: str, logs: CapturedLogs) -> None:
    with pytest.raises(plain.RequestException):
        requests.get(url, slug="bad")
    assert (only(logs).state, only(logs).slug) == (RequestLogState.ERROR, "bad")


def test_a_body_that_cannot_be_sent_twice_is_recorded(remote: Remote, logs: CapturedLogs) -> None:
    class Broken:
        """Says where it is, and cannot go back."""

        def __init__(self) -> None:
            self.left = [b"a,b", b""]

        def read(self, size: int) -> bytes:
            return self.left.pop(0) if self.left else b""

        def __iter__(self) -> Iterator[bytes]:
            return iter(self.left)

        def tell(self) -> int:
            raise OSError("no position")

    body = Broken()
    with pytest.raises(plain.exceptions.UnrewindableBodyError):
        requests.post(f"{remote.address}/redirect?code=307", data=body, headers={"Content-Type": "text/csv"})
    assert (only(logs).request_body, only(logs).response_code) == ("a,b", 307)


@pytest.mark.parametrize("body", [array("B", b"a,b"), memoryview(b"a,b"), bytearray(b"a,b")])
def test_a_body_that_is_a_buffer_is_sent_and_seen(body: Any, remote: Remote, logs: CapturedLogs) -> None:
    headers = {"Content-Type": "text/csv"}
    assert requests.post(f"{remote.address}/echo", data=body, headers=headers).json()["body"] == "a,b"
    assert only(logs).request_body == "a,b"


def test_a_related_object_that_is_not_saved_is_an_error_before_anything_is_sent(
    remote: Remote, logs: CapturedLogs
) -> None:
    before = len(remote.seen)
    for call in (requests.get, requests.Session().get):
        with pytest.raises(ValueError, match=r"Group: unsaved.*save it before"):
            call(f"{remote.address}/echo", related_objects=[Group(name="unsaved")])
    with pytest.raises(TypeError, match="instance of a Django model"):
        requests.get(f"{remote.address}/echo", related_objects=["text"])
    with pytest.raises(TypeError, match=r"write \[group\] for one"):
        requests.get(f"{remote.address}/echo", related_objects=Group(pk=7))
    assert (len(remote.seen), logs.output_request) == (before, [])


def test_a_fault_of_the_logger_is_not_the_sites(
    remote: Remote, logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(exchange, "begin", fail)
    monkeypatch.setattr(exchange, "complete", fail)
    assert requests.get(f"{remote.address}/echo").status_code == 200
    assert logs.output_request == []
    assert "the site goes on" in caplog.text
    # The tracebacks in the log keep the response, which must not outlive the fault.
    caplog.clear()
    gc.collect()


@pytest.mark.parametrize("part", ["calls.OutputExchange", "requests_session.watched_request_body"])
def test_a_request_that_cannot_be_recorded_is_sent_as_it_is(
    part: str, remote: Remote, logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(f"security.sources.output_requests.{part}", fail)
    assert requests.post(f"{remote.address}/echo", data=iter([b"a", b"b"])).json()["body"] == "ab"
    assert logs.output_request == []
    assert "it is sent" in caplog.text
    with pytest.raises(plain.exceptions.InvalidURL):
        requests.get("http://")


def test_a_short_query_hides_no_letter_of_an_error(logs: CapturedLogs) -> None:
    with pytest.raises(plain.ConnectionError):
        requests.get("http://e:r@no-such-host.invalid/path?a")
    message = str(only(logs).error_message)
    assert "Traceback" in message
    assert "/path?a" not in message


def test_an_address_with_a_password_hides_it(remote: Remote, logs: CapturedLogs) -> None:
    requests.get(remote.address.replace("//", "//user:pass@") + "/basic")
    assert only(logs).host == remote.host
    assert only(logs).response_code == 200
    with pytest.raises(plain.ConnectionError):
        requests.get("http://user:pa55@no-such-host.invalid/")
    assert "pa55" not in str(logs.output_request[1].values)


# The documented line


def lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == LOGGER]


def test_the_documented_line_is_logged(remote: Remote, logs: CapturedLogs, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    requests.get(f"{remote.address}/status?code=404", slug='a"b\n')
    entry = only(logs)
    times = f'"{entry.start.isoformat()}" "{entry.stop.isoformat()}" "{entry.time}"'
    assert lines(caplog) == [f'{times} "404" "{remote.host}" "/status" "GET" "a\\"b\\n"']
    with pytest.raises(plain.ConnectionError):
        requests.get("http://no-such-host.invalid/")
    assert lines(caplog)[1].endswith('"" "no-such-host.invalid" "/" "GET" ""')


@override_settings(SECURITY_LOG_OUTPUT_REQUESTS=False)
def test_the_documented_line_can_be_turned_off(
    remote: Remote, logs: CapturedLogs, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    requests.get(f"{remote.address}/echo")
    assert lines(caplog) == []
    assert only(logs).kind is LoggerName.OUTPUT_REQUEST


def test_cookies_are_recorded_one_by_one(remote: Remote, logs: CapturedLogs) -> None:
    requests.get(f"{remote.address}/two_cookies")
    assert only(logs).response_headers["Set-Cookie"] == [
        "a=[Filtered]; Path=/",
        "b=[Filtered]; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Path=/",
    ]
