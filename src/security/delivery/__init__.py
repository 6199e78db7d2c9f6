"""How entries reach the backends, and what happens when one cannot take them."""

from .health import lost_entries
from .inline import adeliver, deliver

__all__ = ["adeliver", "deliver", "lost_entries"]
