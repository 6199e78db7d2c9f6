"""Addresses (RFC 3986): user-info, path, query and fragment, each by its own rules."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from .forms import mask_fields
from .hiding import Hiding

_PARTS: Final = re.compile(r"((?:[A-Za-z][A-Za-z0-9+.\-]*+:)?(?://[^/?#\s]*+)?)([^?#]*+)(\?[^#]*+)?(#.*+)?", re.DOTALL)
_PATH_IN_TEXT: Final = re.compile(r"(?<=://)[^\s\"'<>?#\\]++")
_NEVER_IN_PATHS: Final = re.compile(r"[\r\n\"'<>{}]")
# /token/abc123/, but not /token/refresh/
_LOOKS_SECRET: Final = re.compile(r"(?=[^/]*[0-9])[^/]{6,}|[^/]{24,}")


def mask_url(text: str, hiding: Hiding) -> str:
    """Mask an address, whole or only its end; what has nothing to hide stays byte for byte."""
    match = _PARTS.fullmatch(text.strip())
    if match is None or text != text.strip():
        return hiding.inner(text)
    origin, path, query, fragment = (part or "" for part in match.groups())
    if query:
        query = "?" + mask_fields(query[1:], hiding)
    if fragment:
        fragment = "#" + mask_fields(fragment[1:], hiding)
    masked = mask_path(path, hiding) + query + fragment
    # User-info is found by the detector of the whole.
    return hiding.inner(origin + masked) if "//" in origin and "@" in origin else origin + masked


def mask_urls_in_text(text: str, hiding: Hiding) -> str:
    """Mask the paths of the addresses in a text; what else they hold is found as in any text."""
    return _PATH_IN_TEXT.sub(lambda path: mask_segments(path[0], hiding), text) if "://" in text else text


def mask_host(host: str, hiding: Hiding) -> str:
    """Mask a host, which may come with user-info in front of it."""
    user_info, at, name = host.rpartition("@")
    if at and user_info != hiding.replacement:
        return f"{hiding.hide('user-info of a host', user_info)}@{hiding.inner(name)}"
    return host if at else hiding.inner(host)


def mask_path(path: str, hiding: Hiding) -> str:
    """Mask a path: parameters (/a;sid=x), segments behind the name of a secret (/token/x), and what detectors find."""
    decoded = unquote(path)
    if _NEVER_IN_PATHS.search(decoded) is not None:
        # Something else was taken for one.
        safe = hiding.inner(decoded)
        path = path if safe == decoded else safe
    masked = "/".join(_masked_segment(segment, hiding) for segment in mask_segments(path, hiding).split("/"))
    # A detector may want to see more than one segment.
    return hiding.inner(masked)


def mask_segments(path: str, hiding: Hiding) -> str:
    """Hide the segments that look like secrets behind a segment that is the name of one."""
    segments = path.split("/")
    for position in range(1, len(segments)):
        name, segment = segments[position - 1], segments[position]
        if segment != hiding.replacement and _LOOKS_SECRET.fullmatch(segment) and hiding.is_secret(unquote(name)):
            segments[position] = hiding.hide(f"path {name}", segment)
    return "/".join(segments)


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
