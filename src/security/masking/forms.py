"""Forms as browsers send them (WHATWG URL, application/x-www-form-urlencoded), and query strings."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus, unquote_plus

from .hiding import Hiding
from .keys import NAMED_FIELDS, NAMING, is_code_of_oauth

_IS_FORM: Final = re.compile(r"[^\s=&]*+=[^\r\n]*+[\r\n]*\Z|[^\s=&]*+&[^\r\n]*+\Z")


def mask_form(text: str, hiding: Hiding) -> str | None:
    """Hide the values of secret fields, and what is secret in other values; None for what is no form."""
    if _IS_FORM.match(text) is None:
        return None
    return mask_fields(text, hiding)


def mask_fields(text: str, hiding: Hiding, separator: str = "&") -> str:
    """Mask fields with a separator between them; what has nothing to hide stays byte for byte."""
    fields = text.split(separator)
    is_named = any(_names_secret(field, hiding) for field in fields) if "=" in text else False
    is_code = any(field.startswith("code=") for field in fields) and _has_code_of_oauth(fields)
    return separator.join([_masked(field, hiding, is_named=is_named, is_code=is_code) for field in fields])


def _names_secret(field: str, hiding: Hiding) -> bool:
    """Tell whether a field names what another one holds: field=password&value=x."""
    name, _, value = field.partition("=")
    return name.lower() in NAMING and hiding.names_secret(unquote_plus(value))


def _has_code_of_oauth(fields: list[str]) -> bool:
    values = {name: value for name, _, value in (field.partition("=") for field in fields)}
    return is_code_of_oauth(values, values["code"], values.get("state", ""))


def _masked(field: str, hiding: Hiding, *, is_named: bool, is_code: bool) -> str:
    name, equals, value = field.partition("=")
    if not equals:
        return _masked_text(name, hiding)
    key = unquote_plus(name)
    if not value or value == hiding.replacement or hiding.is_count(key, value):
        return field
    if is_code and key == "code":
        return f"{name}={hiding.hide('code of OAuth', value)}"
    if hiding.is_secret(key) or (is_named and key.lower() in NAMED_FIELDS):
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
