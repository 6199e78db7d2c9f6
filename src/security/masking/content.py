"""Which structure a text has, and masking it so."""

from __future__ import annotations

from typing import Final

from . import detectors
from .csv import looks_like_table, mask_csv
from .forms import mask_form
from .hiding import Hiding
from .json import looks_like_json, mask_embedded_json, mask_json
from .multipart import looks_like_multipart, mask_multipart
from .text import mask_pairs
from .xml import looks_like_xml, mask_xml

_BEGINNINGS: Final = ("{", "[", "<", '"')


def mask_body(text: str, media_type: str, hiding: Hiding) -> str | None:
    """Mask a body by the structure that it claims or has; None for a text that has none that is known."""
    if looks_like_json(text):
        # Whatever was claimed: a client that says "form" and sends JSON is common.
        return mask_json(text, hiding)
    if looks_like_multipart(text, media_type):
        return mask_multipart(text, hiding)
    if looks_like_xml(text):
        return mask_xml(text, hiding)
    if "json" in media_type:
        return mask_json(text, hiding)
    if media_type == "application/x-www-form-urlencoded":
        return mask_form(text, hiding)
    if media_type in ("text/csv", "text/tab-separated-values", "application/csv"):
        return mask_csv(text, hiding)
    return None


def mask_value(text: str, hiding: Hiding) -> str:
    """Mask a text from inside a structure, or of any other kind: by its own structure, or as text."""
    has_codes = "%" in text or "&#" in text or "\\" in text
    if not has_codes and not hiding.rules.keys.may_be_in(text.lower()):
        return detectors.detect(text, hiding)
    masked = mask_structure(text, hiding) if text[:64].lstrip("\ufeff \t\r\n")[:1] in _BEGINNINGS else None
    return mask_loose(text, hiding) if masked is None else masked


def mask_structure(text: str, hiding: Hiding) -> str | None:
    if looks_like_xml(text):
        return mask_xml(text, hiding)
    return mask_json(text, hiding)


def mask_loose(text: str, hiding: Hiding) -> str:
    """Mask a text that keeps to no structure, or to several."""
    if "\n" in text and looks_like_table(text, hiding):
        text = mask_csv(text, hiding) or text
    if "form-data" in text.lower():
        text = mask_multipart(text, hiding) or text
    if '"' in text:
        text = mask_embedded_json(text, hiding)
    if "<" in text:
        text = mask_xml(text, hiding) or text
    return detectors.detect(mask_pairs(text, hiding), hiding)
