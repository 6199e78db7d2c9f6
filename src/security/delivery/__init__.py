"""How entries reach the backends, and what happens when one cannot take them."""

from .health import lost_entries
from .inline import adeliver, aflush, deliver, flush
from .threads import arun_blocking, run_blocking

__all__ = ["adeliver", "aflush", "arun_blocking", "deliver", "flush", "lost_entries", "run_blocking"]
