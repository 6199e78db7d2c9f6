"""How each backend is doing: what was lost, and when to try again."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Final

logger = logging.getLogger("security")

# A backend that fails slowly is left alone for five times as long as it took to fail, so that a site waits for it for
# a sixth of the time at most; one that fails at once is tried again at once.
_PAUSE_FACTOR: Final = 5
_LONGEST_PAUSE: Final = 10.0
# A backend that fails again and again says so once a minute.
_SECONDS_BETWEEN_MESSAGES: Final = 60.0


@dataclass(slots=True)
class Health:
    """The health of one backend in this process."""

    name: str
    lost: int = 0
    _lost_at_message: int = 0
    _failing: bool = False
    _paused_until: float = 0.0
    _silent_until: float = 0.0
    _silent_of_recovery_until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def is_paused(self) -> bool:
        return self._failing and monotonic() < self._paused_until

    def note_skipped(self, count: int) -> None:
        """Count entries that were not offered to the backend, because it is paused."""
        with self._lock:
            self.lost += count

    def note_loss(self, count: int, cause: Exception, *, seconds: float = 0.0) -> None:
        """Count entries that the backend did not store, and say why; `seconds` is what the attempt took."""
        with self._lock:
            now = monotonic()
            self.lost += count
            self._failing = True
            self._paused_until = now + min(_PAUSE_FACTOR * seconds, _LONGEST_PAUSE)
            if now < self._silent_until:
                return
            self._silent_until = now + _SECONDS_BETWEEN_MESSAGES
            unsaid = self._losses_to_say()
        # The text of a database's error can quote a row; its first line names the cause.
        reason = (str(cause).splitlines() or [""])[0][:300]
        logger.error(
            "The backend %s did not store %d log entries; the site goes on without them. Cause: %s: %s",
            *(self.name, unsaid, type(cause).__name__, reason),
        )

    def note_success(self) -> None:
        if not self._failing:
            return
        with self._lock:
            self._failing = False
            now = monotonic()
            # One that fails and recovers by turns says so no more often than one that only fails.
            if now < self._silent_of_recovery_until:
                return
            self._silent_of_recovery_until = now + _SECONDS_BETWEEN_MESSAGES
            unsaid, total = self._losses_to_say(), self.lost
        logger.warning("The backend %s stores again; it lost %d more log entries, %d in all.", self.name, unsaid, total)

    def _losses_to_say(self) -> int:
        unsaid = self.lost - self._lost_at_message
        self._lost_at_message = self.lost
        return unsaid


_healths: dict[str, Health] = {}


def health_of(name: str) -> Health:
    """Give the health of the backend called `name`."""
    health = _healths.get(name)
    # setdefault is atomic: two threads get the same one.
    return health if health is not None else _healths.setdefault(name, Health(name))


def lost_entries() -> dict[str, int]:
    """Tell how many entries each backend lost since this process began, by the backend's name."""
    return {name: health.lost for name, health in _healths.items() if health.lost}
