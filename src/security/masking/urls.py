"""Addresses (RFC 3986): user-info, path, query and fragment, each by its own rules."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from .forms import mask_fields
from .hiding import Hiding

_PARTS: Final = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.\-]*+:)?(?://[^/?#\s]*+)?)([^?#]*+)(\?[^#]*+)?(#.*+)?", re.DOTALL)
_NEVER_IN_PATHS: Final = re.compile(r"[\r\n\"'<>{}]")
_PATH_IN_TEXT: Final = re.compile(r"(?<![\w.\-/])(?:[A-Za-z][\w+.\-]{0,20}+:\\*/\\*)?/[^\s\"'<>?`()\[\]{},]++")
# /token/abc123/, but not /token/refresh/
_LOOKS_SECRET: Final = re.compile(
    r"(?!.*\.(?:pyc?|m?js|css|html?|png|jpe?g|gif|svg|webp|ico|woff2?|map)(?::[0-9]+)*\Z)(?:(?=[^/]*[0-9])[^/]{6,}|[^/]{24,})",
    re.DOTALL,
)
_SLASH: Final = re.compile(r"([/\\])")
_ENCODED_SLASH: Final = re.compile(r"(?i)%(?:25)*2f")
# Empty segments, dots and parameters of an empty one are no places of their own.
_NO_SEGMENT: Final = re.compile(r"(?:\.|%2[eE]){0,2}(?:;.*)?", re.DOTALL)
_SIGN_IN_SEGMENT: Final = re.compile(r"([^:,]*+)([:,]?)(.*)", re.DOTALL)

_PASSES_ON: Final = re.compile(r"(?i:reset|confirm|key|change|verify|set|new|done)|[MNO][A-Za-z0-9]{1,5}")


def mask_url(text: str, hiding: Hiding) -> str:
    """Mask an address, whole or only its end; what has nothing to hide stays byte for byte."""
    match = _PARTS.fullmatch(text.strip())
    if match is None or text != text.strip():
        return hiding.inner(text)
    origin, path, query, fragment = (part or "" for part in match.groups())
    if query:
        query = "?" + mask_fields(query[1:], hiding)
    if fragment:
        # Sites of one page have a whole address there: #!/reset/token/x?a=b
        place, mark, fields = fragment.rpartition("?")
        fragment = mask_path(place, hiding) + mark if mark else ""
        is_path = not mark and "/" in fields and "=" not in fields
        fragment += mask_path(fields, hiding) if is_path else mask_fields(fields, hiding)
    masked = mask_path(path, hiding) + query + fragment
    # User-info is found by the detector of the whole.
    return hiding.inner(origin + masked) if "//" in origin and ("@" in origin or "%40" in origin) else origin + masked


def mask_urls_in_text(text: str, hiding: Hiding) -> str:
    """Mask the paths of the addresses in a text; what else they hold is found as in any text."""
    return _PATH_IN_TEXT.sub(lambda path: mask_segments(path[0], hiding), text) if "/" in text else text


def mask_host(host: str, hiding: Hiding) -> str:
    """Mask a host, which may come with user-info in front of it."""
    user_info, at, name = host.rpartition("@")
    if not at and "%40" in host:
        decoded = unquote(host)
        return mask_host(decoded, hiding) if "@" in decoded else hiding.inner(host)
    if at and user_info != hiding.replacement:
        return f"{hiding.hide('user-info of a host', user_info)}@{hiding.inner(name)}"
    return host if at else hiding.inner(host)


def mask_path(path: str, hiding: Hiding) -> str:
    """Mask a path: parameters (/a;sid=x), segments behind the name of a secret (/token/x), and what detectors find."""
    whole = unquote(path)
    if _NEVER_IN_PATHS.search(whole) is not None:
        # Something else was taken for one.
        safe = hiding.inner(whole)
        path = path if safe == whole else safe
    if _ENCODED_SLASH.search(path) is not None:
        decoded = _ENCODED_SLASH.sub("/", path)
        masked = mask_path(decoded, hiding)
        return path if masked == decoded else masked
    masked = "/".join(_masked_segment(segment, hiding) for segment in mask_segments(path, hiding).split("/"))
    # A detector may want to see more than one segment.
    return hiding.inner(masked)


def mask_segments(path: str, hiding: Hiding) -> str:
    """Hide the segments that look like secrets behind a segment that is the name of one."""
    segments = _SLASH.split(path)
    name = ""
    # The slashes themselves stand between the segments.
    for position in range(0, len(segments), 2):
        segment = segments[position]
        if _NO_SEGMENT.fullmatch(segment) is not None:
            continue
        # /token:x, /token,x
        before, sign, rest = _SIGN_IN_SEGMENT.match(segment).groups()  # type: ignore[union-attr]
        if segment != hiding.replacement and _LOOKS_SECRET.fullmatch(segment) and hiding.is_secret(unquote(name)):
            segments[position] = hiding.hide(f"path {name}", segment)
        elif (
            sign and rest != hiding.replacement and _LOOKS_SECRET.fullmatch(rest) and hiding.is_secret(unquote(before))
        ):
            segments[position] = before + sign + hiding.hide(f"path {before}", rest)
        # /password/reset/x, /password-reset-confirm/MQ/x: the name is said before.
        if _PASSES_ON.fullmatch(segment) is None or not hiding.is_secret(unquote(name)):
            name = segment
    return "".join(segments)


def _masked_segment(segment: str, hiding: Hiding) -> str:
    if not segment or segment == hiding.replacement:
        return segment
    if ";" in segment or "=" in segment:
        segment = mask_fields(segment, hiding, ";")
    decoded = unquote(segment)
    safe = hiding.inner(decoded)
    if safe == decoded:
        return segment
    # As in a form, the replacement stays readable.
    replacement = hiding.replacement
    return safe if decoded == segment or not replacement else replacement.join(map(quote, safe.split(replacement)))
