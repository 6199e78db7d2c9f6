"""Tokens and keys, each with a beginning, a length or letters of its own."""

from __future__ import annotations

import binascii
import re
import time
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from .spaces import BLANK
from .spans import Span, first_groups

_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def private_keys(text: str) -> Iterator[Span]:
    position = 0
    begin = _PEM_BEGIN.search(text)
    end = _PEM_END.search(text)
    while begin is not None or end is not None:
        if end is not None and (begin is None or end.start() < begin.start()):
            # Its beginning was cut off.
            start, position = position, end.end()
        else:
            start = len(text) if begin is None else begin.start()
            if end is not None and end.start() < start:
                end = _PEM_END.search(text, start)
            position = len(text) if end is None else end.end()
        yield start, position
        # None is not looked for again, which would go over the text once for each of the others.
        if begin is not None and begin.start() < position:
            begin = _PEM_BEGIN.search(text, position)
        if end is not None:
            end = _PEM_END.search(text, position)


_BEARER: Final = re.compile(rf"(?i)\b(?:bearer|negotiate)(?:{BLANK}|\+|%20)+([\w\-.~+/]{{8,}}+=*+)")


def bearers(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        # "bearer certificates" is English.
        if not all(word.isalpha() and word.islower() and len(word) < 24 for word in match[1].split("+")):
            yield match.span(1)


_BASIC: Final = re.compile(rf"(?i)\bbasic(?:{BLANK}|\+|%20)+([a-z0-9+/_-]{{4,}}+(?:=|%3d){{0,2}})")


def basics(text: str) -> Iterator[Span]:
    for match in _BASIC.finditer(text):
        if b":" in decoded_base64(match[1].replace("%3D", "=").replace("%3d", "=")):
            yield match.span(1)


def decoded_base64(text: str) -> bytes:
    """Decode base 64 of either alphabet, with or without its padding; nothing for what is none."""
    body = text.rstrip("=")
    # One character too many is what a cut leaves.
    body = body[:-1] if len(body) % 4 == 1 else body
    try:
        decode = urlsafe_b64decode if "-" in body or "_" in body else b64decode
        return decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return b""


json_web_tokens: Final = first_groups(
    r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}|eyJ[A-Za-z0-9_-]{5,}+\Z)"
)
_CLOUD_KEYS: Final = first_groups(r"""(?x)(?<![A-Za-z0-9])(
      (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])
    | AIza[\w-]{30,} | ya29\.[\w.-]{10,} | GOCSPX-[\w-]{20,}
    | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | xox[abeoprs]-[\w-]{10,} | xapp-[\w-]{10,}
    | [sr]k_(?:live|test)_[A-Za-z0-9]{10,} | whsec_[A-Za-z0-9+/=]{16,}
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{50,} | SG\.[\w-]{16,}\.[\w-]{16,} | dop_v1_[0-9a-f]{40,}
    | shp(?:at|ca|pa|ss)_[0-9a-f]{32} | hv[sb]\.[\w-]{20,} | AGE-SECRET-KEY-1[A-Z0-9]{50,}
    | (?<!-)key-[0-9a-f]{32}(?![0-9a-f]|\.[a-z])
)""")
# The address of a hook is its secret; a record keeps the path apart from the host.
_HOOK: Final = re.compile(
    r"(?:hooks\.slack\.com/services/|/services/T\w{6,20}/B\w{6,20}/)([\w/]{10,})"
    r"|/webhooks/[0-9]{15,20}/([\w\-]{40,})|/IncomingWebhook/([0-9a-f]{20,}(?:/[\w\-]{8,})?)"
)
# The bots of Telegram have their token in the path.
_BOT: Final = re.compile(r"(?<=/bot)([0-9]{6,12}:[\w\-]{20,}+)")
_MODEL_KEY: Final = re.compile(r"(?<![A-Za-z0-9])sk-[\w-]{20,}+")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}+")
_DIGIT: Final = re.compile(r"[0-9]")


def cloud_keys(text: str) -> Iterator[Span]:
    hooks = (match.span(match.lastindex or 0) for match in _HOOK.finditer(text))
    bots = (match.span(1) for match in _BOT.finditer(text))
    return iter(sorted([*_CLOUD_KEYS(text), *hooks, *bots, *_model_keys(text)]))


def _model_keys(text: str) -> Iterator[Span]:
    for match in _MODEL_KEY.finditer(text):
        # Words with hyphens between them are a slug: sk-8-inch-knife.
        if any(_DIGIT.search(run) for run in _RUN.findall(match[0])):
            yield match.span()


# The seconds since 2001, in base 36, and half a digest. Behind the user's id in base 64 it need not have a digit.
_DJANGO_TOKEN: Final = re.compile(
    r"(?:(?<=/)(?:(?:[MNO][A-Za-z0-9]{1,30}|[A-Za-z0-9_-]{48})/|[0-9A-Za-z]{1,32}-)|(?<![0-9a-zA-Z\-]))"
    r"(([0-9a-z]{6})-[0-9a-f]{32})(?![0-9a-zA-Z]|\.[a-z])"
)
# What django.core.signing makes: a value, a time in base 62, and a signature in base 64.
_SIGNED: Final = re.compile(r"(?<![\w\-.:=])[\w\-.=]{1,1000}+:[0-9A-Za-z]{6}:([\w\-]{43}|[\w\-]{27})(?![\w\-])")
_BEGINNING_OF_TIME: Final = int(datetime(2001, 1, 1, tzinfo=UTC).timestamp())
_OLDEST_TOKEN: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
_A_YEAR: Final = 366 * 24 * 60 * 60


def _django_tokens(text: str) -> Iterator[Span]:
    newest = time.time() + _A_YEAR
    for match in _DJANGO_TOKEN.finditer(text):
        made = int(match[2], 36) + _BEGINNING_OF_TIME
        is_behind_id = match.start() < match.start(1) and text[match.start(1) - 1] == "/"
        # A name with a digest behind it is no token: invoice-<md5>, asset-<md5>.
        if _OLDEST_TOKEN < made < newest and (is_behind_id or _DIGIT.search(match[2]) is not None):
            yield match.span(1)


def signed_by_django(text: str) -> Iterator[Span]:
    return iter(sorted([*_django_tokens(text), *(match.span(1) for match in _SIGNED.finditer(text))]))
