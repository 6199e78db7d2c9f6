"""Texts that are known to have nothing to hide.

Most of what clients send is what they sent before: a host, a user agent, the types that they accept. Only a text in
which nothing was found is remembered, so no secret is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

# Clients invent texts: what is remembered is bounded, and no longer text is.
LONGEST_REMEMBERED: Final = 200
_MOST: Final = 4096


class HarmlessTexts:
    """The texts in which the rules of a site, which stay as they are, find nothing."""

    __slots__ = ("_texts",)

    def __init__(self) -> None:
        self._texts: set[str] = set()

    def unknown(self, texts: Collection[str]) -> list[str]:
        """Give those of some texts that have to be searched."""
        known = self._texts
        return [] if known.issuperset(texts) else [text for text in texts if text not in known]

    def add(self, texts: Iterable[str]) -> None:
        new = [text for text in texts if len(text) <= LONGEST_REMEMBERED][:_MOST]
        if len(self._texts) + len(new) > _MOST:
            # Another thread may still look into the old one.
            self._texts = set()
        self._texts.update(new)
