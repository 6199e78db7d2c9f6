"""Seeing the bodies of `requests` pass: as lazy as they are, chunk by chunk, up to the bound."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache, partial
from io import TextIOBase
from typing import Any, Final, cast

from security.body import Beginning
from security.delivery import deliver

from .dropping import complete_soon, complete_when_dropped
from .exchange import OutputExchange

_READING: Final = "_security_reading"


class WatchedFile:
    """A file-like request body that is read as it is sent; everything else about it is its own."""

    def __init__(self, body: Any, beginning: Beginning) -> None:
        self._body = body
        self._beginning = beginning

    def read(self, *args: Any, **kwargs: Any) -> Any:
        chunk = self._body.read(*args, **kwargs)
        _note(self._beginning, chunk)
        return chunk

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._body:
            _note(self._beginning, chunk)
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


class WatchedChunks:
    """A request body that is made while it is sent, by a generator for example."""

    def __init__(self, body: Any, beginning: Beginning) -> None:
        self._body = body
        self._beginning = beginning

    def __iter__(self) -> Iterator[Any]:
        for chunk in self._body:
            _note(self._beginning, chunk)
            yield chunk

    def __getattr__(self, name: str) -> Any:
        return getattr(self._body, name)


def watched_request_body(body: Any, beginning: Beginning) -> Any:
    """Note a body, or give what is to be sent in its stead and notes it then."""
    if body is None:
        return None
    if isinstance(body, str):
        beginning.add(body[: len(body) if beginning.room is None else beginning.room].encode())
        return body
    if isinstance(body, TextIOBase):
        # The library asks for this very type, to encode what it reads.
        return body
    if callable(getattr(body, "read", None)):
        return WatchedFile(body, beginning)
    try:
        content = memoryview(body)
    except TypeError:
        pass
    else:
        # Sent as the bytes that it is; one whose items are no plain bytes and numbers is sent unseen.
        with suppress(TypeError, ValueError):
            beginning.add(content.cast("B"))
        return body
    return WatchedChunks(body, beginning) if hasattr(body, "__iter__") else body


def _note(beginning: Beginning, chunk: Any) -> None:
    if not beginning.is_full and isinstance(chunk, (bytes, str)):
        beginning.add(chunk.encode() if isinstance(chunk, str) else chunk)


def watch_response_body(response: Any, exchange: OutputExchange) -> None:
    """Let the record be completed when the body of a response has been read, or is closed or dropped."""
    raw = response.raw
    if raw is None:
        # An adapter of the site's own made the response as a whole.
        content = vars(response).get("_content")
        _note(exchange.response_body, content)
        deliver(exchange.finish())
        return
    reading = _Reading(exchange, response.headers.get("Content-Encoding", ""))
    try:
        raw.__class__ = _watched(cast(Any, type(raw)))
        vars(raw)[_READING] = reading
    except TypeError:
        # A file of Python's own, from an adapter of the site's.
        response.raw = raw = _WatchedRaw(raw, reading)
    complete_when_dropped(raw, exchange)


class _Reading:
    """How far the body of a response has been read."""

    __slots__ = ("_depth", "_encoding", "_exchange", "_is_raw")

    def __init__(self, exchange: OutputExchange, encoding: str) -> None:
        self._exchange = exchange
        self._encoding = encoding
        self._is_raw = False
        # Methods of the library call each other; what the outermost gives is what the site reads.
        self._depth = 0

    def call(self, method: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Call a method that gives a piece of the body."""
        if self._depth:
            return method(*args, **kwargs)
        chunk = self._step(partial(method, *args, **kwargs))
        size = args[0] if args else kwargs.get("amt", kwargs.get("size"))
        self._see(chunk, has_ended=(not chunk and size != 0) or size is None or size == -1)
        return chunk

    def fill(self, method: Callable[..., Any], buffer: Any) -> Any:
        """Call a method that puts a piece of the body into a buffer."""
        if self._depth:
            return method(buffer)
        size = self._step(partial(method, buffer))
        self._see(bytes(memoryview(buffer).cast("B")[: size or 0]), has_ended=not size)
        return size

    def go_through(self, chunks: Iterator[Any]) -> Iterator[Any]:
        """Go through the pieces of the body."""
        while True:
            try:
                chunk = next(chunks) if self._depth else self._step(partial(next, chunks))
            except StopIteration:
                if not self._depth:
                    self._see(b"", has_ended=True)
                return
            if not self._depth:
                self._see(chunk, has_ended=False)
            yield chunk

    def note_decoding(self, *, is_decoded: bool) -> None:
        if not self._depth:
            self._is_raw = self._is_raw or not is_decoded

    def close(self, method: Callable[..., Any], *, may_be_dropped: bool = False) -> Any:
        """Call a method after which nothing more is read; one that `may_be_dropped` runs while an object is."""
        is_outermost = not self._depth
        self._depth += 1
        try:
            return method()
        finally:
            self._depth -= 1
            if is_outermost and may_be_dropped:
                complete_soon(self._exchange)
            elif is_outermost:
                self._end()

    def _step(self, step: Callable[[], Any]) -> Any:
        self._depth += 1
        try:
            return step()
        except StopIteration:
            raise
        except BaseException as error:
            deliver(self._exchange.fail(error))
            raise
        finally:
            self._depth -= 1

    def _see(self, chunk: Any, *, has_ended: bool) -> None:
        _note(self._exchange.response_body, chunk)
        if has_ended:
            self._end()

    def _end(self) -> None:
        if not self._exchange.has_ended:
            self._exchange.response_encoding = self._encoding if self._is_raw else ""
            deliver(self._exchange.finish())


