"""Headers and queries: names with their values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, Literal

from . import detectors
from .headers import hide_header, mask_header
from .hiding import Hiding
from .keys import NAMED_FIELDS, NAMING, is_code_of_oauth
from .patterns import apply_patterns_to_masked, pattern_of_name
from .rules import Rules
from .suspects import suspects

Members = Mapping[str, str | list[str]]
Group = Literal["HEADERS", "QUERIES"]

_LONGEST_REMEMBERED: Final = 40
_MOST_REMEMBERED: Final = 40
# What is longer is no name: a token in it is not known by its letters.
_LONGEST_HEADER: Final = 60
_NAME_ITSELF: Final = "the name itself"


def mask_members(members: Members, group: Group, hiding: Hiding) -> dict[str, str | list[str]]:
    """Hide the values of the names that a pattern of `group` or the list of keys finds, and mask all others."""
    rules, others = _rules_of_names(members, group, hiding.rules)
    if group == "QUERIES":
        found = _rules_by_neighbours(members, rules, hiding)
        if found:
            rules, others = {**rules, **found}, [name for name in others if name not in found]
        # A client can send a secret as the name of a query that has no value.
        suspected = suspects([*members, *_texts_of(members, others)], hiding)
    else:
        suspected = suspects(_texts_of(members, others), hiding)
    if not suspected and _NAME_ITSELF not in rules.values():
        # As with most requests: all names stay, and so does each value without a rule.
        hidden = {name: _masked_values(name, members[name], rule, group, hiding) for name, rule in rules.items()}
        return {**members, **hidden}
    masked: dict[str, str | list[str]] = {}
    for name, value in members.items():
        rule_of_name = rules.get(name)
        shown = hiding.inner(name) if group == "QUERIES" and name in suspected else name
        if rule_of_name is _NAME_ITSELF:
            shown = hiding.hide(rule_of_name, name)
        is_safe = value not in suspected if isinstance(value, str) else suspected.isdisjoint(value)
        masked[shown] = (
            value if is_safe and rule_of_name is None else _masked_values(name, value, rule_of_name, group, hiding)
        )
    return masked


def _texts_of(members: Members, names: Sequence[str]) -> list[str]:
    values: list[Any] = [*map(members.__getitem__, names)]
    # Whatever is no text is taken apart, a list or not: none passes as one value.
    if {*map(type, values)} <= {str}:
        return values
    return [text for value in values for text in ((value,) if isinstance(value, str) else value)]


def _masked_values(
    name: str, value: str | list[str], rule: str | None, group: Group, hiding: Hiding
) -> str | list[str]:
    if isinstance(value, str):
        return _masked(name, value, rule, group, hiding)
    return [_masked(name, item, rule, group, hiding) for item in value]


def _rules_by_neighbours(members: Members, rules: Mapping[str, str], hiding: Hiding) -> dict[str, str]:
    """Give the rules for what the other members say about one: name=password&value=x, code=x&redirect_uri=y."""
    found: dict[str, str] = {}
    code = members.get("code")
    if isinstance(code, str) and is_code_of_oauth(members, code, str(members.get("state", ""))):
        found["code"] = "code of OAuth"
    if not NAMED_FIELDS.isdisjoint(members):
        names = [str(value) for name, value in members.items() if name in NAMING and hiding.names_secret(str(value))]
        if names:
            found |= {name: f"key {names[0]}" for name in members if name in NAMED_FIELDS and name not in rules}
    return found


def _rules_of_names(members: Members, group: Group, rules: Rules) -> tuple[Mapping[str, str], Sequence[str]]:
    """Give the rules by which what stands under some names is hidden, and the other names."""
    names = tuple(members)
    is_remembered = len(names) <= _MOST_REMEMBERED and max(map(len, names), default=0) <= _LONGEST_REMEMBERED
    find = _rules_of_usual_names if is_remembered else _rules_of_usual_names.__wrapped__
    return find(names, group, rules)


# A program sends the same names again and again. Clients invent others: what is remembered is bounded, here and below.
@lru_cache(maxsize=512)
def _rules_of_usual_names(
    names: tuple[str, ...], group: Group, rules: Rules
) -> tuple[Mapping[str, str], Sequence[str]]:
    found = {name: rule for name in names if (rule := _rule_of(name, group, rules)) is not None}
    return found, [name for name in names if name not in found]


def _rule_of(name: str, group: Group, rules: Rules) -> str | None:
    find = _rule_of_short_name if len(name) <= _LONGEST_REMEMBERED else _rule_of_short_name.__wrapped__
    return find(name, group, rules)


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
        return hiding.whole(value, lambda value, hiding: _masked_once(name, value, group, hiding))
    if group == "HEADERS":
        return hide_header(name, value, rule, hiding)
    if rule.startswith("key ") and hiding.is_count(name, value):
        return value
    return value if value == hiding.replacement else hiding.hide(rule, value)


def _masked_once(name: str, value: str, group: Group, hiding: Hiding) -> str:
    masked = mask_header(name, value, hiding) if group == "HEADERS" else hiding.inner(value)
    return apply_patterns_to_masked(masked, hiding)
