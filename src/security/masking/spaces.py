"""Spaces of all kinds, as parts of expressions: texts have more of them than Python's `\\s` knows."""

from __future__ import annotations

from typing import Final

# They have no width: a reader does not see them in a name or beside a sign.
UNSEEN: Final = r"\x00-\x08\u00ad\u180e\u200b-\u200f\u2060\ufeff"
# A space that does not end the line
BLANK: Final = rf"[ \t\x0b\x0c\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000{UNSEEN}]"
SPACE: Final = rf"[\s{UNSEEN}]"
