"""Query strings as names and values."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

# What is read of a query string, in characters; more cannot be stored.
LONGEST_QUERY: Final = 10_000


def parse_queries(text: str) -> dict[str, str | list[str]]:
    """Give the values of a query string by name; the values of a name that is repeated are a list."""
    queries: dict[str, str | list[str]] = {}
    for name, value in parse_qsl(text[:LONGEST_QUERY], keep_blank_values=True, errors="replace"):
        known = queries.get(name)
        if known is None:
            queries[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            queries[name] = [known, value]
    return queries
