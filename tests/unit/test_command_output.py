"""The text that is recorded of an output."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.sources.commands.text import TextTail, readable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b[2K\x1b[1A10 %\r100 %\n", "100 %\n"),
        ("a\r\nb\r\n", "a\nb\n"),
        ("plain", "plain"),
        ("\x1b[", "\x1b["),
    ],
)
def test_a_terminals_controls_are_dropped(text: str, expected: str) -> None:
    assert readable(text) == expected


@given(st.lists(st.text("ab\n", max_size=30)), st.integers(0, 50), st.integers(0, 20))
def test_the_tail_is_the_end_of_what_was_added(pieces: list[str], length: int, slack: int) -> None:
    tail = TextTail(length, slack)
    for piece in pieces:
        tail.add(piece)
    whole = "".join(pieces)
    text = str(tail)
    assert len(text) <= length
    assert text == whole if len(whole) <= length else whole.endswith(text.removeprefix("…"))


@given(st.text("\x1b[]0m;\r\na\x07", max_size=200))
def test_any_text_is_readable(text: str) -> None:
    assert len(readable(text)) <= len(text)


def test_a_flood_is_held_in_bounds() -> None:
    tail = TextTail(100, 20)
    for number in range(10_000):
        tail.add(f"{number}\n")
        assert tail._size <= 120 + 6
    assert str(tail).endswith("9999\n")


PART = 'Content-Disposition: form-data; name="password"\nContent-Type: text/plain\n\nhunter2\n--b\nnext\n'


@pytest.mark.parametrize("text", [PART, "password:\n  hunter2\nnext\n", "password:\n\n  hunter2\nnext\n"])
def test_a_value_in_a_line_of_its_own_does_not_lose_its_name_wherever_the_cut_is(text: str) -> None:
    for length in range(2, len(text)):
        kept = str(cut_to(length, text))
        assert "hunter2" not in kept or "assword" in kept
        assert "next" in kept or length < len("--b\nnext\n") + 2


def test_of_lines_that_are_all_indented_some_are_kept() -> None:
    assert str(cut_to(60, "  line\n" * 20)).count("  line\n") >= 3


def cut_to(length: int, text: str) -> TextTail:
    tail = TextTail(length, 0)
    tail.add(text)
    return tail
