"""A store of counts that cannot be reached: what is not counted is counted here, and said, and waited for little.

One decision that fails is no outage: whoever brings a single slow one about must not unthrottle all others. The store
is left alone when it fails again, in a decision that began after the one before had failed.
"""

from __future__ import annotations

import logging
from threading import Lock
from time import monotonic
from typing import Final

from security.delivery.health import described, pause_after

logger = logging.getLogger("security")


class Outage:
    """What this process knows of the store: whether it fails, since when, and how many requests it failed."""

    def __init__(self) -> None:
        self.undecided = 0
        self._undecided_before = 0
        self._is_failing = False
        self._paused_until = 0.0
        self._failed_at = 0.0
        self._lock = Lock()

    def is_paused(self) -> bool:
        return self._is_failing and monotonic() < self._paused_until

    def note_skipped(self) -> None:
        """Count a request about which the store was not asked, as it is paused."""
        with self._lock:
            self.undecided += 1

    def note_failure(self, cause: Exception, seconds: float) -> None:
        """Count a request that was not decided on, and say why at the beginning of an outage."""
        moment = monotonic()
        with self._lock:
            self.undecided += 1
            if self._is_failing:
                if moment - seconds >= self._failed_at:
                    self._paused_until = moment + pause_after(seconds)
                    self._failed_at = moment
                return
            self._failed_at = moment
            self._is_failing = True
            self._undecided_before = self.undecided - 1
        logger.error("Requests cannot be counted, and are not throttled as they should be. Cause: %s", described(cause))

    def note_success(self) -> None:
        if not self._is_failing:
            return
        with self._lock:
            self._is_failing = False
            count = self.undecided - self._undecided_before
        logger.warning("Requests are counted again; %d were not.", count)


outage: Final = Outage()


def undecided_requests() -> int:
    """Tell how many requests of this process were not throttled since it began, because they could not be counted."""
    return outage.undecided
