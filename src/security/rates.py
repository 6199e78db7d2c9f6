"""How requests are counted against a limit: the rule, which every store of counts follows.

The rule is the sliding window counter. A key's first window begins with its first hit, and windows follow each other
without a gap. What counts at a moment is the hits of the window that is open, and of the one before it as large a part
as a window of the same length that ends now would still cover. So no moment exists at which a client gets twice its
limit at once, as at the border of fixed windows, and a count is three numbers however large the limit is.

All times are whole milliseconds and all comparisons are of whole numbers, so that every store decides alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Limit:
    """How many hits a key may have in a timeframe."""

    key: str
    timeframe: int
    """Milliseconds."""
    throttle_at: int
    """The number of hits that pass in a timeframe, 1 or more."""
    counts: bool = True
    """Whether a decision that passes is a hit, or only looks."""


@dataclass(frozen=True, slots=True)
class Window:
    """The count of one key."""

    start: int
    previous: int
    """The hits of the window before."""
    hits: int

    def at(self, now: int, timeframe: int) -> Window:
        """Give the window that is open at a time; windows of long ago, or of a clock that was wrong, are empty."""
        elapsed = now - self.start
        if -timeframe <= elapsed < timeframe:
            return self
        if timeframe <= elapsed < 2 * timeframe:
            return Window(self.start + timeframe, self.hits, 0)
        return Window(now, 0, 0)

    def has_room(self, limit: Limit, now: int) -> bool:
        """Tell whether one more hit stays within a limit."""
        window = self.at(now, limit.timeframe)
        still_covered = window.previous * (window.start + limit.timeframe - now)
        return still_covered + (window.hits + 1) * limit.timeframe <= limit.throttle_at * limit.timeframe

    def hit(self, limit: Limit, now: int) -> Window:
        window = self.at(now, limit.timeframe)
        return Window(window.start, window.previous, window.hits + 1)

    def milliseconds_until_room(self, limit: Limit, now: int) -> int:
        """Tell when the next hit would pass, if none comes before it."""
        if self.has_room(limit, now):
            return 0
        window, timeframe = self.at(now, limit.timeframe), limit.timeframe
        end = window.start + timeframe
        if window.hits < limit.throttle_at:
            # The window before has to leave, as far as it takes up room.
            room = limit.throttle_at - 1 - window.hits
            return max(1, end - room * timeframe // window.previous - now)
        # This window has to become the one before, and leave.
        return max(1, end + timeframe - (limit.throttle_at - 1) * timeframe // window.hits - now)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a decision: it passed if nothing was full."""

    full: tuple[tuple[Limit, Window | None], ...] = ()
    """The limits that had no room, in the order in which they were asked for, each with its count where it is known."""

    @property
    def passed(self) -> bool:
        return not self.full


EMPTY: Final = Window(0, 0, 0)


class Counts:
    """Counts in memory, for one thread at a time."""

    def __init__(self) -> None:
        self._windows: dict[str, Window] = {}

    def count(self, limits: Sequence[Limit], now: int) -> Verdict:
        """Hit all limits that count, if all of them have room; otherwise none."""
        full = tuple(
            (limit, window)
            for limit in limits
            if not (window := self._windows.get(limit.key, EMPTY)).has_room(limit, now)
        )
        if not full:
            for limit in limits:
                if limit.counts:
                    self._windows[limit.key] = self._windows.get(limit.key, EMPTY).hit(limit, now)
        return Verdict(full)
