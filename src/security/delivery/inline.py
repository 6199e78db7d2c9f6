"""Writing entries to the backends before the request goes on."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from threading import current_thread, main_thread
from typing import Final

from security.backends.base import TransactionalWriter, Writer
from security.backends.registry import writers
from security.config import settings
from security.context import Scope, is_bound, outermost
from security.delivery import waiting
from security.delivery.leftovers import leave_behind
from security.delivery.patience import awrite_in_time, counts_of, write_in_time, write_without_waiting
from security.delivery.threads import (
    NotDoneInTimeError,
    is_in_event_loop,
    is_own_thread,
    is_under_asgi_server,
    run_apart,
)
from security.delivery.writing import Batch, awrite, note_failure, write_all, write_all_apart
from security.faults import log_fault
from security.records import RECORD_TYPES, Entry

_Targets = Sequence[tuple[str, Writer]]


class _Fence:
    """Keeps what goes wrong on the way to the backends from the site, unless it asks for it."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception) or settings.RAISE_WRITER_EXCEPTIONS:
            return False
        log_fault("Log entries could not be written; the site goes on without them.")
        return True


_fence: Final = _Fence()


def deliver(entries: Sequence[Entry]) -> None:
    """Write entries to every selected backend; what one backend does hurts neither the caller nor the others.

    Entries that an open transaction of the site could take with it wait for the end of their outermost scope.
    """
    if not entries:
        return
    with _fence:
        blocking = _write_instantly(entries)
        if not blocking:
            return
        if is_in_event_loop():
            new = [Batch(name, writer, entries) for name, writer in blocking]
            _write_from_event_loop(_joined([*waiting.ended_with(entries), *new]))
            return
        due = _due(blocking, entries)
        if due and _would_leave_connection(due):
            write_all_apart(due)
        elif due:
            write_in_time(due)


async def adeliver(entries: Sequence[Entry]) -> None:
    """Do as `deliver`, without blocking the event loop."""
    if not entries:
        return
    with _fence:
        blocking = _write_instantly(entries)
        if is_under_asgi_server() and not waiting.goes_along_with(entries):
            blocking = await _write_in_event_loop(blocking, entries)
        if blocking:
            await awrite_in_time(lambda: {name: len(entries) for name, _ in blocking}, _write_due, blocking, entries)


async def _write_in_event_loop(targets: _Targets, entries: Sequence[Entry]) -> list[tuple[str, Writer]]:
    """Write to backends in the event loop; gives those that a thread has to write to."""
    left = list(targets)
    try:
        for name, writer in targets:
            if await awrite(name, writer, entries):
                left.remove((name, writer))
    except CancelledError:
        # As with a thread, what was begun is ended.
        with suppress(NotDoneInTimeError):
            write_without_waiting(lambda: {name: len(entries) for name, _ in left}, _write_due, left, entries)
        raise
    return left


def deliver_later(make: Callable[[], Sequence[Entry]]) -> None:
    """Have entries made and written soon, by a thread of the library; may be called in a finalizer.

    Needs `expect_leftovers` to have been called before.
    """
    with _fence:
        if any(isinstance(writer, TransactionalWriter) and writer.is_in_test() for _, writer in writers()):
            deliver(make())
        else:
            leave_behind(partial(_deliver_apart, make))


def flush(scope: Scope) -> None:
    """Write what waited for the end of a scope."""
    with _fence:
        batches = waiting.close(scope)
        if is_in_event_loop():
            _write_from_event_loop(batches)
        else:
            due = _ripe(batches)
            if due:
                write_in_time(due)


async def aflush(scope: Scope) -> None:
    """Do as `flush`, without blocking the event loop."""
    with _fence:
        batches = waiting.close(scope)
        if batches:
            await awrite_in_time(lambda: counts_of(batches), _write_ripe, batches)


def _write_instantly(entries: Sequence[Entry]) -> list[tuple[str, Writer]]:
    """Write to the backends that only work in memory; give those that wait for another process."""
    instant: list[Batch] = []
    blocking: list[tuple[str, Writer]] = []
    try:
        found = writers()
    except Exception:  # a logger's fault is never the site's
        log_fault("The backends could not be found; the site goes on without its log.")
        found = []
    for name, writer in found:
        if writer.blocks:
            blocking.append((name, writer))
        else:
            instant.append(Batch(name, writer, entries))
    if instant:
        write_all(instant)
    return blocking


def _due(targets: _Targets, entries: Sequence[Entry]) -> list[Batch]:
    """Give what can be written now, with what waited for it; all else waits on."""
    new = [Batch(name, writer, entries) for name, writer in targets]
    due = _ripe(_joined([*waiting.ended_with(entries), *new]))
    return _joined([*waiting.waiting_around(), *due]) if due else []


def _ripe(batches: Iterable[Batch]) -> list[Batch]:
    due = []
    for batch in batches:
        writer = batch.writer
        if not isinstance(writer, TransactionalWriter):
            due.append(batch)
            continue
        try:
            is_shared = writer.shares_fate(batch.entries)
            # Nobody would close the connection of a thread that the site started.
            is_untended = is_bound() and not is_own_thread() and not writer.is_connected()
        except Exception as error:  # such as a router that names no alias
            note_failure(batch, error)
            continue
        if is_shared:
            waiting.hold(batch)
        elif is_untended:
            waiting.hold_or_write_apart(batch)
        else:
            due.append(batch)
    return due


def _would_leave_connection(batches: Sequence[Batch]) -> bool:
    """Tell whether a write would open a connection in a thread of the site's that nobody closes it in.

    Django closes those of a thread that serves a request, Celery those of a task, and those of the main thread are the
    process's. What is left are the threads of a pool, which the site has sent a request from, for example.
    """
    if current_thread() is main_thread() or is_under_asgi_server() or is_own_thread() or outermost() is not None:
        return False
    if any(RECORD_TYPES[entry.kind].thread_is_tended for batch in batches for entry in batch.entries):
        return False
    writers_of_databases = [batch.writer for batch in batches if isinstance(batch.writer, TransactionalWriter)]
    return any(not writer.is_connected() for writer in writers_of_databases)


def _joined(batches: list[Batch]) -> list[Batch]:
    """Make one batch of those for the same backend."""
    if len(batches) < 2:
        return batches
    joined: dict[str, Batch] = {}
    for batch in batches:
        known = joined.get(batch.name)
        if known is not None:
            batch = known._replace(entries=[*known.entries, *batch.entries])
        joined[batch.name] = batch
    return list(joined.values())


def _deliver_apart(make: Callable[[], Sequence[Entry]]) -> None:
    with _fence:
        entries = make()
        if entries:
            new = [Batch(name, writer, entries) for name, writer in _write_instantly(entries)]
            write_all_apart(_joined([*waiting.ended_with(entries), *new]))


def _write_due(targets: _Targets, entries: Sequence[Entry]) -> None:
    write_all(_due(targets, entries))


def _write_ripe(batches: Sequence[Batch]) -> None:
    write_all(_ripe(batches))


def _write_from_event_loop(batches: Sequence[Batch]) -> None:
    """Write for synchronous code that blocks an event loop, where Django lets nobody use a database."""
    others = []
    for batch in batches:
        if isinstance(batch.writer, TransactionalWriter):
            waiting.hold_or_write_apart(batch)
        else:
            others.append(batch)
    if others:
        run_apart(write_all_apart, others)
