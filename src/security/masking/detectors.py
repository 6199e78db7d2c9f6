"""Secrets that are known by how they look, under whatever name they stand, or under none.

Each detector has a name by which SECURITY_DISABLED_DETECTORS switches it off. A detector finds spans of a text, from
the left to the right, in time that grows with the text and no faster.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from .hiding import Hiding
from .numbers import Span, card_numbers, ibans


@dataclass(frozen=True, slots=True)
class Detector:
    """Something that finds secrets in a text."""

    name: str
    what: str
    """What it finds, for the documentation."""
    signs: tuple[str, ...]
    """A text without any of these, in small letters, has nothing for it; none means that every text may have."""
    find: Callable[[str], Iterator[Span]]


def _first_groups(pattern: str, flags: int = 0) -> Callable[[str], Iterator[Span]]:
    """Find the first group of each match."""
    compiled = re.compile(pattern, flags)
    return lambda text: (match.span(1) for match in compiled.finditer(text))


_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def _private_keys(text: str) -> Iterator[Span]:
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


_BEARER: Final = re.compile(r"(?i)\b(?:bearer|negotiate)(?: |\+|%20)+([\w\-.~+/]{8,}+=*+)")


def _bearers(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        # "bearer certificates" is English.
        if not all(word.isalpha() and word.islower() and len(word) < 24 for word in match[1].split("+")):
            yield match.span(1)


_BASIC: Final = re.compile(r"(?i)\bbasic(?: |\+|%20)+([a-z0-9+/_-]{4,}+(?:=|%3d){0,2})")


def _basics(text: str) -> Iterator[Span]:
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


_JWT: Final = r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}|eyJ[A-Za-z0-9_-]{5,}+\Z)"
_CLOUD_KEY: Final = r"""(?x)(?<![A-Za-z0-9])(
      (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])
    | AIza[\w-]{30,} | ya29\.[\w.-]{10,} | GOCSPX-[\w-]{20,}
    | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | xox[abeoprs]-[\w-]{10,} | xapp-[\w-]{10,}
    | [sr]k_(?:live|test)_[A-Za-z0-9]{10,} | whsec_[A-Za-z0-9+/=]{16,} | sk-(?=[a-z_-]{0,100}[A-Z0-9])[\w-]{20,}
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{50,} | SG\.[\w-]{16,}\.[\w-]{16,} | dop_v1_[0-9a-f]{40,}
    | shp(?:at|ca|pa|ss)_[0-9a-f]{32} | hv[sb]\.[\w-]{20,} | AGE-SECRET-KEY-1[A-Z0-9]{50,} | key-[0-9a-f]{32}
)"""
_SLACK_HOOK: Final = re.compile(r"hooks\.slack\.com/services/([\w/]{10,})")
_CLOUD_KEYS: Final = _first_groups(_CLOUD_KEY)


def _cloud_keys(text: str) -> Iterator[Span]:
    return iter(sorted([*_CLOUD_KEYS(text), *(match.span(1) for match in _SLACK_HOOK.finditer(text))]))


_AUTHORITY: Final = re.compile(r":\\*/\\*/([^\s/?#\"'<>\\]++)")
# A password in the address of a database may hold a slash; its length bounds what each "://" costs.
_REST_OF_PASSWORD: Final = re.compile(r"[^\s\"'<>@]{1,256}@(?=\w)")


# What a client writes into its Host header is quoted by Django, where it is none.
_QUOTED_HOST: Final = re.compile(r"HTTP_HOST header: \\*'([^'\s@]++)@")


def _user_infos(text: str) -> Iterator[Span]:
    return iter(sorted([*_user_infos_of_urls(text), *(match.span(1) for match in _QUOTED_HOST.finditer(text))]))


def _user_infos_of_urls(text: str) -> Iterator[Span]:
    for match in _AUTHORITY.finditer(text):
        authority = match[1]
        if "@" in authority:
            yield match.start(1), match.start(1) + authority.rindex("@")
        elif ":" in authority and not authority.rpartition(":")[2].isdigit():
            rest = _REST_OF_PASSWORD.match(text, match.end())
            if rest is not None:
                yield match.start(1), rest.end() - 1


_user_options: Final = _first_groups(
    r"(?<![\w\-])(?:-u|--user|--proxy-user)(?:\\*+[\"']?,?[ \t]++|=)\\*+[\"']?([^\s\"':]{1,128}:[^\s\"'<>\\]++)"
)

DETECTORS: Final = (
    Detector("private_key", "private keys in PEM, also one whose end was cut off", ("private key",), _private_keys),
    Detector("jwt", "JSON Web Tokens (RFC 7519), also one whose end was cut off", ("eyj",), _first_groups(_JWT)),
    Detector(
        "card_number",
        "payment card numbers: an issuer's prefix, its length, and a check digit that is right (Luhn)",
        (),
        card_numbers,
    ),
    Detector("iban", "bank account numbers whose length and checksum are right (ISO 13616)", (), ibans),
    Detector(
        "cloud_key",
        "keys of AWS, Google, GitHub, GitLab, Slack, Stripe, npm, PyPI, SendGrid, DigitalOcean, Shopify and Vault",
        (
            *("akia", "asia", "abia", "acca", "aiza", "ya29", "gocspx", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
            *("github_pat", "glpat", "xox", "xapp-", "k_live", "k_test", "whsec", "sk-", "npm_", "pypi-", "sg."),
            *("dop_v1", "shp", "hvs.", "hvb.", "age-secret", "key-", "hooks.slack"),
        ),
        _cloud_keys,
    ),
    Detector("bearer", "what follows the words Bearer or Negotiate", ("bearer", "negotiate"), _bearers),
    Detector("basic", "user and password in base 64 behind the word Basic", ("basic",), _basics),
    Detector("user_option", "user and password behind the options -u and --user", ("-u",), _user_options),
    Detector("url_credentials", "user and password in an address", ("@",), _user_infos),
    Detector(
        "signed_url",
        "the signatures of signed addresses (AWS, Google, Azure and such)",
        ("sig", "x-amz", "x-goog", "hmac"),
        _first_groups(
            r"(?i)[?&;](?:amp;)?(?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|hmac)="
            r"([^&\s\"'<>]++)"
        ),
    ),
    Detector(
        "django_token",
        "the tokens of Django's links to reset a password",
        ("-",),
        _first_groups(r"(?<![0-9a-zA-Z])([0-9a-z]{5,13}-[0-9a-f]{32})(?![0-9a-zA-Z]|\.[a-z])"),
    ),
)

# What the detectors of numbers need; most texts have no such run of digits.
_MAY_BE_NUMBER: Final = re.compile(
    r"[0-9](?:(?:[ +-]?[0-9]){12}|(?<=[A-Za-z]{2}[0-9])[0-9](?:[ +-]?[A-Za-z0-9]){11})",
)
# The beginnings of tokens and keys. Where every branch begins with a plain letter, a search is fast.
_MAY_BE_TOKEN: Final = re.compile(
    "eyJ|AKIA|ASIA|ABIA|ACCA|AIza|AGE-SECRET|ya29|GOCSPX-|gh[pousr]_|github_pat_|glpat-|xox|xapp-|k_live_|k_test_"
    "|whsec_|sk-|npm_|pypi-|SG[.]|dop_v1_|shp[acps]|hv[sb][.]|key-|hooks[.]slack|@|-[0-9a-f]{32}|PRIVATE KEY"
)


def may_find(text: str, lowered: str) -> bool:
    """Tell quickly whether a detector can find something in a text, which is given in small letters as well."""
    if _MAY_BE_NUMBER.search(text) is not None or _MAY_BE_TOKEN.search(text) is not None:
        return True
    if "bearer" in lowered or "basic" in lowered or "negotiate" in lowered:
        return True
    if "-u" in text and ":" in text:
        return True
    return "=" in text and ("sig" in lowered or "x-amz" in lowered or "x-goog" in lowered or "hmac" in lowered)


def detect(text: str, hiding: Hiding) -> str:
    """Hide what the detectors find that are on."""
    lowered = text.lower()
    if not may_find(text, lowered):
        return text
    for detector in DETECTORS:
        if detector.name in hiding.rules.disabled_detectors:
            continue
        if not detector.signs or any(sign in lowered for sign in detector.signs):
            text = _hidden(text, detector, hiding)
    return text


def _hidden(text: str, detector: Detector, hiding: Hiding) -> str:
    kept: list[str] = []
    position = 0
    for start, end in detector.find(text):
        if start < position or start == end or text.startswith(hiding.replacement or "\0", start):
            continue
        kept += (text[position:start], hiding.hide(f"detector {detector.name}", text[start:end]))
        position = end
    return "".join((*kept, text[position:])) if kept else text
