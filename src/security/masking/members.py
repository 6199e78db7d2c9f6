"""Headers and queries: names with their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from . import detectors
from .headers import hide_header, mask_header
from .hiding import Hiding, settled
from .patterns import apply_patterns_to_masked, pattern_of_name

Members = Mapping[str, str | list[str]]
Group = Literal["HEADERS", "QUERIES"]


def mask_members(members: Members, group: Group, hiding: Hiding) -> dict[str, str | list[str]]:
    """Hide the values of the names that a pattern of `group` or the list of keys finds, and mask all others."""
    patterns = hiding.rules.headers if group == "HEADERS" else hiding.rules.queries
    has_more = may_have_more(members, group, hiding)
    masked: dict[str, str | list[str]] = {}
    for name, value in members.items():
        rule = _rule_of(patterns, name, hiding)
        if rule is None and not has_more:
            masked[name] = value
            continue
        # A client can send a secret as the name of a query that has no value.
        shown = hiding.inner(name) if has_more and group == "QUERIES" else name
        if isinstance(value, str):
            masked[shown] = _masked(name, value, rule, group, hiding)
        else:
            masked[shown] = [_masked(name, item, rule, group, hiding) for item in value]
    return masked


def _rule_of(patterns: tuple[str, ...], name: str, hiding: Hiding) -> str | None:
    pattern = pattern_of_name(patterns, name)
    if pattern is not None:
        return f"pattern {pattern}"
    return f"key {name}" if hiding.is_secret(name) else None


def _masked(name: str, value: str, rule: str | None, group: Group, hiding: Hiding) -> str:
    if rule is None:
        return settled(value, lambda value: _masked_once(name, value, group, hiding))
    if group == "HEADERS":
        return hide_header(name, value, rule, hiding)
    return value if value == hiding.replacement else hiding.hide(rule, value)


def _masked_once(name: str, value: str, group: Group, hiding: Hiding) -> str:
    masked = mask_header(name, value, hiding) if group == "HEADERS" else hiding.inner(value)
    return apply_patterns_to_masked(masked, hiding)


def may_have_more(members: Members, group: Group, hiding: Hiding) -> bool:
    """Tell quickly, for all members at once, whether there can be a secret under an innocent name."""
    values = [item for value in members.values() for item in ([value] if isinstance(value, str) else value)]
    text = "\n".join((*values, *members) if group == "QUERIES" else values)
    if "%" in text or "\\" in text or "&" in text or hiding.rules.has_own_patterns:
        return True
    names_too = "\n".join((text, *members))
    return hiding.rules.keys.may_be_in(text.lower()) or detectors.may_find(names_too, names_too.lower())
