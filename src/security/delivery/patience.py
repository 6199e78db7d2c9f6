"""How long a request under an ASGI server waits for its log, and what is noted when it waits no longer.

A backend bounds what it does itself, as far as it can. This is for what it cannot bound, and for who waits in line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ParamSpec

from security.config import settings
from security.delivery.health import health_of
from security.delivery.threads import NotDoneInTimeError, arun_for, run_for, start_blocking
from security.delivery.writing import Batch, write_all

P = ParamSpec("P")


def write_in_time(batches: Sequence[Batch]) -> None:
    """Do as `write_all`, and wait for it for a limited time."""
    seconds = _longest_wait()
    try:
        run_for(seconds, write_all, batches)
    except NotDoneInTimeError as error:
        _go_on_without(error, seconds, counts_of(batches))


async def awrite_in_time(
    counts: Callable[[], Mapping[str, int]], work: Callable[P, None], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Do some work that writes, and wait for it for a limited time.

    `counts` tells how many entries there are for which backend.
    """
    seconds = _longest_wait()
    try:
        await arun_for(seconds, work, *args, **kwargs)
    except NotDoneInTimeError as error:
        _go_on_without(error, seconds, counts())


def write_without_waiting(
    counts: Callable[[], Mapping[str, int]], work: Callable[P, None], *args: P.args, **kwargs: P.kwargs
) -> None:
    """Have a thread do some work that writes, for who cannot wait; `counts` is as for `awrite_in_time`."""
    try:
        start_blocking(work, *args, **kwargs)
    except NotDoneInTimeError as error:
        _go_on_without(error, 0.0, counts())


def counts_of(batches: Sequence[Batch]) -> dict[str, int]:
    """Tell how many entries there are for which backend."""
    return {batch.name: len(batch.entries) + len(batch.waited) for batch in batches}


def _longest_wait() -> float:
    # A connection that hangs is found out and shut down in the setting's time and 2.5 seconds more, and a new one is
    # tried for that time or 2 seconds; the rest is for who waits until a thread is free.
    return 3 * settings.LOG_DB_TIMEOUT + 4


def _go_on_without(error: NotDoneInTimeError, seconds: float, counts: Mapping[str, int]) -> None:
    for name, count in counts.items():
        health = health_of(name)
        if error.work is None and health.is_paused():
            health.note_skipped(count)
            continue
        health.note_loss(count, error, seconds=seconds)
        if error.work is not None:
            # Whoever ends the work notes himself whether they are lost.
            error.work.add_done_callback(lambda _, health=health, count=count: health.take_back(count))  # type: ignore[misc]
    if settings.RAISE_WRITER_EXCEPTIONS:
        raise error
