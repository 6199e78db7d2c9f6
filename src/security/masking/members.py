"""Headers and queries: names with their values."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from . import detectors
from .headers import hide_header, mask_header
from .hiding import Hiding, settled
from .keys import NAMED_FIELDS, NAMING, is_code_of_oauth
from .patterns import apply_patterns_to_masked, pattern_of_name
from .rules import Rules
from .suspects import suspects

Members = Mapping[str, str | list[str]]
Group = Literal["HEADERS", "QUERIES"]

_LONGEST_REMEMBERED: Final = 40
# What is longer is no name: a token in it is not known by its letters.
_LONGEST_HEADER: Final = 60
_NAME_ITSELF: Final = "the name itself"


def mask_members(members: Members, group: Group, hiding: Hiding) -> dict[str, str | list[str]]:
    """Hide the values of the names that a pattern of `group` or the list of keys finds, and mask all others."""
    rules = {name: _rule_of(name, group, hiding.rules) for name in members}
    if group == "QUERIES":
        rules |= _rules_by_neighbours(members, rules, hiding)
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
        if rule is _NAME_ITSELF:
            shown = hiding.hide(rule, name)
        if isinstance(value, str):
            is_safe = rule is None and value not in suspected
            masked[shown] = value if is_safe else _masked(name, value, rule, group, hiding)
        else:
            is_safe = rule is None and suspected.isdisjoint(value)
            masked[shown] = [item if is_safe else _masked(name, item, rule, group, hiding) for item in value]
    return masked


def _rules_by_neighbours(members: Members, rules: Mapping[str, str | None], hiding: Hiding) -> dict[str, str | None]:
    """Give the rules for what the other members say about one: name=password&value=x, code=x&redirect_uri=y."""
    found: dict[str, str | None] = {}
    code = members.get("code")
    if isinstance(code, str) and is_code_of_oauth(members, code, str(members.get("state", ""))):
        found["code"] = "code of OAuth"
    if not NAMED_FIELDS.isdisjoint(members):
        names = [str(value) for name, value in members.items() if name in NAMING and hiding.names_secret(str(value))]
        if names:
            found |= {name: f"key {names[0]}" for name in members if name in NAMED_FIELDS and rules[name] is None}
    return found


def _rule_of(name: str, group: Group, rules: Rules) -> str | None:
    """Give the rule by which what stands under a name is hidden; None where it is not."""
    find = _rule_of_short_name if len(name) <= _LONGEST_REMEMBERED else _rule_of_short_name.__wrapped__
    return find(name, group, rules)


# Clients invent names: what is remembered is bounded, and no longer name is.
@lru_cache(maxsize=4096)
def _rule_of_short_name(name: str, group: Group, rules: Rules) -> str | None:
    if group == "HEADERS" and _is_secret_itself(name, rules):
        return _NAME_ITSELF
    pattern = pattern_of_name(rules.headers if group == "HEADERS" else rules.queries, name)
    if pattern is not None:
        return f"pattern {pattern}"
    is_secret = rules.keys.has_header(name) if group == "HEADERS" else rules.keys.has(name)
    return f"key {name}" if is_secret else None


def _is_secret_itself(name: str, rules: Rules) -> bool:
    """Tell whether a client sent a secret as the name of a header; servers change the letters of these."""
    if len(name) > _LONGEST_HEADER:
        return any(map(str.isdigit, name))
    return any(
        detectors.has_secret(spelled, rules.disabled_detectors) for spelled in {name, name.upper(), name.lower()}
    )


def _masked(name: str, value: str, rule: str | None, group: Group, hiding: Hiding) -> str:
    if rule is None:
        return settled(value, lambda value: _masked_once(name, value, group, hiding))
    if group == "HEADERS":
        return hide_header(name, value, rule, hiding)
    if rule.startswith("key ") and hiding.is_count(name, value):
        return value
    return value if value == hiding.replacement else hiding.hide(rule, value)


def _masked_once(name: str, value: str, group: Group, hiding: Hiding) -> str:
    masked = mask_header(name, value, hiding) if group == "HEADERS" else hiding.inner(value)
    return apply_patterns_to_masked(masked, hiding)
