"""How entries reach the backends, and what happens when one cannot take them."""

from .health import lost_entries
from .inline import adeliver, deliver
from .threads import arun_blocking, run_blocking

__all__ = ["adeliver", "arun_blocking", "deliver", "lost_entries", "run_blocking"]
