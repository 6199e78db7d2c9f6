"""Bodies become texts: decoded leniently, masked before they are cut."""

from __future__ import annotations

import json

import pytest
from django.test import override_settings

from security.body import Body, capture_bound, is_encoded, media_type


def test_only_the_configured_content_types_are_stored() -> None:
    assert Body(b"x", "text/html; charset=utf-8").stored(10) == "x"
    assert Body(b"x", "Text/HTML").stored(10) == "x"
    assert Body(b"x", "application/x-www-form-urlencoded").stored(10) == ""
    assert Body(b"x", "").stored(10) == ""
    with override_settings(SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=["text/plain"]):
        assert Body(b"x", "text/plain").stored(10) == "x"
        assert Body(b"x", "text/html").stored(10) == ""


@override_settings(SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=["Text/Plain"])
def test_a_content_type_is_the_same_in_capitals() -> None:
    assert Body(b"x", "text/plain").stored(10) == "x"
    assert Body(b"x", "TEXT/plain; charset=utf-8").stored(10) == "x"


def test_the_length_is_the_limit_and_none_is_no_limit() -> None:
    assert Body(b"a" * 20, "text/html").stored(10) == "a" * 9 + "…"
    assert Body(b"a" * 20_000, "text/html").stored(None) == "a" * 20_000
    assert Body(b"a", "text/html").stored(0) == ""


def test_json_is_shortened_to_json() -> None:
    body = Body(json.dumps({"a": "x" * 2000, "b": list(range(1000))}).encode(), "application/json")
    stored = body.stored(1000)
    assert len(stored) <= 1000
    assert json.loads(stored)["a"] == "x" * 250 + "…"
    with override_settings(SECURITY_LOG_JSON_STRING_LENGTH=None):
        assert body.stored(1000) == body.content.decode()[:999] + "…"


def test_json_that_was_cut_at_the_bound_of_the_capture_is_json_again() -> None:
    whole = json.dumps({"texts": ["y" * 100] * 1000}).encode()
    stored = Body(whole[: capture_bound(1000)], "application/problem+json").stored(1000)
    assert stored == ""
    stored = Body(whole[: capture_bound(1000)], "application/json").stored(1000)
    assert json.loads(stored)["texts"][0] == "y" * 100
    cut = json.dumps({"password": "z" * 50_000}).encode()[: capture_bound(1000)]
    masked = Body(cut, "application/json").stored(1000)
    assert json.loads(masked) == {"password": "[Filtered]", "…": "…"}


def test_a_cut_does_not_bare_half_a_secret() -> None:
    text = "<password>" + "z" * 50 + "</password>"
    assert "z" not in Body(text.encode(), "text/xml").stored(30)
    document = json.dumps({"password": "z" * 5000, "other": "o" * 5000})
    assert "z" not in Body(document.encode(), "application/json").stored(1000)


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf_8"),
        ("UTF8", "utf_8"),
        ("iso-8859-1", "latin_1"),
        ("windows-1250", "cp1250"),
        ("cp1250", "cp1250"),
        ("punycode", "utf_8"),
        ("zlib", "utf_8"),
        ("idna", "utf_8"),
        ("unicode_escape", "utf_8"),
        ("nonsense", "utf_8"),
        ("a\0b", "utf_8"),
    ],
)
def test_only_charsets_of_the_web_are_decoded(label: str, codec: str) -> None:
    assert media_type(f"text/html; charset={label}").charset == codec


def test_broken_bytes_are_replaced() -> None:
    assert Body(b"\xfa\xfba", "text/html; charset=utf-8").stored(10) == "\ufffd\ufffda"


@pytest.mark.parametrize(("limit", "bound"), [(None, None), (1000, 16_384), (10_000, 40_000), (0, 16_384)])
def test_what_is_captured_is_bounded_by_what_is_stored(limit: int | None, bound: int | None) -> None:
    assert capture_bound(limit) == bound


@pytest.mark.parametrize("label", ["", "; charset=utf-16", "; charset=utf-32", "; charset=ascii", "; charset=gb18030"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le"])
def test_json_is_read_as_its_bytes_say_whatever_its_label_says(label: str, encoding: str) -> None:
    body = Body('{"password": "hunter2"}'.encode(encoding), f"application/json{label}")
    assert body.stored(1000).lstrip("\ufeff") == '{"password": "[Filtered]"}'


def test_json_in_a_charset_of_one_byte_is_read_as_its_label_says() -> None:
    body = Body('{"a": "é"}'.encode("latin-1"), "application/json; charset=iso-8859-1")
    assert body.stored(1000) == '{"a": "é"}'


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32-le"])
def test_a_text_of_wide_characters_is_known_by_its_first_bytes(encoding: str) -> None:
    text = "<password>hunter2</password>"
    assert Body(text.encode(encoding), "text/xml").stored(1000).lstrip("\ufeff") == "<password>[Filtered]</password>"


@override_settings(SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=["application/problem+json"])
def test_a_type_that_is_written_in_json_is_shortened_to_json() -> None:
    whole = json.dumps({"detail": "x" * 2000})
    assert json.loads(Body(whole.encode(), "application/problem+json").stored(1000)) == {"detail": "x" * 250 + "…"}


def test_of_the_media_type_of_a_client_only_the_beginning_is_read_and_remembered() -> None:
    assert media_type("text/html; " + "a=b; " * 10 + "charset=latin-1").charset == "latin_1"
    assert media_type("text/html; " + "a=b; " * 100 + "charset=latin-1").charset == "utf_8"


@pytest.mark.parametrize(
    ("content_encoding", "encoded"),
    [("", False), (" ", False), ("identity", False), (" Identity ", False), ("gzip", True), ("identity, br", True)],
)
def test_a_body_without_an_encoding_is_text(content_encoding: str, encoded: bool) -> None:
    assert is_encoded(content_encoding) is encoded
