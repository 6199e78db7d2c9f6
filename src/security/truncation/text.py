"""Texts and mappings that every database takes, and no longer than they may be."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ELLIPSIS: Final = "…"
# No database text holds NUL: PostgreSQL refuses it, others end the text there. Its picture (U+2400) is readable.
_NUL_SYMBOL: Final = "\N{SYMBOL FOR NULL}"


# The longest secret that is known by its look alone, and not by its beginning.
CUT_END: Final = 256


def without_cut_end(text: str) -> str:
    """Drop the end of a text that was cut before it was masked: half a secret there looks like none."""
    return text[: -min(CUT_END, len(text) // 2)] + ELLIPSIS


def storable(text: str) -> str:
    """Replace what no database can store: NUL, and surrogates without their other half."""
    if "\0" in text:
        text = text.replace("\0", _NUL_SYMBOL)
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()
    return text


def fit_text(text: str, limit: int | None) -> str:
    """Cut `text` to `limit` characters, the last of them an ellipsis if something was cut off."""
    if text.isascii() and "\0" not in text and (limit is None or len(text) <= limit):
        return text
    if limit is not None and len(text) > limit:
        text = text[: max(limit - 1, 0)] + ELLIPSIS[:limit]
    text = storable(text)
    # A lone surrogate grew to six characters.
    return text if limit is None or len(text) <= limit else text[:limit]


def fit_mapping(mapping: Mapping[str, str | list[str]], limit: int, *, more: int = 0) -> dict[str, str | list[str]]:
    """Keep the first members of a flat mapping whose names and values have at most `limit` characters together.

    A member that does not fit is cut; where members are left out, a member named with an ellipsis says how many.
    `more` are left out already.
    """
    if more == 0 and fits(mapping, limit):
        return dict(mapping)
    kept: dict[str, str | list[str]] = {}
    room = limit
    for name, value in mapping.items():
        if room <= 0:
            more += len(mapping) - len(kept)
            break
        name = fit_text(name, room)
        room -= len(name)
        if isinstance(value, str):
            kept[name] = value = fit_text(value, max(room, 1))
            room -= len(value)
        else:
            kept[name], room = _fit_list(value, room)
    if more:
        kept[ELLIPSIS] = f"{more} more"
    return kept


def fits(mapping: Mapping[str, str | list[str]], limit: int) -> bool:
    """Tell quickly whether a mapping, as most are, can be stored as it is; False where that takes a closer look."""
    try:
        text = "".join((*mapping, *mapping.values()))  # type: ignore[arg-type]
    except TypeError:
        # A name with several values
        return False
    return len(text) <= limit and text.isascii() and "\0" not in text


def _fit_list(values: list[str], room: int) -> tuple[list[str], int]:
    kept = []
    for value in values:
        if room <= 0:
            kept.append(ELLIPSIS)
            break
        kept.append(fit_text(value, room))
        room -= max(len(kept[-1]), 1)
    return kept, room
