"""Query strings as names and values."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl

# What is read of a query string, in characters; more cannot be stored.
LONGEST_QUERY: Final = 10_000


# Percent-encoded, as all of a query is.
_ELLIPSIS: Final = "%E2%80%A6"


def beginning_of_query(text: str) -> str:
    """Give what is read of a query string: a pair that is cut loses its value, of which masking would see a half."""
    if len(text) <= LONGEST_QUERY:
        return text
    whole, _, last = text[:LONGEST_QUERY].rpartition("&")
    name, equals, _ = last.partition("=")
    return f"{whole}&{name}={_ELLIPSIS}" if equals else whole


def parse_queries(text: str) -> dict[str, str | list[str]]:
    """Give the values of a query string by name; the values of a name that is repeated are a list."""
    queries: dict[str, str | list[str]] = {}
    for name, value in parse_qsl(beginning_of_query(text), keep_blank_values=True, errors="replace"):
        known = queries.get(name)
        if known is None:
            queries[name] = value
        elif isinstance(known, list):
            known.append(value)
        else:
            queries[name] = [known, value]
    return queries
