"""Message bodies: the bytes that were seen pass, and the text that is made of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from email.message import Message
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import lru_cache
from typing import Final

from security.config import settings
from security.masking import mask_body
from security.truncation import fit_text, truncate_json, without_cut_end

# What is looked at beyond what is stored: room for a secret that begins where the stored text ends, and for long
# texts in JSON, which are shortened.
_LEAST_CAPTURE: Final = 16_384
# Python also has codecs that are slow (punycode and idna are quadratic) or no charsets at all (zlib). These are the
# ones of the WHATWG Encoding Standard, and UTF-32.
_CODECS: Final = frozenset(
    (
        *(
            "ascii",
            "utf_8",
            "utf_16",
            "utf_16_le",
            "utf_16_be",
            "utf_32",
            "utf_32_le",
            "utf_32_be",
            "latin_1",
        ),
        *(f"iso8859_{part}" for part in (2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15, 16)),
        *(f"cp{page}" for page in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)),
        *("koi8_r", "koi8_u", "mac_roman", "mac_cyrillic", "gbk", "gb2312", "gb18030", "big5"),
        *("euc_jp", "shift_jis", "euc_kr"),
    )
)
# In these the marks of JSON are those of ASCII, whatever else a byte means.
_OF_ONE_BYTE: Final = frozenset(
    codec for codec in _CODECS if codec.startswith(("latin", "iso8859", "cp", "koi8", "mac"))
)
# Labels are looked up here and not by `codecs`, which keeps every unknown label that a client ever sent.
_CODEC_OF_LABEL: Final = {label: codec for label, codec in aliases.items() if codec in _CODECS} | {
    codec: codec for codec in _CODECS
}


def capture_bound(limit: int | None) -> int | None:
    """Tell how many bytes of a body have to be seen to store `limit` characters of it; None is all of them."""
    return None if limit is None else max(_LEAST_CAPTURE, 4 * limit)


class Beginning:
    """The first bytes of what passes by; `bound` is how many are kept at most, None is all of them."""

    __slots__ = ("_kept", "_room")

    def __init__(self, bound: int | None) -> None:
        self._kept = bytearray()
        self._room = bound

    @property
    def room(self) -> int | None:
        """How many bytes more are kept; None is all of them."""
        return self._room

    @property
    def is_full(self) -> bool:
        return self._room == 0

    def add(self, chunk: bytes | memoryview) -> None:
        if self._room is None:
            self._kept += chunk
        elif self._room > 0:
            part = chunk[: self._room]
            self._kept += part
            self._room -= len(part)

    def __bytes__(self) -> bytes:
        return bytes(self._kept)


@dataclass(frozen=True, slots=True)
class MediaType:
    """A Content-Type header (RFC 9110, 8.3), read leniently."""

    name: str
    charset: str

    @property
    def is_json(self) -> bool:
        return self.name == "application/json" or self.name.endswith("+json")

    @property
    def is_stored(self) -> bool:
        """Whether SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES has it, in capitals or not (RFC 9110, 8.3.1)."""
        types = settings.LOG_RESPONSE_BODY_CONTENT_TYPES
        return self.name in types or any(self.name == str(stored).lower() for stored in types)


def media_type(content_type: str) -> MediaType:
    """Read the value of a Content-Type header; a charset that is none of the web's is taken for UTF-8."""
    return _media_type(content_type[:200])


@lru_cache(maxsize=256)
def _media_type(content_type: str) -> MediaType:
    message = Message()
    message["Content-Type"] = content_type.replace("\n", " ").replace("\r", " ")
    label = normalize_encoding(str(message.get_param("charset", "utf-8"))).lower()
    name = content_type.partition(";")[0].strip().lower()
    return MediaType(name, _CODEC_OF_LABEL.get(label, "utf_8"))


@dataclass(frozen=True, slots=True)
class Body:
    """The beginning of a body, as the bytes that passed."""

    content: bytes
    content_type: str

    def stored(self, limit: int | None) -> str:
        """Give the text to store: decoded, masked, and then cut to `limit` characters; JSON stays JSON.

        A body of a content type that is not in SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES gives an empty text.
        """
        kind = media_type(self.content_type)
        if not self.content or not kind.is_stored:
            return ""
        text = decoded_body(self.content, kind)
        bound = capture_bound(limit)
        return stored_body(text, kind, limit, is_whole=bound is None or len(self.content) < bound)


def stored_body(text: str, kind: MediaType, limit: int | None, *, is_whole: bool) -> str:
    """Mask a body, and cut it to `limit` characters; `is_whole` says that nothing of it is missing yet."""
    # Masking comes before any cut, which could otherwise bare the half of a secret.
    text = mask_body(text, kind.name)
    if limit is None or (is_whole and len(text) <= limit):
        return fit_text(text, limit)
    string_limit = settings.LOG_JSON_STRING_LENGTH
    if kind.is_json and string_limit is not None:
        shortened = truncate_json(text, limit, string_limit)
        if shortened is not None:
            return fit_text(shortened, None)
    return fit_text(text if is_whole else without_cut_end(text), limit)


def decoded_body(content: bytes, kind: MediaType) -> str:
    """Decode a body as its type says, or as its first bytes do."""
    charset, head = kind.charset, content[:4]
    # Of JSON the bytes themselves say it (RFC 4627, 3), of anything a byte order mark does; the site's parsers look
    # there too, whatever the header says.
    if kind.is_json or content[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in head:
        # Most begin with plain letters and marks, which needs no closer look.
        is_plain = head.isascii() and b"\0" not in head
        detected = "utf-8" if is_plain else json.detect_encoding(head)
        # JSON in another charset is none by the letter, but sites that are old enough read it.
        charset = charset if detected == "utf-8" and kind.charset in _OF_ONE_BYTE else detected
    return content.decode(charset, "replace")


def is_encoded(content_encoding: str) -> bool:
    """Tell whether a body is compressed or otherwise encoded (RFC 9110, 8.4), so that its bytes are no text."""
    return content_encoding.strip().lower() not in ("", "identity")
