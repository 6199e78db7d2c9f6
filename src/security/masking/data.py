"""Data of the site's own, as JSON holds it: arguments and results of tasks, extra data."""

from __future__ import annotations

from typing import Any

from .hiding import Hiding
from .keys import NAMED, NAMED_FIELDS, NAMING, NAMING_VALUES, PLACES, is_code_of_oauth
from .numbers import is_card_number
from .patterns import apply_patterns_to_masked


def mask_data(value: Any, hiding: Hiding) -> Any:
    """Hide what stands under secret keys, and mask all texts; `value` is made of what `json.loads` gives."""
    if isinstance(value, str):
        return hiding.whole(value, lambda text, hiding: apply_patterns_to_masked(hiding.inner(text), hiding))
    if isinstance(value, list):
        return _mask_items(value, hiding)
    if isinstance(value, dict):
        return _mask_members(value, hiding)
    if isinstance(value, int) and "card_number" not in hiding.rules.disabled_detectors and is_card_number(str(value)):
        return hiding.hide("detector card_number", str(value))
    return value


def _mask_items(items: list[Any], hiding: Hiding) -> list[Any]:
    masked = []
    for position, item in enumerate(items):
        before = items[position - 1] if position else None
        # ["password", "x"], or ["--password", "x"] in a list of arguments
        is_named = (
            isinstance(before, str) and (len(items) == 2 or before.startswith("-")) and hiding.names_secret(before)
        )
        is_user = before in ("-u", "--user", "--proxy-user") and isinstance(item, str) and ":" in item
        if is_user or (is_named and isinstance(item, str) and not item.startswith("-")):
            masked.append(_hidden(str(before), item, hiding))
        else:
            masked.append(mask_data(item, hiding))
    return masked


def _mask_members(members: dict[str, Any], hiding: Hiding) -> dict[str, Any]:
    has_type_of_secret = any(
        isinstance(said, str) and name.casefold() in NAMING_VALUES and hiding.names_secret(said)
        for name, said in members.items()
    )
    is_named_secret = any(
        isinstance(said, str)
        and (name.casefold() in NAMING or name in PLACES or (name == "path" and "op" in members))
        and hiding.names_secret(said)
        for name, value in members.items()
        # Of a place the end says it.
        for said in ([value[-1] if isinstance(value, list) and value and name in PLACES else value])
    )
    code, state = members.get("code"), members.get("state")
    is_code = isinstance(code, str) and is_code_of_oauth(members, code, state if isinstance(state, str) else "")
    secret_here = {
        *(NAMED if is_named_secret else ()),
        *(NAMED_FIELDS if has_type_of_secret else ()),
        *(("code",) if is_code else ()),
    }
    masked = {}
    for name, value in members.items():
        shown = hiding.inner(name)
        if hiding.is_secret(name) or hiding.is_secret(shown) or name.casefold() in secret_here:
            masked[shown] = _hidden(name, value, hiding)
        else:
            masked[shown] = mask_data(value, hiding)
    return masked


def _hidden(name: str, value: Any, hiding: Hiding) -> Any:
    if value is None or value == "" or isinstance(value, bool) or value == hiding.replacement:
        return value
    if isinstance(value, (int, float)) and hiding.is_count(name, str(value)):
        return value
    return hiding.hide(f"key {name}", str(value))
