"""What is recorded of responses whose content is made while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.http import HttpRequest, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.test import AsyncClient, AsyncRequestFactory, Client
from django.urls import include, path

from security import recording
from security.backends.testing import CapturedLogs, capture_security_logs
from security.enums import RequestLogState
from security.middleware import LogMiddleware
from security.records import OutputRequestRecord

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


async def waits(request: HttpRequest) -> StreamingHttpResponse:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"one,"
        await asyncio.Event().wait()

    return StreamingHttpResponse(chunks(), content_type="text/csv")


class OwnRows(StreamingHttpResponse):
    """Sends what Django does not know of."""

    def __iter__(self) -> Iterator[bytes]:
        return iter((b"one,", b"two"))


class OwnContent(StreamingHttpResponse):
    """Makes its content when it is asked for, each time."""

    def __init__(self) -> None:
        HttpResponseBase.__init__(self)

    is_async = False
    streaming_content = property(  # type: ignore[assignment]
        lambda self: iter((b"one,", b"two")), StreamingHttpResponse.streaming_content.fset
    )


class Counted(StreamingHttpResponse):
    """Looks at what Django sends, and sends it."""

    def __iter__(self) -> Iterator[bytes]:
        yield from super().__iter__()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in super().__aiter__():
            yield chunk


def breaks() -> Iterator[bytes]:
    yield b"one,"
    raise ValueError("broken in the middle")


async def breaks_async() -> AsyncIterator[bytes]:
    yield b"one,"
    raise ValueError("broken in the middle")


urlpatterns = [
    path("counted/", lambda request: Counted([b"one,", b"two"], content_type="text/csv")),
    path("counted/breaks/", lambda request: Counted(breaks(), content_type="text/csv")),
    path("counted/breaks-async/", lambda request: Counted(breaks_async(), content_type="text/csv")),
    path("waits/", waits),
    path("own-rows/", lambda request: OwnRows()),
    path("own-content/", lambda request: OwnContent()),
    path("", include("tests.site.urls")),
]


def only(logs: CapturedLogs) -> Any:
    (entry,) = logs.input_request
    return entry


def consume_sync(address: str) -> None:
    b"".join(Client().get(address))


@async_to_sync
async def consume_async(address: str) -> None:
    async for _ in await AsyncClient().get(address):
        pass


@pytest.mark.parametrize(
    ("consume", "address"),
    [
        (consume_sync, "/stream/"),
        (consume_async, "/stream-async/"),
        (consume_sync, "/stream-async/"),
        (consume_async, "/stream/"),
    ],
)
def test_a_stream_is_recorded_when_it_ends(consume: Callable[[str], None], address: str) -> None:
    with capture_security_logs() as logs:
        if (consume is consume_sync) == address.endswith("async/"):
            with pytest.warns(Warning, match="StreamingHttpResponse must consume"):
                consume(address)
        else:
            consume(address)
    entry = only(logs)
    assert (entry.response_body, entry.response_code, entry.state) == ("one,two,three", 200, RequestLogState.INFO)


def test_a_stream_is_not_complete_before_it_ends_and_only_its_first_end_counts(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with capture_security_logs() as logs:
        response = Client().get("/stream/")
        chunks = iter(response)
        assert next(chunks) == b"one,"
        assert only(logs).state is RequestLogState.INCOMPLETE
        assert list(chunks) == [b"two,", b"three"]
        assert only(logs).state is RequestLogState.INFO
        response.close()
    assert len(logs.input_request_finished) == 1
    assert [record for record in caplog.records if record.name == "security"] == []


def test_a_stream_that_is_closed_before_its_end_says_so() -> None:
    with capture_security_logs() as logs:
        response = Client().get("/stream/")
        next(iter(response))
        response.close()
    entry = only(logs)
    assert (entry.state, entry.response_body) == (RequestLogState.ABORTED, "one,")
    assert "client went away" in entry.error_message


def test_the_answer_to_a_head_request_has_no_content_to_wait_for() -> None:
    with capture_security_logs() as logs:
        Client().head("/stream/").close()
    assert (only(logs).state, only(logs).error_message) == (RequestLogState.INFO, None)


def test_a_stream_that_breaks_is_an_error_with_its_traceback() -> None:
    with capture_security_logs() as logs, pytest.raises(ValueError, match="the stream broke"):
        Client().get("/broken-stream/").getvalue()
    entry = only(logs)
    assert (entry.state, entry.response_code) == (RequestLogState.ERROR, 200)
    assert entry.error_message.endswith("ValueError: the stream broke\n")


async def test_a_stream_whose_task_is_cancelled_was_left_by_its_client() -> None:
    with capture_security_logs() as logs:
        response = await AsyncClient().get("/waits/")
        chunks = aiter(response)
        assert await anext(chunks) == b"one,"
        rest = asyncio.ensure_future(anext(chunks))
        # It goes as far as it comes.
        await asyncio.sleep(0)
        rest.cancel()
        with pytest.raises(asyncio.CancelledError):
            await rest
    entry = only(logs)
    assert (entry.state, entry.response_body) == (RequestLogState.ABORTED, "one,")
    assert "client went away" in entry.error_message


async def test_a_stream_that_is_closed_closes_the_iterator_of_the_site() -> None:
    closed = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"one,"
            yield b"two"
        finally:
            closed.set()

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks(), content_type="text/csv")

    with capture_security_logs() as logs:
        response: Any = await LogMiddleware(view)(AsyncRequestFactory().get("/"))
        # The iterator that a middleware around the log's takes over
        content = response._iterator
        assert await anext(content) == b"one,"
        await content.aclose()
        await asyncio.wait_for(closed.wait(), 10)
    assert (only(logs).state, only(logs).response_body) == (RequestLogState.ABORTED, "one,")


async def test_what_an_async_stream_does_has_the_request_as_its_parent() -> None:
    async def chunks() -> AsyncIterator[str]:
        (child,) = recording.begin(OutputRequestRecord())
        yield child.parent_log

    async def view(request: HttpRequest) -> StreamingHttpResponse:
        return StreamingHttpResponse(chunks())

    with capture_security_logs() as logs:
        response: Any = await LogMiddleware(view)(AsyncRequestFactory().get("/"))
        content = [chunk async for chunk in response]
    assert content == [f"input-request|{only(logs).id}".encode()]


def test_a_file_is_recorded_when_its_response_is_closed() -> None:
    with capture_security_logs() as logs:
        response = Client().get("/download/")
        response.getvalue()
        response.close()
    assert (only(logs).state, only(logs).response_code) == (RequestLogState.INFO, 200)


@pytest.mark.parametrize("address", ["/own-rows/", "/own-content/"])
def test_a_stream_that_the_site_makes_in_its_own_way_is_recorded_when_it_is_closed(address: str) -> None:
    with capture_security_logs() as logs:
        response = Client().get(address)
        assert b"".join(response) == b"one,two"
        response.close()
    assert (only(logs).state, only(logs).response_body) == (RequestLogState.INFO, "")


def test_a_stream_that_passes_through_a_subclass_is_recorded_as_any_other() -> None:
    with capture_security_logs() as logs:
        response = Client().get("/counted/")
        assert b"".join(response) == b"one,two"
        response.close()
    assert (only(logs).state, only(logs).response_body) == (RequestLogState.INFO, "one,two")


@pytest.mark.parametrize(
    ("consume", "address"), [(consume_sync, "/counted/breaks/"), (consume_async, "/counted/breaks-async/")]
)
def test_a_stream_that_breaks_in_a_subclass_is_an_error_with_its_traceback(
    consume: Callable[[str], None], address: str
) -> None:
    with capture_security_logs() as logs, pytest.raises(ValueError, match="broken in the middle"):
        consume(address)
    assert only(logs).state is RequestLogState.ERROR
    assert "broken in the middle" in only(logs).error_message


def test_a_stream_that_cannot_be_watched_is_sent_and_recorded_when_it_is_closed(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("security.sources.input_requests.middleware.WatchedContent", None)
    with capture_security_logs() as logs:
        response = Client().get("/stream/")
        assert b"".join(response)
        response.close()
    assert (only(logs).state, only(logs).response_code) == (RequestLogState.INFO, 200)
    assert "could not be watched" in caplog.text


def test_a_file_whose_client_went_away_was_not_sent() -> None:
    def send(response: Any) -> None:
        try:
            raise BrokenPipeError
        finally:
            response.close()

    with capture_security_logs() as logs:
        response = Client().get("/download/")
        with pytest.raises(BrokenPipeError):
            send(response)
    entry = only(logs)
    assert (entry.state, entry.response_code) == (RequestLogState.ABORTED, 200)
    assert "client went away" in entry.error_message
