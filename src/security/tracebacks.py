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
    return "".join(_with_causes(error, instead_of_texts, set()))


def _with_causes(error: BaseException, instead: str | None, known: set[int]) -> Iterator[str]:
    """Tell of an exception, of what led to it, and of the members of groups; `known` are those that were told of."""
    for exception, before in _chain(error, known):
        yield before
        yield from _one(exception, instead)
        if not isinstance(exception, BaseExceptionGroup):
            continue
        for number, member in enumerate(exception.exceptions, start=1):
            if number > _MOST_EXCEPTIONS or len(known) >= _MOST_EXCEPTIONS:
                yield f"---------------- and {len(exception.exceptions) - number + 1} more ----------------\n"
                break
            yield f"---------------- {number} of {len(exception.exceptions)} ----------------\n"
            if id(member) in known:
                yield "(told of above)\n"
            yield from _with_causes(member, instead, known)


def _chain(error: BaseException, known: set[int]) -> Iterator[tuple[BaseException, str]]:
    """Give the exceptions that led to one, the first one first, each with the words that come before it."""
    chain: list[tuple[BaseException, str]] = []
    current: BaseException | None = error
    while current is not None and id(current) not in known and len(known) < _MOST_EXCEPTIONS:
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
    notes = vars(error).get("__notes__")
    for note in notes[:_MOST_EXCEPTIONS] if isinstance(notes, list) else ():
        yield f"{_text_of(note, instead)}\n"


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
