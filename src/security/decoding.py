"""The beginning of a compressed body, as text; what is unpacked is bounded, whatever the body would unpack to."""

from __future__ import annotations

import zlib
from typing import Final

# zlib finds out by itself whether it is zlib or gzip (RFC 1950 and 1952).
_EITHER: Final = zlib.MAX_WBITS | 32
# Some servers send "deflate" without the zlib wrapper.
_RAW: Final = -zlib.MAX_WBITS
# As much is unpacked where the whole body is asked for.
_MOST: Final = 16_000_000


def decoded_beginning(content: bytes, encoding: str, bound: int | None) -> bytes | None:
    """Unpack at most `bound` bytes; None for an encoding that is not known here, or for what is none of it."""
    name = encoding.strip().lower()
    if name in ("", "identity"):
        return content
    if name in ("gzip", "x-gzip", "deflate"):
        for window in (_EITHER, _RAW):
            try:
                # 0 would mean no bound.
                return zlib.decompressobj(window).decompress(content, max(1, _MOST if bound is None else bound))
            except zlib.error:
                continue
    return None
