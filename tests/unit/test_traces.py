"""W3C Trace Context: what comes in is kept, and what goes out is of the same trace."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security import recording
from security.context import inside
from security.ids import new_id
from security.records import InputRequestRecord
from security.traces import Traceparent, incoming, span_id_of

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-01"),
        (f" 00-{TRACE}-{SPAN}-00 ", f"00-{TRACE}-{SPAN}-00"),
        # A later version may say more, and is passed on as the one that is known here.
        (f"cc-{TRACE}-{SPAN}-01-more", f"00-{TRACE}-{SPAN}-01"),
        (f"00-{TRACE}-{SPAN}-ff", f"00-{TRACE}-{SPAN}-03"),
        (f"00-{TRACE}-{SPAN}-01-more", None),
        (f"ff-{TRACE}-{SPAN}-01", None),
        (f"00-{'0' * 32}-{SPAN}-01", None),
        (f"00-{TRACE}-{'0' * 16}-01", None),
        (f"00-{TRACE.upper()}-{SPAN}-01", None),
        (f"00-{TRACE}-{SPAN}", None),
        (f"cc-{TRACE}-{SPAN}-01more", None),
        ("", None),
        (None, None),
        ("-" * 1_000_000, None),
    ],
)
def test_a_header_is_read_as_the_specification_says(header: str | None, expected: str | None) -> None:
    assert incoming(header, "vendor=1")[0] == expected
    assert incoming(header, "vendor=1")[1] == (None if expected is None else "vendor=1")


@pytest.mark.parametrize("state", [None, "", " ", "a=1\r\nX-Forged: 1", "a=é", "a=" + "x" * 10_000])
def test_a_state_that_cannot_be_passed_on_is_not(state: str | None) -> None:
    assert incoming(f"00-{TRACE}-{SPAN}-01", state) == (f"00-{TRACE}-{SPAN}-01", None)


@given(st.text(alphabet=string.hexdigits + "-\n ", max_size=80))
def test_whatever_is_read_is_valid(header: str) -> None:
    read = Traceparent.read(header)
    assert read is None or Traceparent.read(str(read)) == read._replace(flags=read.flags & 3)


@pytest.mark.parametrize("own", [None, f"00-{'a' * 32}-{SPAN}-01"])
def test_a_record_that_came_with_a_trace_keeps_it(own: str | None) -> None:
    parent = InputRequestRecord(traceparent=f"00-{TRACE}-{SPAN}-01")
    record = InputRequestRecord(traceparent=own)
    with inside(parent):
        (entry,) = recording.begin(record)
    assert entry.traceparent == (own or f"00-{TRACE}-{span_id_of(record.id)}-01")


def test_the_span_of_a_record_is_the_end_of_its_id() -> None:
    record_id = new_id()
    child = Traceparent.read(f"00-{TRACE}-{SPAN}-01").of_child(record_id)  # type: ignore[union-attr]
    assert str(child) == f"00-{TRACE}-{span_id_of(record_id)}-01"
    assert record_id.hex.endswith(child.span_id)
