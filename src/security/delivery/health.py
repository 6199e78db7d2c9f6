"""How each backend is doing: what was lost, and when to try again."""

from __future__ import annotations

import atexit
import logging
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import Final

logger = logging.getLogger("security")

# A backend that fails slowly is left alone for five times as long as it took to fail, so that a site waits for it for
# a sixth of the time at most; one that fails at once is tried again at once.
_PAUSE_FACTOR: Final = 5
_LONGEST_PAUSE: Final = 10.0
# What happens again and again is said once a minute.
_SECONDS_BETWEEN_MESSAGES: Final = 60.0
# As many causes are told from each other; texts of errors can hold what is never the same.
_MOST_CAUSES: Final = 20
_FURTHER_CAUSES: Final = "further ones, each of its own"


@dataclass(slots=True)
class _Cause:
    """One reason of losses: how many are not said yet, and from when on they may be."""

    unsaid: int = 0
    silent_until: float = 0.0


@dataclass(slots=True)
class Health:
    """The health of one backend in this process."""

    name: str
    lost: int = 0
    _causes: dict[str, _Cause] = field(default_factory=dict)
    _latest_cause: str = ""
    _failing: bool = False
    _has_recovered: bool = False
    """Whether it stores again and that is not said yet."""
    _paused_until: float = 0.0
    _silent_of_recovery_until: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def is_paused(self) -> bool:
        return self._failing and monotonic() < self._paused_until

    def note_skipped(self, count: int) -> None:
        """Count entries that were not offered to the backend, because of what it is paused for."""
        with self._lock:
            self._count({self._latest_cause: count})

    def note_loss(self, count: int, cause: Exception, *, seconds: float = 0.0) -> None:
        """Count entries that the backend did not store, and say why; `seconds` is what the attempt took."""
        self._note({described(cause): count}, seconds)

    def note_refusals(self, causes: Sequence[Exception]) -> None:
        """Count entries of which the backend refused each for a cause of its own, and say why."""
        self._note(Counter(map(described, causes)), 0.0)

    def take_back(self, count: int) -> None:
        """Count entries no more as lost before it is known whether they are."""
        with self._lock:
            self.lost -= count

    def note_success(self) -> None:
        if not self._failing and not self._causes and not self._has_recovered:
            return
        with self._lock:
            self._has_recovered, self._failing = self._has_recovered or self._failing, False
            now = monotonic()
            # One that fails and recovers by turns says so no more often than one that only fails.
            if now < self._silent_of_recovery_until:
                return
            unsaid = sum(cause.unsaid for cause in self._causes.values())
            self._forget_what_is_said(now)
            if not unsaid and not self._has_recovered:
                return
            self._has_recovered = False
            self._silent_of_recovery_until = now + _SECONDS_BETWEEN_MESSAGES
            for cause in self._causes.values():
                cause.unsaid = 0
            total = self.lost
        logger.warning("The backend %s stores again; it lost %d log entries in all.", self.name, total)

    def say_the_rest(self) -> None:
        """Say what was kept for later, as there will be no later."""
        with self._lock:
            messages = self._take_unsaid(self._causes, monotonic())
        self._say(messages)

    def _note(self, causes: Mapping[str, int], seconds: float) -> None:
        with self._lock:
            now = monotonic()
            self._failing = True
            self._paused_until = now + pause_after(seconds)
            self._forget_what_is_said(now)
            self._count(causes)
            messages = self._take_unsaid(
                [name for name, cause in self._causes.items() if cause.silent_until <= now], now
            )
        self._say(messages)

    def _count(self, causes: Mapping[str, int]) -> None:
        for name, count in causes.items():
            self.lost += count
            is_known = name in self._causes or len(self._causes) < _MOST_CAUSES
            self._latest_cause = name if is_known else _FURTHER_CAUSES
            self._causes.setdefault(self._latest_cause, _Cause()).unsaid += count

    def _take_unsaid(self, names: Iterable[str], now: float) -> list[tuple[int, str]]:
        messages = []
        for name in names:
            cause = self._causes[name]
            if cause.unsaid:
                messages.append((cause.unsaid, name))
                cause.unsaid, cause.silent_until = 0, now + _SECONDS_BETWEEN_MESSAGES
        return messages

    def _forget_what_is_said(self, now: float) -> None:
        self._causes = {name: cause for name, cause in self._causes.items() if cause.unsaid or now < cause.silent_until}

    def _say(self, messages: Iterable[tuple[int, str]]) -> None:
        for count, cause in messages:
            logger.error(
                "The backend %s did not store %d log entries; the site goes on without them. Cause: %s",
                *(self.name, count, cause),
            )


def pause_after(seconds: float) -> float:
    """Give how long a store that took some seconds to fail is left alone, so that the site seldom waits for it."""
    return min(_PAUSE_FACTOR * seconds, _LONGEST_PAUSE)


def described(cause: Exception) -> str:
    """Give what an error says, and what its backend noted of it, such as what to do."""
    # The text of a database's error can quote a row; its first line names the cause.
    reason, *notes = ((text.splitlines() or [""])[0][:300] for text in (str(cause), *getattr(cause, "__notes__", ())))
    return " ".join([f"{type(cause).__name__}: {reason}", *(f"({note})" for note in notes)])


_healths: dict[str, Health] = {}


def health_of(name: str) -> Health:
    """Give the health of the backend called `name`."""
    health = _healths.get(name)
    # setdefault is atomic: two threads get the same one.
    return health if health is not None else _healths.setdefault(name, Health(name))


def lost_entries() -> dict[str, int]:
    """Tell how many entries each backend lost since this process began, by the backend's name."""
    return {name: health.lost for name, health in _healths.items() if health.lost}


def _finish() -> None:
    for health in tuple(_healths.values()):
        health.say_the_rest()


def _start_anew() -> None:
    # What the parent lost is the parent's to say, and a lock that it held is never released here.
    _healths.clear()


# Registered before what writes at the end of a process, and so called after it.
atexit.register(_finish)
os.register_at_fork(after_in_child=_start_anew)
