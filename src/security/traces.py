"""W3C Trace Context (https://www.w3.org/TR/trace-context/): which trace a record belongs to.

The span of a record is the end of its id, so that the two find each other without a column more.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from uuid import UUID

_TRACEPARENT: Final = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.*)?",
    re.DOTALL,
)
# What is meant by the other flags nobody knows yet: sampled, and random-trace-id.
_KNOWN_FLAGS: Final = 0x03
# A vendor's list may be longer; what is longer than this must not be cut, so it is not passed on.
_LONGEST_STATE: Final = 4096


class Traceparent(NamedTuple):
    """The parts of a `traceparent` header."""

    trace_id: str
    span_id: str
    flags: int

    @classmethod
    def read(cls, header: str | None) -> Traceparent | None:
        """Read a header; None for one that is not valid, as the specification asks (3.2.2)."""
        match = _TRACEPARENT.fullmatch(header.strip()) if header and len(header) <= _LONGEST_STATE else None
        if match is None or (match["version"] == "00" and match["more"]):
            return None
        return cls(match["trace"], match["span"], int(match["flags"], 16))

    def __str__(self) -> str:
        return f"00-{self.trace_id}-{self.span_id}-{self.flags & _KNOWN_FLAGS:02x}"

    def of_child(self, record_id: UUID) -> Traceparent:
        """Give the `traceparent` of a record in the same trace."""
        return self._replace(span_id=span_id_of(record_id))


def span_id_of(record_id: UUID) -> str:
    """Give the id of a record's span."""
    return f"{record_id.int & (1 << 64) - 1:016x}"


def incoming(traceparent: str | None, tracestate: str | None) -> tuple[str | None, str | None]:
    """Give what is to be kept of the two headers of a request."""
    read = Traceparent.read(traceparent)
    if read is None:
        return None, None
    state = tracestate.strip() if tracestate and len(tracestate) <= _LONGEST_STATE else None
    return str(read), state if state and state.isascii() and state.isprintable() else None
