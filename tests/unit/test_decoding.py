"""Compressed bodies are unpacked up to the bound, and what is none of it gives nothing."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.decoding import decoded_beginning

RAW = zlib.compressobj(wbits=-zlib.MAX_WBITS)


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("", b"text"),
        ("identity", b"text"),
        ("gzip", gzip.compress(b"text")),
        (" X-GZIP ", gzip.compress(b"text")),
        ("deflate", zlib.compress(b"text")),
        ("deflate", RAW.compress(b"text") + RAW.flush()),
    ],
)
def test_what_is_known_is_unpacked(encoding: str, content: bytes) -> None:
    assert decoded_beginning(content, encoding, 100) == b"text"
    assert decoded_beginning(content, encoding, None) == b"text"


def test_a_bomb_is_unpacked_up_to_the_bound() -> None:
    bomb = gzip.compress(bytes(50_000_000))
    assert decoded_beginning(bomb, "gzip", 1000) == bytes(1000)
    assert len(decoded_beginning(bomb, "gzip", None) or b"") == 16_000_000


def test_the_beginning_of_a_body_is_enough() -> None:
    content = gzip.compress(b"the beginning, " + bytes(range(256)) * 100)
    assert (decoded_beginning(content[: len(content) // 2], "gzip", 13) or b"") == b"the beginning"


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, br", "nonsense"])
def test_what_is_not_known_gives_nothing(encoding: str) -> None:
    assert decoded_beginning(b"text", encoding, 100) is None


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_whatever_comes_does_no_harm(content: bytes, encoding: str) -> None:
    assert len(decoded_beginning(content, encoding, 50) or b"") <= 50
