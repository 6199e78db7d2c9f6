"""Telling quickly which texts can have something to hide."""

from __future__ import annotations

from collections.abc import Collection, Set

from . import detectors
from .hiding import Hiding


def suspects(texts: Collection[str], hiding: Hiding) -> Set[str]:
    """Give those of some texts that can have a secret in them; where none can, that is told for all at once."""
    if hiding.rules.has_own_patterns:
        return set(texts)
    harmless = hiding.rules.harmless_texts
    unknown = harmless.unknown(texts)
    if not unknown:
        return frozenset()
    if not _may_have_secret("\n".join(unknown), hiding):
        harmless.add(unknown)
        return frozenset()
    if len(unknown) == 1:
        return frozenset(unknown)
    suspected = {text for text in unknown if _may_have_secret(text, hiding)}
    harmless.add(text for text in unknown if text not in suspected)
    return suspected


def _may_have_secret(text: str, hiding: Hiding) -> bool:
    if "%" in text or "\\" in text or "&" in text or "=?" in text:
        return True
    lowered = text.lower()
    return hiding.rules.keys.may_be_in(lowered) or detectors.may_find(text, lowered)
