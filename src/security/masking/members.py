"""Headers and queries: names with their values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from .headers import hide_header, mask_header
from .hiding import Hiding, settled
from .patterns import apply_patterns_to_masked, pattern_of_name
from .rules import Rules
from .suspects import suspects

Members = Mapping[str, str | list[str]]
Group = Literal["HEADERS", "QUERIES"]

_LONGEST_REMEMBERED: Final = 100


def mask_members(members: Members, group: Group, hiding: Hiding) -> dict[str, str | list[str]]:
    """Hide the values of the names that a pattern of `group` or the list of keys finds, and mask all others."""
    rules = {name: _rule_of(name, group, hiding.rules) for name in members}
    # A client can send a secret as the name of a query that has no value.
    texts = list(members) if group == "QUERIES" else []
    for name, value in members.items():
        if rules[name] is None:
            texts += (value,) if isinstance(value, str) else value
    suspected = suspects(texts, hiding)
    masked: dict[str, str | list[str]] = {}
    for name, value in members.items():
        rule = rules[name]
        shown = hiding.inner(name) if group == "QUERIES" and name in suspected else name
        if isinstance(value, str):
            is_safe = rule is None and value not in suspected
            masked[shown] = value if is_safe else _masked(name, value, rule, group, hiding)
        else:
            is_safe = rule is None and suspected.isdisjoint(value)
            masked[shown] = [item if is_safe else _masked(name, item, rule, group, hiding) for item in value]
    return masked


def _rule_of(name: str, group: Group, rules: Rules) -> str | None:
    """Give the rule by which what stands under a name is hidden; None where it is not."""
    find = _rule_of_short_name if len(name) <= _LONGEST_REMEMBERED else _rule_of_short_name.__wrapped__
    return find(name, group, rules)


# Clients invent names: what is remembered is bounded, and no longer name is.
@lru_cache(maxsize=4096)
def _rule_of_short_name(name: str, group: Group, rules: Rules) -> str | None:
    pattern = pattern_of_name(rules.headers if group == "HEADERS" else rules.queries, name)
    if pattern is not None:
        return f"pattern {pattern}"
    return f"key {name}" if rules.keys.has(name) else None


def _masked(name: str, value: str, rule: str | None, group: Group, hiding: Hiding) -> str:
    if rule is None:
        return settled(value, lambda value: _masked_once(name, value, group, hiding))
    if group == "HEADERS":
        return hide_header(name, value, rule, hiding)
    return value if value == hiding.replacement else hiding.hide(rule, value)


def _masked_once(name: str, value: str, group: Group, hiding: Hiding) -> str:
    masked = mask_header(name, value, hiding) if group == "HEADERS" else hiding.inner(value)
    return apply_patterns_to_masked(masked, hiding)
