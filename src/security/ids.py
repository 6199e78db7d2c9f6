"""Ids that are made in the process and sort by the time at which they were made (RFC 9562, UUID version 7)."""

from __future__ import annotations

import sys
from datetime import datetime
from uuid import UUID

if sys.version_info >= (3, 14):
    from uuid import uuid7
else:
    from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """Make the id of a record."""
    return uuid7()


def first_id_at(moment: datetime) -> UUID:
    """Give the smallest id that a record begun at `moment` (to the millisecond) can have.

    The primary keys of the logs are such ids, so a range of time is a range of the primary key, and the logs need
    no second index on the time.
    """
    milliseconds = max(0, int(moment.timestamp() * 1000))
    return UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62))
