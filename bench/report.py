"""Figures as tables that can be read on a screen, and pasted into the documentation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Table:
    """A title, headings, and rows of cells that are texts already."""

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]

    def __str__(self) -> str:
        lines = [self.headings, *self.rows]
        widths = [max(len(line[column]) for line in lines) for column in range(len(self.headings))]
        # The first column is words, the others are figures.
        marks = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
        text = [self.title, "", self._line(self.headings, widths), self._line(marks, widths)]
        return "\n".join([*text, *(self._line(row, widths) for row in self.rows)])

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        first, *others = (
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"


def spread(values: Sequence[float], digits: int = 3) -> str:
    """Give the median, and the lowest and highest value."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"
