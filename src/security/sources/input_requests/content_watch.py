"""Seeing a streaming response pass: as lazy as it is, chunk by chunk, until it ends or the client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from enum import Enum, auto
from typing import Any

from security.context import inside
from security.records import Record

from .body_watch import Beginning


class Ending(Enum):
    """How a stream ended."""

    EXHAUSTED = auto()
    FAILED = auto()
    """The site's own code raised an exception while it made the content."""
    ABANDONED = auto()
    """It was closed, or its task cancelled, before its end."""


End = Callable[[Ending, BaseException | None], None]
AsyncEnd = Callable[[Ending, BaseException | None], Awaitable[None]]


class WatchedContent(Iterator[bytes]):
    """The chunks of a synchronous streaming response; `end` may be called again, and then means nothing."""

    def __init__(self, chunks: Iterator[bytes], record: Record, beginning: Beginning, end: End) -> None:
        self._chunks = chunks
        self._record = record
        self._beginning = beginning
        self._end = end
        self.has_begun = False

    def __next__(self) -> bytes:
        self.has_begun = True
        try:
            with inside(self._record):
                chunk = next(self._chunks)
        except StopIteration:
            self._end(Ending.EXHAUSTED, None)
            raise
        except BaseException as error:
            self._end(Ending.FAILED, error)
            raise
        self._beginning.add(chunk)
        return chunk

    def close(self) -> None:
        """Django calls this when the response is closed, whether it was sent or not."""
        self._end(Ending.ABANDONED, None)


class WatchedAsyncContent(AsyncIterator[bytes]):
    """The chunks of an asynchronous streaming response; the ends may be called again, and then mean nothing."""

    def __init__(
        self,
        chunks: AsyncIterator[bytes],
        record: Record,
        beginning: Beginning,
        end: End,
        end_async: AsyncEnd,
    ) -> None:
        self._chunks = chunks
        self._record = record
        self._beginning = beginning
        self._end = end
        self._end_async = end_async
        self.has_begun = False

    async def __anext__(self) -> bytes:
        self.has_begun = True
        try:
            with inside(self._record):
                chunk = await anext(self._chunks)
        except StopAsyncIteration:
            await self._end_async(Ending.EXHAUSTED, None)
            raise
        except (asyncio.CancelledError, GeneratorExit) as error:
            await self._end_async(Ending.ABANDONED, error)
            raise
        except BaseException as error:
            await self._end_async(Ending.FAILED, error)
            raise
        self._beginning.add(chunk)
        return chunk

    async def aclose(self) -> None:
        """Close the site's own iterator, where it can be closed."""
        await self._end_async(Ending.ABANDONED, None)
        aclose: Any = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()

    def close(self) -> None:
        """Django calls this, in a thread, when the response is closed."""
        self._end(Ending.ABANDONED, None)
