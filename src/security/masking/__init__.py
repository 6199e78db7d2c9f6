"""Hiding secrets: functions from what was seen to what may be stored; all else that they look at are the settings.

Structure comes first (JSON, forms, multipart, XML, CSV, headers, addresses: what stands under a secret name), then the
documented patterns, then the detectors, which know a secret by how it looks. What claims a structure and does not keep
to it is masked as text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from .content import mask_body as _mask_structure
from .content import mask_loose, mask_value
from .data import mask_data as _mask_data
from .harmless import LONGEST_REMEMBERED
from .hiding import Finding, Hiding
from .json import looks_like_json
from .members import Group, Members
from .members import mask_members as _mask_members
from .patterns import apply_patterns, apply_patterns_to_masked
from .rules import Rules, current_rules, held_rules
from .suspects import suspects
from .urls import mask_host as _mask_host
from .urls import mask_path as _mask_path
from .words import mask_words as _mask_words

__all__ = [
    "Finding",
    "held_rules",
    "mask_body",
    "mask_data",
    "mask_host",
    "mask_members",
    "mask_path",
    "mask_text",
    "mask_words",
]


def mask_text(text: str) -> str:
    """Mask a text of any kind: an error message, the input or output of a command."""
    hiding = _hiding()
    if hiding is None or not text:
        return text
    return hiding.whole(text, lambda text, hiding: apply_patterns_to_masked(mask_value(text, hiding), hiding))


def mask_body(text: str, media_type: str, findings: list[Finding] | None = None) -> str:
    """Mask a message body by the structure that its content type claims; `findings` is told what was hidden."""
    hiding = _hiding(findings)
    if hiding is None or not text:
        return text
    # The names of a form's parts can be in pieces, and the entities of XML are put together elsewhere.
    composes = "<!" in text or media_type.startswith("multipart/") or "form-data" in text.lower()
    # A longer document of JSON is not remembered, and takes the same look at itself.
    is_looked_at_later = len(text) > LONGEST_REMEMBERED and looks_like_json(text)
    if findings is None and not composes and not is_looked_at_later and not suspects((text,), hiding):
        return text
    if looks_like_json(text):
        # What is inside its strings is settled; the marks around them hide nothing.
        return hiding.bounded(text, lambda text, hiding: _mask_body(text, media_type, hiding))
    return hiding.whole(text, lambda text, hiding: _mask_body(text, media_type, hiding))


def mask_members(members: Members, group: Group) -> dict[str, str | list[str]]:
    """Mask headers or queries."""
    hiding = _hiding()
    return dict(members) if hiding is None else _mask_members(members, group, hiding)


def mask_path(path: str) -> str:
    """Mask the path of an address."""
    hiding = _hiding()
    if hiding is None or not suspects((path,), hiding):
        return path
    return hiding.whole(path, lambda path, hiding: apply_patterns_to_masked(_mask_path(path, hiding), hiding))


def mask_host(host: str) -> str:
    """Mask the host of an address."""
    hiding = _hiding()
    return host if hiding is None or not suspects((host,), hiding) else _mask_host(host, hiding)


def mask_data(value: Any) -> Any:
    """Mask data that is made of what `json.loads` gives."""
    hiding = _hiding()
    return value if hiding is None else _mask_data(value, hiding)


def mask_words(words: Sequence[str]) -> list[str]:
    """Mask the words of a command line."""
    hiding = _hiding()
    if hiding is None:
        return list(words)
    return [apply_patterns_to_masked(word, hiding) for word in _mask_words(words, hiding)]


def _hiding(findings: list[Finding] | None = None) -> Hiding | None:
    rules = current_rules()
    if rules is None:
        return None
    return _hiding_by(rules) if findings is None else Hiding(rules, _mask_inner, findings=findings)


@lru_cache(maxsize=16)
def _hiding_by(rules: Rules) -> Hiding:
    return Hiding(rules, _mask_inner)


def _mask_inner(text: str, hiding: Hiding) -> str:
    return mask_value(text, hiding)


def _mask_body(text: str, media_type: str, hiding: Hiding) -> str:
    masked = _mask_structure(text, media_type, hiding)
    if masked is not None:
        return apply_patterns_to_masked(masked, hiding)
    # Nothing says where a value ends; the patterns are taken at their word.
    return mask_loose(apply_patterns(text, hiding), hiding)
