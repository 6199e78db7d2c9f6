"""Settling the records whose process was killed before it could say how they ended.

What a process that lives all the same says later stands above what is said here: settling does not raise a row's
version.
"""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final

from security.backends.base import OpenLogs
from security.ids import first_id_at
from security.records import RECORD_TYPES, Loss

_LOST: Final = "Its process ended without a word, or does not end: nothing was heard of it for {}."


def kinds_that_are_lost() -> dict[str, Loss]:
    """Give the kinds that are settled here, with what becomes of them."""
    return {kind: record_type.loss for kind, record_type in RECORD_TYPES.items() if record_type.loss is not None}


def settle_lost(logs: OpenLogs, *, after: timedelta | None, since: timedelta) -> Counter[tuple[str, IntEnum]]:
    """Settle what is open for longer than `after`, by default than the time of its kind; tell how many went where.

    What began longer ago than `since` is not looked for.
    """
    now = datetime.now(UTC)
    counts: Counter[tuple[str, IntEnum]] = Counter()
    for kind, loss in kinds_that_are_lost().items():
        limit = loss.after if after is None else after
        for batch in logs.batches(kind, after=first_id_at(now - since), before=first_id_at(now - limit)):
            counts[kind, loss.state] += logs.settle_all(kind, batch, loss.state, _LOST.format(limit), now)
    return counts
