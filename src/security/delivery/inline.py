"""Writing entries to the backends before the request goes on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from time import perf_counter

from security.backends.base import EntriesRefusedError, Writer
from security.backends.registry import writers
from security.config import settings
from security.delivery.health import health_of
from security.delivery.threads import arun_blocking, run_blocking
from security.records import Entry

logger = logging.getLogger("security")


def deliver(entries: Sequence[Entry]) -> None:
    """Write entries to every selected backend; what one backend does hurts neither the caller nor the others."""
    if not entries:
        return
    instant, blocking = _split()
    _write_all(instant, entries)
    if blocking:
        run_blocking(_write_all, blocking, entries)


async def adeliver(entries: Sequence[Entry]) -> None:
    """Do as `deliver`, without blocking the event loop."""
    if not entries:
        return
    instant, blocking = _split()
    _write_all(instant, entries)
    if blocking:
        await arun_blocking(_write_all, blocking, entries)


def _split() -> tuple[list[tuple[str, Writer]], list[tuple[str, Writer]]]:
    """Tell the writers that only work in memory from those that wait for another process."""
    instant: list[tuple[str, Writer]] = []
    blocking: list[tuple[str, Writer]] = []
    try:
        found = writers()
    except Exception:  # a logger's fault is never the site's
        logger.exception("The backends could not be found; the site goes on without its log.")
        found = []
    for name, writer in found:
        (blocking if writer.blocks else instant).append((name, writer))
    return instant, blocking


def _write_all(targets: Sequence[tuple[str, Writer]], entries: Sequence[Entry]) -> None:
    for name, writer in targets:
        _write(name, writer, entries)


def _write(name: str, writer: Writer, entries: Sequence[Entry]) -> None:
    health = health_of(name)
    if health.is_paused():
        health.note_skipped(len(entries))
        return
    began = perf_counter()
    try:
        writer.write(entries)
    except Exception as error:  # a logger's fault is never the site's
        if isinstance(error, EntriesRefusedError):
            health.note_loss(len(error.causes), error.causes[0])
        else:
            health.note_loss(len(entries), error, seconds=perf_counter() - began)
        if settings.RAISE_WRITER_EXCEPTIONS:
            raise
    else:
        health.note_success()
