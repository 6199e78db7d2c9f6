"""What a piece of running code prints, seen without touching how it is printed.

Only the method `write` of a stream is watched, on the stream itself: it stays the same object, a terminal stays one,
and who took hold of it earlier (Django's `OutputWrapper`, a handler of `logging`) is seen as well. What goes round that
method is not: bytes written to `sys.stdout.buffer`, the output of other programs, a prompt that a terminal shows.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from contextvars import ContextVar, Token
from threading import Lock, RLock, get_ident
from time import monotonic
from typing import Any, Final

from django.core.management.base import OutputWrapper

from security.config import settings

from .text import TextTail

_open: Final[ContextVar[tuple[OutputCapture, ...]]] = ContextVar("security_open_captures", default=())


class OutputCapture:
    """The end of what is written to some streams while it is open.

    It takes what the code that opened it writes, and of a whole process (`everywhere`) what its other threads write.
    `on_growth` is called each SECURITY_LOG_STRING_IO_FLUSH_TIMEOUT seconds, by the writing that comes next.
    """

    def __init__(self, on_growth: Callable[[], None], *, everywhere: bool = False) -> None:
        self._on_growth = on_growth
        self._everywhere = everywhere
        self._text = TextTail(settings.LOG_STRING_OUTPUT_TRUNCATE_LENGTH, settings.LOG_STRING_OUTPUT_TRUNCATE_OFFSET)
        # A signal handler can ask for the text in the middle of a writing.
        self._lock = RLock()
        self._streams: list[_WatchedStream] = []
        self._token: Token[tuple[OutputCapture, ...]] | None = None
        self._flushed = monotonic()
        self._flushing_thread: int | None = None

    @property
    def text(self) -> str:
        with self._lock:
            return str(self._text)

    def open(self, streams: Iterable[Any]) -> None:
        self._token = _open.set((*_open.get(), self))
        for stream in _distinct(streams):
            watched = _watch(stream, self)
            if watched is not None:
                self._streams.append(watched)

    def close(self) -> None:
        for watched in self._streams:
            _unwatch(watched, self)
        self._streams = []
        if self._token is not None:
            _open.reset(self._token)
            self._token = None

    def take(self, text: Any) -> None:
        """Note what was written; what storing it prints in its turn is not part of it."""
        if self._flushing_thread == get_ident() or not (self._everywhere or self in _open.get()):
            return
        if not isinstance(text, str):
            return
        with self._lock:
            self._text.add(text)
            if self._flushing_thread is not None or monotonic() - self._flushed < settings.LOG_STRING_IO_FLUSH_TIMEOUT:
                return
            self._flushing_thread = get_ident()
        try:
            self._on_growth()
        finally:
            self._flushed = monotonic()
            self._flushing_thread = None


class _WatchedStream:
    """A stream whose `write` also tells the captures that are open."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.captures: tuple[OutputCapture, ...] = ()
        self._had_own = "write" in getattr(stream, "__dict__", {})
        self._write = stream.write
        self._hook: Callable[[Any], Any] | None = None

    def attach(self) -> bool:
        write = self._write

        def write_and_tell(text: Any) -> Any:
            written = write(text)
            for capture in self.captures:
                # A complaint would be written to the same stream.
                with suppress(Exception):
                    capture.take(text)
            return written

        self._hook = write_and_tell
        try:
            # In the stream itself: what takes the place of a stream hands on to that what is set, and then the hook
            # would call itself.
            vars(self.stream)["write"] = write_and_tell
            if self.stream.write is write_and_tell:
                return True
        except Exception:  # noqa: S110 a stream that does not let itself be watched is not
            pass
        with suppress(Exception):
            self.detach()
        return False

    def detach(self) -> None:
        # Whoever put a method of his own over ours keeps it; with no capture left, ours only passes on.
        if vars(self.stream).get("write") is not self._hook:
            return
        if self._had_own:
            vars(self.stream)["write"] = self._write
        else:
            del vars(self.stream)["write"]


_watched: dict[int, _WatchedStream] = {}
_watched_lock = Lock()


def _watch(stream: Any, capture: OutputCapture) -> _WatchedStream | None:
    with _watched_lock:
        watched = _watched.get(id(stream))
        if watched is None:
            watched = _WatchedStream(stream)
            if not watched.attach():
                return None
            _watched[id(stream)] = watched
        watched.captures = (*watched.captures, capture)
        return watched


def _unwatch(watched: _WatchedStream, capture: OutputCapture) -> None:
    with _watched_lock:
        watched.captures = tuple(other for other in watched.captures if other is not capture)
        if not watched.captures and _watched.get(id(watched.stream)) is watched:
            del _watched[id(watched.stream)]
            watched.detach()


def _distinct(streams: Iterable[Any]) -> Iterable[Any]:
    """Look through Django's wrappers, and take each stream once."""
    found: dict[int, Any] = {}
    for stream in streams:
        while isinstance(stream, OutputWrapper):
            stream = stream._out  # noqa: SLF001 it has no other name
        if stream is not None and callable(getattr(stream, "write", None)):
            found[id(stream)] = stream
    return found.values()


def _forget_captures() -> None:
    # What a forked process prints is no longer the doing of the code that opened the captures.
    global _watched_lock
    _watched_lock = Lock()
    for watched in _watched.values():
        watched.captures = ()
        watched.detach()
    _watched.clear()


os.register_at_fork(after_in_child=_forget_captures)
