"""Seeing a request's body as the site reads it: never before, never more, never otherwise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


class Beginning:
    """The first bytes of what passes by; `bound` is how many are kept at most, None is all of them."""

    __slots__ = ("_kept", "_room")

    def __init__(self, bound: int | None) -> None:
        self._kept = bytearray()
        self._room = bound

    @property
    def is_full(self) -> bool:
        return self._room == 0

    def add(self, chunk: bytes | memoryview) -> None:
        if self._room is None:
            self._kept += chunk
        elif self._room > 0:
            part = chunk[: self._room]
            self._kept += part
            self._room -= len(part)

    def __bytes__(self) -> bytes:
        return bytes(self._kept)


class WatchedStream:
    """The stream of a request's body, behaving as it does, while the beginning of what is read is kept.

    It stands in for `request._stream`, which is what Django reads a body through (`HttpRequest.read`), whether the view
    asks for `body`, `POST`, `FILES`, or reads by itself.
    """

    __slots__ = ("_stream", "beginning", "broke")

    def __init__(self, stream: Any, bound: int | None) -> None:
        self._stream = stream
        self.beginning = Beginning(bound)
        self.broke = False
        """Whether the client went away before its body was read."""

    def read(self, *args: Any, **kwargs: Any) -> Any:
        return self._seen(self._stream.read, args, kwargs)

    def readline(self, *args: Any, **kwargs: Any) -> Any:
        return self._seen(self._stream.readline, args, kwargs)

    def readlines(self, *args: Any, **kwargs: Any) -> Any:
        lines = self._stream.readlines(*args, **kwargs)
        self._note_all(lines)
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
        return getattr(self._stream, name)

    def _seen(self, read: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        try:
            chunk = read(*args, **kwargs)
        except OSError:
            self.broke = True
            raise
        self._note(chunk)
        return chunk

    def _note_all(self, chunks: Iterable[Any]) -> None:
        for chunk in chunks:
            self._note(chunk)

    def _note(self, chunk: Any) -> None:
        if isinstance(chunk, bytes) and not self.beginning.is_full:
            self.beginning.add(chunk)
