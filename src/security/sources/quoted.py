"""Errors that quote the request during which they were raised, whose secrets have no names there.

`Max retries exceeded with url: /token/4f9a…/`, `Illegal header value b'…'`: masking knows these parts where they stand
by themselves, so what it hides of them is taken out of the message.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import SplitResult

from security.config import settings
from security.masking import mask_members, mask_path

logger = logging.getLogger("security")

# A shorter text is a part of many words.
_SHORTEST: Final = 4
# Of headers no more is looked at than while they are stored: twice what a record holds of them.
_LONGEST_HEADERS: Final = 32_000
# How many different texts are looked for. A request has some headers that are secret, each written in few ways.
_MOST_TEXTS: Final = 400
# Each text that is found stands as one of these characters, unless the message has it, until all are found.
_MARKS: Final = range(0xE000, 0x110000)

Headers = Mapping[str, str | list[str]]


def without_quoted(message: str, url: SplitResult, headers: Headers) -> str:
    """Take out of the message of an error what is secret in the address and in the headers of a request.

    A message of which that cannot be told is hidden whole.
    """
    try:
        return _without(message, url, headers)
    except Exception as error:  # whatever was sent, what cannot be masked is not stored
        logger.error("An error could not be masked (%s): it is hidden.", type(error).__name__)
        return settings.SENSITIVE_DATA_REPLACEMENT


def _without(message: str, url: SplitResult, headers: Headers) -> str:
    if not settings.HIDE_SENSITIVE_DATA:
        return message
    replacement = settings.SENSITIVE_DATA_REPLACEMENT
    if sum(map(_length_of, headers.items())) > _LONGEST_HEADERS:
        return replacement
    user_info, _, _ = url.netloc.rpartition("@")
    # With the character beside it, as a short one is a part of many words.
    beside = (("?", url.query, ""), ("", user_info, "@"))
    of_url = [(f"{before}{text}{after}", f"{before}{replacement}{after}") for before, text, after in beside if text]
    # The same text can be hidden in two ways; the first one counts.
    hidden: dict[str, str] = {}
    for shown, masked in (*of_url, *_of_path(url.path), *_of_headers(headers)):
        hidden.setdefault(shown, masked)
    return replacement if len(hidden) > _MOST_TEXTS else _replaced(message, hidden, replacement)


def _replaced(message: str, hidden: Mapping[str, str], replacement: str) -> str:
    """Put for each text what hides it, the longest first, and never into a replacement.

    Marks of one character stand for what was found and for the replacement until all is found, so the message does not
    grow before. An expression of all texts would compare those that begin alike to their end, again at each character.
    """
    texts = sorted(hidden, key=len, reverse=True)
    characters = {*message, *"".join(texts), *"".join(hidden.values())}
    marks = (mark for mark in _MARKS if chr(mark) not in characters)
    hiding, marked = next(marks), {}
    for text in texts:
        if text in message:
            mark = next(marks)
            message = message.replace(text, chr(mark))
            marked[mark] = hidden[text].replace(replacement, chr(hiding)) if replacement else hidden[text]
    if not marked:
        return message
    message = message.translate(marked)
    # What is left of a value can be what another one holds.
    for text in texts:
        message = message.replace(text, chr(hiding))
    return message.replace(chr(hiding), replacement)


def _of_path(path: str) -> Iterator[tuple[str, str]]:
    # What was given for an address and is none is masked as any text.
    masked = mask_path(path) if path.startswith("/") else path
    if masked != path and len(path) >= _SHORTEST:
        yield path, masked


def _of_headers(headers: Headers) -> Iterator[tuple[str, str]]:
    for name, masked in mask_members(headers, "HEADERS").items():
        for value, hidden in zip(_listed(headers[name]), _listed(masked), strict=True):
            if value == hidden:
                continue
            # As it is, and as source code writes it; what is around it may be the reason of the error.
            for text in dict.fromkeys((value, value.strip())):
                written = repr(text)[1:-1]
                yield from ((shown, hidden) for shown in dict.fromkeys((text, written)) if len(shown) >= _SHORTEST)


def _length_of(header: tuple[str, str | list[str]]) -> int:
    name, value = header
    return len(name) + sum(map(len, _listed(value)))


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
