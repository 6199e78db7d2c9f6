"""Header fields with a structure of their own (RFC 9110, RFC 6265): what is not secret in them stays."""

from __future__ import annotations

import re
from binascii import a2b_qp
from collections.abc import Iterator, Sequence
from typing import Final

from . import detectors
from .hiding import Hiding
from .suspects import suspects
from .tokens import decoded_base64
from .urls import mask_host, mask_url

_URL_HEADERS: Final = frozenset(
    ("location", "referer", "content-location", "origin", "refresh", "destination", "x-original-url", "x-rewrite-url")
)
_HOST_HEADERS: Final = frozenset(("host", "x-forwarded-host", "x-host"))
# As Django writes what is not of Latin letters (RFC 2047)
_ENCODED_WORD: Final = re.compile(r"=\?[\w\-]{1,40}\?([bBqQ])\?([^?\s]*+)\?=")
# Any other first word may be the secret itself.
SCHEME: Final = re.compile(
    r"(?i)(?:basic|bearer|digest|negotiate|ntlm|token|jwt|apikey|api-key|key|oauth|hawk|dpop|gnap|hoba|mutual|vapid"
    r"|signature|privatetoken|sharedkey|sharedkeylite|scram-sha-1|scram-sha-256|aws|aws4-hmac-sha256)[ \t]++(?=\S)"
)
_PREFIXED_PROTOCOL: Final = re.compile(r"base64url\.bearer\.authorization\.k8s\.io\.(?=.)")
# An attribute of a cookie with its value; what does not look so can be another cookie.
_COOKIE_ATTRIBUTE: Final = re.compile(
    r"""(?ix)\s*(?:
        path=/?[\w.\-/~%]* | domain=[\w.\-]* | max-age=-?[0-9]+ | version="?[0-9]"? | priority=(?:low|medium|high)
      | samesite=(?:lax|strict|none) | (?:secure|httponly|partitioned)
      | expires="?[a-z]{3,9},[ ][0-9]{1,2}[ -][a-z]{3}[ -][0-9]{2,4}[ ][0-9:]{8}[ ](?:GMT|UTC)"?
    )\s*"""
)


def normal_name(name: str) -> str:
    return name.replace("_", "-").lower()


def hide_header(name: str, value: str, rule: str, hiding: Hiding) -> str:
    """Hide the value of a header that is secret, but for what of its structure is not."""
    if not value or value == hiding.replacement:
        return value
    normal = normal_name(name)
    if normal.endswith("authorization"):
        scheme = SCHEME.match(value)
        if scheme is not None:
            rest = value[scheme.end() :]
            return value if rest == hiding.replacement else scheme[0] + hiding.hide(rule, rest)
    elif normal in ("cookie", "cookie2", "set-cookie", "set-cookie2"):
        return ";".join(_hidden_cookies(value.split(";"), rule, hiding, has_attributes=normal.startswith("set-")))
    return hiding.hide(rule, value)


def mask_header(name: str, value: str, hiding: Hiding) -> str:
    """Mask the value of a header that is not secret as such."""
    decoded = _ENCODED_WORD.sub(_meaning_of_word, value) if "=?" in value else value
    if decoded != value:
        safe = mask_header(name, decoded, hiding)
        return value if safe == decoded else safe
    normal = normal_name(name)
    if normal == "sec-websocket-protocol":
        return _masked_protocols(value, hiding)
    if normal in _URL_HEADERS:
        return mask_url(value, hiding)
    return mask_host(value, hiding) if normal in _HOST_HEADERS else hiding.inner(value)


def _meaning_of_word(word: re.Match[str]) -> str:
    content = a2b_qp(word[2], header=True) if word[1] in "qQ" else decoded_base64(word[2])
    return content.decode("utf-8", "replace")


def _masked_protocols(value: str, hiding: Hiding) -> str:
    """Hide what clients without other headers send as the protocol of a socket: "access_token, x"."""
    protocols = value.split(",")
    for position, protocol in enumerate(protocols):
        word = protocol.strip()
        prefixed = _PREFIXED_PROTOCOL.match(word)
        if prefixed is not None and word[prefixed.end() :] != hiding.replacement:
            protocols[position] = prefixed[0] + hiding.hide("protocol of a socket", word[prefixed.end() :])
        elif hiding.is_secret(word) and position + 1 < len(protocols) and protocols[position + 1].strip():
            rest = ",".join(protocols[position + 1 :]).strip()
            hidden = rest if rest == hiding.replacement else hiding.hide("protocol of a socket", rest)
            return ",".join((*protocols[: position + 1], f" {hidden}"))
    return hiding.inner(",".join(protocols))


def _hidden_cookies(parts: Sequence[str], rule: str, hiding: Hiding, *, has_attributes: bool) -> Iterator[str]:
    """Hide the values of cookies; `has_attributes` tells that those behind the first may be attributes of it."""
    # A client can send a secret as the name of a cookie.
    suspected = suspects([part.partition("=")[0] for part in parts], hiding)
    for position, part in enumerate(parts):
        name, equals, value = part.partition("=")
        if has_attributes and position > 0 and _COOKIE_ATTRIBUTE.fullmatch(part) is not None:
            yield part
        elif not equals:
            yield part if part.strip() in ("", hiding.replacement) else hiding.hide(rule, part)
        elif not value.strip() or value == hiding.replacement:
            yield part
        else:
            shown = detectors.detect(name, hiding) if name in suspected else name
            yield f"{shown}={hiding.hide(rule, value)}"
