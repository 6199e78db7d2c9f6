"""How entries reach the backends, and what happens when one cannot take them."""

from .health import lost_entries
from .inline import adeliver, aflush, deliver, deliver_later, flush
from .leftovers import start as expect_leftovers
from .threads import arun_blocking, arun_reading, run_blocking

__all__ = [
    "adeliver",
    "aflush",
    "arun_blocking",
    "arun_reading",
    "deliver",
    "deliver_later",
    "expect_leftovers",
    "flush",
    "lost_entries",
    "run_blocking",
]
