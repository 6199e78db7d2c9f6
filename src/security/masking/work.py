"""How much is read to mask one value: as much as its length allows, however its structures stand in each other."""

from __future__ import annotations

from typing import Final

# How many characters are read inside the structures of a value: for each of its own, and beside that. What people and
# programs write takes five at most, and ten where it stands in eight structures with a secret in each.
WORK_A_CHARACTER: Final = 20
WORK_A_VALUE: Final = 500
# How many characters of texts are remembered while a value is masked, and as how many a short text counts.
_MOST_REMEMBERED: Final = 200_000
_LEAST_REMEMBERED: Final = 100


class TooMuchWork(Exception):  # noqa: N818 - nobody made an error
    """A value costs more to mask than its length allows."""


class Work:
    """What is left of the work on one value, and what is known of the texts inside it.

    Structures can stand in each other so that each of them reads again all that is left. Characters are counted and not
    time, so that what is stored does not depend on what else a machine does.
    """

    __slots__ = ("_room", "_settled", "left")

    def __init__(self, length: int) -> None:
        self.left = WORK_A_CHARACTER * length + WORK_A_VALUE
        # The texts in which nothing is found, with the deepest level at which they were read
        self._settled: dict[str, int] = {}
        self._room = _MOST_REMEMBERED

    def spend(self, count: int) -> None:
        """Take from what is left; raise TooMuchWork where that does not suffice."""
        self.left -= count
        if self.left < 0:
            raise TooMuchWork

    def is_settled(self, text: str, level: int) -> bool:
        """Tell whether nothing is found in a text at a level.

        What stays as it is at a deeper one does so here: below the last level all is hidden.
        """
        return self._settled.get(text, 0) >= level

    def note_settled(self, text: str, level: int) -> None:
        self._room -= len(text) + _LEAST_REMEMBERED
        if self._room >= 0:
            self._settled[text] = level
