"""Forms as browsers send them (WHATWG URL, application/x-www-form-urlencoded), and query strings."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from .hiding import Hiding

_IS_FORM: Final = re.compile(r"[^\s=&]*+=[^\r\n]*+[\r\n]*\Z|[^\s=&]*+&[^\r\n]*+\Z")


def mask_form(text: str, hiding: Hiding) -> str | None:
    """Hide the values of secret fields, and what is secret in other values; None for what is no form."""
    if _IS_FORM.match(text) is None:
        return None
    return mask_fields(text, hiding)


def mask_fields(text: str, hiding: Hiding, separator: str = "&") -> str:
    """Mask fields with a separator between them; what has nothing to hide stays byte for byte."""
    return separator.join([_masked(field, hiding) for field in text.split(separator)])


def _masked(field: str, hiding: Hiding) -> str:
    name, equals, value = field.partition("=")
    if not equals:
        return _masked_text(name, hiding)
    key = unquote_plus(name)
    if not value or value == hiding.replacement:
        return field
    if hiding.is_secret(key):
        return f"{name}={hiding.hide(f'key {key}', value)}"
    return f"{_masked_text(name, hiding)}={_masked_text(value, hiding)}"


def _masked_text(text: str, hiding: Hiding) -> str:
    decoded = unquote_plus(text)
    masked = hiding.inner(decoded)
    if masked == decoded:
        return text
    replacement = hiding.replacement
    if not replacement:
        return quote_plus(masked)
    # The replacement stays readable.
    return replacement.join(quote_plus(part) for part in masked.split(replacement))
