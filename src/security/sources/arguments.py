"""The arguments of commands and tasks as text: what they hold is neither asked for nor used up for it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from pathlib import PurePath
from types import NoneType
from typing import Any, Final
from uuid import UUID

from security.truncation import without_cut_end

# Their texts cost nothing. Any other object may ask a database for its own, or raise.
_SIMPLE: Final = (
    *(str, bytes, bool, int, float, complex, NoneType),
    *(Decimal, date, time, timedelta, UUID, PurePath, Enum),
)
_LISTS: Final = (list, tuple, set, frozenset)
_DEEPEST: Final = 20
# What has more of them is too long to be stored.
_MOST_ITEMS: Final = 10_000
_LONGEST_WORD: Final = 1000


def input_of(args: Any, kwargs: Any) -> str:
    """Write the arguments of a task as one would in Python, each of them bounded."""
    words = [word_of(arg) for arg in positional(args)]
    words += [f"{name}={word_of(value)}" for name, value in named(kwargs).items()]
    return ", ".join(word if len(word) <= _LONGEST_WORD else without_cut_end(word[:_LONGEST_WORD]) for word in words)


def positional(args: Any) -> list[Any]:
    """Give the positional arguments as they can be stored; none of what is no list of arguments."""
    return [simple(arg) for arg in args] if isinstance(args, (list, tuple)) else []


def named(kwargs: Any) -> dict[str, Any]:
    """Give the named arguments as they can be stored."""
    return {str(name): simple(value) for name, value in kwargs.items()} if isinstance(kwargs, Mapping) else {}


def word_of(value: Any, write: Callable[[Any], str] = repr) -> str:
    """Write a value of the site's; of an object that is more than a value, only its type."""
    try:
        return write(simple(value))
    except Exception:  # a subclass of the site's can do anything
        return repr(_Unwritten(value))


def simple(value: Any, depth: int = _DEEPEST) -> Any:
    """Give a value as it is, and in the place of an object that is more than one a mark that names its type."""
    # A lazy object is made when it is asked for its class by `isinstance`.
    kind = type(value)
    try:
        if issubclass(kind, _SIMPLE) or kind is _Unwritten:
            return value
        if depth and issubclass(kind, dict):
            return {simple(name, depth - 1): simple(item, depth - 1) for name, item in _some(value.items())}
        for base in _LISTS if depth else ():
            if issubclass(kind, base):
                return base(simple(item, depth - 1) for item in _some(value))
    except Exception:  # noqa: S110 a subclass of the site's can do anything
        pass
    return _Unwritten(value)


def _some(items: Iterable[Any]) -> Iterator[Any]:
    return islice(items, _MOST_ITEMS)


class _Unwritten:
    """Stands for an object of which only the type is written."""

    __slots__ = ("_name",)

    def __init__(self, value: Any) -> None:
        self._name = f"<{type(value).__module__}.{type(value).__qualname__}>"

    def __repr__(self) -> str:
        return self._name
