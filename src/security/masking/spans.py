"""Parts of a text, by where they begin and end."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Span = tuple[int, int]
# With the rule by which the part is hidden in front
NamedSpan = tuple[str, int, int]


def first_groups(pattern: str, flags: int = 0) -> Callable[[str], Iterator[Span]]:
    """Find the first group of each match."""
    compiled = re.compile(pattern, flags)
    return lambda text: (match.span(1) for match in compiled.finditer(text))
