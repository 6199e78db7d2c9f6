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
    user_info, _, _ = url.netloc.rpartition("@")
    # With the character beside it, as a short one is a part of many words.
    for before, secret, after in (("?", url.query, ""), ("", user_info, "@")):
        if secret:
            message = message.replace(f"{before}{secret}{after}", f"{before}{replacement}{after}")
    for shown, masked in (*_of_path(url.path), *_of_headers(headers)):
        message = message.replace(shown, masked)
    return message


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


def _listed(value: str | list[str]) -> list[str]:
    return value if isinstance(value, list) else [value]
