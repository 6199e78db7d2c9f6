"""Seeing a request's body as the site reads it: never before, never more, never otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from security.body import Beginning

__all__ = ["Beginning", "WatchedStream"]


class WatchedStream:
    """The stream of a request's body, behaving as it does, while the beginning of what is read is kept.

    It stands in for `request._stream`, which is what Django reads a body through (`HttpRequest.read`), whether the view
    asks for `body`, `POST`, `FILES`, or reads by itself. `announced` is how many bytes the client said it would send.
    """

    __slots__ = ("_announced", "_broke", "_has_ended", "_length", "_stream", "beginning")

    def __init__(self, stream: Any, bound: int | None, announced: int = 0) -> None:
        self._stream = stream
        self._announced = announced
        self._length = 0
        self._has_ended = False
        self._broke = False
        self.beginning = Beginning(bound)

    @property
    def was_read(self) -> bool:
        """Whether anything of the body was read."""
        return self._length > 0

    @property
    def was_cut_off(self) -> bool:
        """Whether the client went away before its whole body was read.

        Servers tell that by an error, or by an early end that looks like any other.
        """
        return self._broke or (self._has_ended and self._length < self._announced)

    def read(self, *args: Any, **kwargs: Any) -> Any:
        rest = self._announced - self._length
        chunk = self._seen(self._stream.read, args, kwargs)
        size = args[0] if args else kwargs.get("size")
        # A stream blocks until it has what was asked for: less than that is the end.
        if size is None or size < 0 or size >= rest:
            self._has_ended = True
        return chunk

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        return self._seen(self._stream.readline, args, kwargs)

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        lines = self._stream.readlines(*args, **kwargs)
        for line in lines:
            self._note(line)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            self._note(line)
            yield line

    def __next__(self) -> Any:
        line = next(self._stream)
        self._note(line)
        return line

    def __getattr__(self, name: str) -> Any:
        if name in self.__slots__ or name.startswith("__"):
            # A copy that is being made has no stream yet.
            raise AttributeError(name)
        return getattr(self._stream, name)

    def _seen(self, read: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            chunk = read(*args, **kwargs)
        except OSError:
            self._broke = True
            raise
        if not chunk and 0 not in args:
            self._has_ended = True
        self._note(chunk)
        return chunk

    def _note(self, chunk: Any) -> None:
        if isinstance(chunk, bytes):
            self._length += len(chunk)
            if not self.beginning.is_full:
                self.beginning.add(chunk)
