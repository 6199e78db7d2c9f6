"""Tracebacks as text, made without running the site's code and bounded whatever the exception holds.

The module `traceback` asks the objects of the site for names to suggest, and its loaders for source; either may fail,
take long, or ask a database.
"""

from __future__ import annotations

import linecache
from collections import deque
from collections.abc import Iterator
from traceback import walk_tb
from types import CodeType
from typing import Final

from security.truncation import without_cut_end

_MOST_FRAMES: Final = 100
_MOST_EXCEPTIONS: Final = 20
_LONGEST_TEXT: Final = 20_000
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"


def traceback_of(error: BaseException, *, instead_of_texts: str | None = None) -> str:
    """Give the traceback of an exception with those that led to it, the latest last, as Python prints it.

    `instead_of_texts` stands for what each exception says, where that could quote what must not be told.
    """
    parts: list[str] = []
    for exception, before in _chain(error):
        parts += (before, *_one(exception, instead_of_texts))
    return "".join(parts)


def _chain(error: BaseException) -> Iterator[tuple[BaseException, str]]:
    """Give the exceptions that led to one, the first one first, each with the words that come before it."""
    chain: list[tuple[BaseException, str]] = []
    known: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in known and len(chain) < _MOST_EXCEPTIONS:
        known.add(id(current))
        earlier, words = current.__cause__, _CAUSED
        if earlier is None and not current.__suppress_context__:
            earlier, words = current.__context__, _DURING
        chain.append((current, words if earlier is not None else ""))
        current = earlier
    return reversed(chain)


def _one(error: BaseException, instead: str | None) -> Iterator[str]:
    yield from _frames(error)
    yield _last_line(error, instead)
    for note in list(getattr(error, "__notes__", None) or ())[:_MOST_EXCEPTIONS]:
        yield f"{_text_of(note, instead)}\n"
    if isinstance(error, BaseExceptionGroup):
        for number, member in enumerate(error.exceptions[:_MOST_EXCEPTIONS], start=1):
            yield f"---------------- {number} of {len(error.exceptions)} ----------------\n"
            yield from _frames(member)
            yield _last_line(member, instead)


def _frames(error: BaseException) -> Iterator[str]:
    if error.__traceback__ is None:
        return
    yield "Traceback (most recent call last):\n"
    frames: deque[tuple[CodeType, int]] = deque(maxlen=_MOST_FRAMES)
    count = 0
    for frame, line in walk_tb(error.__traceback__):
        frames.append((frame.f_code, line))
        count += 1
    if count > _MOST_FRAMES:
        yield f"  [{count - _MOST_FRAMES} earlier frames]\n"
    for code, line in frames:
        yield f'  File "{code.co_filename}", line {line}, in {code.co_name}\n'
        source = linecache.getline(code.co_filename, line).strip()
        if source:
            yield f"    {source}\n"


def _last_line(error: BaseException, instead: str | None) -> str:
    kind = type(error)
    name = (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )
    text = _text_of(error, instead)
    return f"{name}: {text}\n" if text else f"{name}\n"


def _text_of(value: object, instead: str | None) -> str:
    try:
        text = str(value)
        if text and instead is not None:
            return instead
        return text if len(text) <= _LONGEST_TEXT else without_cut_end(text[:_LONGEST_TEXT])
    except BaseException:  # the site's own `__str__` may raise anything, and is nobody's business here
        return "<no text>"