@lru_cache(maxsize=64)
def _watched(raw_class: Any) -> type[Any]:
    """Give a class that is like `raw_class`, and notes what is read.

    The object itself stays what it is, to those who look at its type, and to those who wait for it to be dropped.
    """

    def readinto(self: Any, buffer: Any) -> Any:
        return vars(self)[_READING].fill(partial(raw_class.readinto, self), buffer)

    def close(self: Any) -> Any:
        # Python's files are closed when they are dropped, and say so.
        is_dropped = bool(vars(self).get("_finalizing"))
        return vars(self)[_READING].close(partial(raw_class.close, self), may_be_dropped=is_dropped)

    def release_conn(self: Any) -> Any:
        # The library calls it for a generator that is dropped, too.
        return vars(self)[_READING].close(partial(raw_class.release_conn, self), may_be_dropped=True)

    def reading_of(raw: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> _Reading:
        reading: _Reading = vars(raw)[_READING]
        decode = args[1] if len(args) > 1 else kwargs.get("decode_content")
        reading.note_decoding(is_decoded=bool(getattr(raw, "decode_content", False) if decode is None else decode))
        return reading

    def pieces_of(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            return reading_of(self, args, kwargs).call(partial(getattr(raw_class, name), self), args, kwargs)

        return method

    def chunks_of(name: str) -> Callable[..., Any]:
        def method(self: Any, *args: Any, **kwargs: Any) -> Iterator[Any]:
            chunks = getattr(raw_class, name)(self, *args, **kwargs)
            return reading_of(self, args, kwargs).go_through(chunks)

        return method

    methods: dict[str, Any] = {
        "read": pieces_of("read"),
        "read1": pieces_of("read1"),
        "stream": chunks_of("stream"),
        "read_chunked": chunks_of("read_chunked"),
        "readinto": readinto,
        "close": close,
        "release_conn": release_conn,
    }
    own = {name: method for name, method in methods.items() if hasattr(raw_class, name)}
    return type(
        raw_class.__name__, (raw_class,), {**own, "__module__": raw_class.__module__, "__doc__": raw_class.__doc__}
    )


class _WatchedRaw:
    """A body whose class cannot be changed."""

    def __init__(self, raw: Any, reading: _Reading) -> None:
        self._raw = raw
        self._reading = reading

    def read(self, *args: Any, **kwargs: Any) -> Any:
        return self._reading.call(self._raw.read, args, kwargs)

    def close(self) -> Any:
        return self._reading.close(self._raw.close)

    def release_conn(self) -> Any:
        return self._reading.close(getattr(self._raw, "release_conn", lambda: None))

    def __iter__(self) -> Iterator[Any]:
        return self._reading.go_through(iter(self._raw))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._raw, name)
