"""Faults of the logger itself: the site goes on, and its own log tells why without being flooded."""

from __future__ import annotations

import logging
import sys
from time import monotonic
from types import TracebackType
from typing import Final

logger = logging.getLogger("security")

# What happens with each request is said once a minute.
_SECONDS_BETWEEN_MESSAGES: Final = 60.0

# From when on a fault may be said again, and how often it was not. There are few, unless classes or code are made anew.
_MOST: Final = 1000
_said: Final[dict[tuple[object, ...], tuple[float, int]]] = {}


def log_fault(message: str, *args: object) -> None:
    """Log the exception that is being handled, with its traceback; the same one again after a minute at the earliest.

    Faults are the same whose `message`, type and place in the code are.
    """
    error = sys.exception()
    fault = (message, type(error), *_place_of(None if error is None else error.__traceback__))
    now = monotonic()
    # Two threads at once may say it twice.
    silent_until, unsaid = _said.get(fault, (0.0, 0))
    if now < silent_until:
        _said[fault] = (silent_until, unsaid + 1)
        return
    if len(_said) >= _MOST:
        _said.clear()
    _said[fault] = (now + _SECONDS_BETWEEN_MESSAGES, 0)
    if unsaid:
        message, args = f"{message} It happened %d times since this was last said.", (*args, unsaid)
    logger.error(message, *args, exc_info=error)


def _place_of(traceback: TracebackType | None) -> tuple[object, ...]:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return () if traceback is None else (traceback.tb_frame.f_code, traceback.tb_lineno)
