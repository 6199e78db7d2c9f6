"""Seeing the bodies of httpx pass: as lazy as they are, chunk by chunk, up to the bound."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx

from security.body import Beginning
from security.delivery import adeliver, deliver

from .dropping import complete_when_dropped
from .exchange import OutputExchange


class _RequestStream(httpx.SyncByteStream):
    """A request body that is seen while it is sent."""

    def __init__(self, stream: httpx.SyncByteStream, beginning: Beginning) -> None:
        self._stream = stream
        self._beginning = beginning

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._stream:
            self._beginning.add(chunk)
            yield chunk

    def close(self) -> None:
        self._stream.close()


class _AsyncRequestStream(httpx.AsyncByteStream):
    """A request body that is seen while it is sent."""

    def __init__(self, stream: httpx.AsyncByteStream, beginning: Beginning) -> None:
        self._stream = stream
        self._beginning = beginning

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._beginning.add(chunk)
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _EitherRequestStream(_RequestStream, _AsyncRequestStream):  # type: ignore[misc]  # of one stream
    """A request body that either client can send."""

    def __init__(self, stream: Any, beginning: Beginning) -> None:
        self._stream = stream
        self._beginning = beginning


def watched_request_stream(request: httpx.Request, beginning: Beginning) -> Any:
    """Note the body of a request, or give the stream that is to be sent in its stead and notes it then."""
    stream = request.stream
    try:
        content = request.content
    except httpx.RequestNotRead:
        if isinstance(stream, httpx.AsyncByteStream) and not isinstance(stream, httpx.SyncByteStream):
            return _AsyncRequestStream(stream, beginning)
        if isinstance(stream, httpx.AsyncByteStream):
            # A form with files can be sent by either client.
            return _EitherRequestStream(stream, beginning)
        return _RequestStream(stream, beginning)
    beginning.add(memoryview(content))
    return stream


class _ResponseStream(httpx.SyncByteStream):
    """A response body that is seen as the site reads it; its end completes the record."""

    def __init__(self, stream: httpx.SyncByteStream, exchange: OutputExchange) -> None:
        self._stream = stream
        self._exchange = exchange

    def __iter__(self) -> Iterator[bytes]:
        try:
            for chunk in self._stream:
                self._exchange.response_body.add(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            deliver(self._exchange.fail(error))
            raise
        deliver(self._exchange.finish())

    def close(self) -> None:
        try:
            self._stream.close()
        finally:
            deliver(self._exchange.finish())


class _AsyncResponseStream(httpx.AsyncByteStream):
    """A response body that is seen as the site reads it; its end completes the record."""

    def __init__(self, stream: httpx.AsyncByteStream, exchange: OutputExchange) -> None:
        self._stream = stream
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                self._exchange.response_body.add(chunk)
                yield chunk
        except GeneratorExit:
            raise
        except BaseException as error:
            await adeliver(self._exchange.fail(error))
            raise
        await adeliver(self._exchange.finish())

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await adeliver(self._exchange.finish())


def watch_response_stream(response: httpx.Response, exchange: OutputExchange) -> bool:
    """Let the record be completed when the body has been read, or is closed or dropped; False if it is there now."""
    content = vars(response).get("_content")
    if content is not None:
        # A transport of the site's own made the response as a whole.
        exchange.response_body.add(memoryview(content))
        return False
    exchange.response_encoding = response.headers.get("Content-Encoding", "")
    stream: Any = response.stream
    watched: Any = (
        _AsyncResponseStream(stream, exchange)
        if isinstance(stream, httpx.AsyncByteStream)
        else _ResponseStream(stream, exchange)
    )
    response.stream = watched
    complete_when_dropped(watched, exchange)
    return True
