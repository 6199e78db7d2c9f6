"""What is going on: the records that are open around the running code, innermost last."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from security.records import Record

_open: Final[ContextVar[tuple[Record, ...]]] = ContextVar("security_open_records", default=())


def parent_of(record: Record) -> Record | None:
    """Give the innermost open record around `record` that is stored."""
    return next((other for other in reversed(_open.get()) if other is not record and other.is_recorded), None)


@contextmanager
def inside(record: Record) -> Iterator[None]:
    """Make `record` the parent of the records that begin in this block."""
    token = _open.set((*_open.get(), record))
    try:
        yield
    finally:
        _open.reset(token)
