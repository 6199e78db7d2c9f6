"""One attempt to write, and what becomes of its failure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from security.backends.base import EntriesRefusedError, TransactionalWriter, Writer
from security.config import settings
from security.delivery.health import health_of
from security.records import Entry


class Batch(NamedTuple):
    """Entries for one backend."""

    name: str
    writer: Writer
    entries: Sequence[Entry]
    waited: Sequence[Entry] = ()
    """What waited already, and would wait on if it were not taken along."""
    wait_on: Callable[[Batch], bool] | None = None
    """Lets a batch wait on; False where it cannot any more."""


def write_all(batches: Sequence[Batch]) -> None:
    """Write to each backend; what one does hurts neither the caller nor the others."""
    for batch in batches:
        _write(batch, batch.writer.write)


def write_all_apart(batches: Sequence[Batch]) -> None:
    """Do as `write_all`, in a thread of the library, and leave no connection behind."""
    for batch in batches:
        writer = batch.writer
        _write(batch, writer.write_apart if isinstance(writer, TransactionalWriter) else writer.write)


async def awrite(name: str, writer: Writer, entries: Sequence[Entry]) -> bool:
    """Write to a backend in the event loop; gives False where a thread has to do it."""
    health = health_of(name)
    if health.is_paused():
        health.note_skipped(len(entries))
        return True
    began = perf_counter()
    try:
        is_stored = await writer.awrite(entries)
    except Exception as error:  # a logger's fault is never the site's
        health.note_loss(len(entries), error, seconds=perf_counter() - began)
        if settings.RAISE_WRITER_EXCEPTIONS:
            raise
        return True
    if is_stored:
        health.note_success()
    return is_stored


def _write(batch: Batch, write: Callable[[Sequence[Entry]], None]) -> None:
    health = health_of(batch.name)
    if health.is_paused():
        health.note_skipped(_lost(batch))
        return
    began = perf_counter()
    try:
        write([*batch.waited, *batch.entries] if batch.waited else batch.entries)
    except Exception as error:  # a logger's fault is never the site's
        note_failure(batch, error, seconds=perf_counter() - began)
    else:
        health.note_success()


def note_failure(batch: Batch, error: Exception, *, seconds: float = 0.0) -> None:
    """Count what is lost of a batch, and say why; raises the error where the site asks for it.

    `seconds` is what the attempt took.
    """
    health = health_of(batch.name)
    if isinstance(error, EntriesRefusedError):
        health.note_refusals(error.causes)
    else:
        health.note_loss(_lost(batch), error, seconds=seconds)
    if settings.RAISE_WRITER_EXCEPTIONS:
        raise error


def _lost(batch: Batch) -> int:
    """Count what is lost of a batch that is not written: what waited and can wait on is not."""
    if batch.wait_on is not None and batch.wait_on(batch):
        return len(batch.entries)
    return len(batch.waited) + len(batch.entries)
