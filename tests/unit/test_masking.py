"""The documented patterns hide what they say (published section "Sensitive data")."""

from __future__ import annotations

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from security.masking import mask_members, mask_text

_MULTIPART = 'Content-Disposition: form-data; name="password"\r\n\r\n[Filtered]\r\n--x'


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('{"password": "secret", "a": 1}', '{"password": "[Filtered]", "a": 1}'),
        ('{"PASSWORD" : "se\\"cret"}', '{"PASSWORD" : "[Filtered]"}'),
        ("<password>secret</password>", "<password>[Filtered]</password>"),
        ("a=1&password=secret&b=2", "a=1&password=[Filtered]&b=2"),
        ("csrfmiddlewaretoken=abc", "csrfmiddlewaretoken=[Filtered]"),
        ('Content-Disposition: form-data; name="password"\r\n\r\nsecret\r\n--x', _MULTIPART),
        ('{"access_key": "abc"}', '{"access_key": "[Filtered]"}'),
        ("nothing to hide", "nothing to hide"),
        ("password=", "password="),
    ],
)
def test_the_default_patterns_hide_bodies(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@pytest.mark.parametrize(
    "name",
    ["Authorization", "authorization", "X-Authorization", "Cookie", "Set-Cookie", "X-Csrf-Token", "X_Authorization"],
)
def test_the_default_patterns_hide_headers_in_either_spelling(name: str) -> None:
    assert mask_members({name: "secret", "Host": "a"}, "HEADERS") == {name: "[Filtered]", "Host": "a"}


def test_each_value_of_a_repeated_query_is_hidden() -> None:
    assert mask_members({"my_token": ["a", "b"], "q": "1"}, "QUERIES") == {
        "my_token": ["[Filtered]", "[Filtered]"],
        "q": "1",
    }


@override_settings(
    SECURITY_HIDE_SENSITIVE_DATA_PATTERNS={"BODY": [r"a(b)?c(d)", r"whole"], "HEADERS": ["x"]},
    SECURITY_SENSITIVE_DATA_REPLACEMENT=r"\1*",
)
def test_a_sites_own_patterns_and_replacement_are_read_when_used() -> None:
    assert mask_text("abcd acd whole parcel=x") == r"a\1*c\1* ac\1* \1* parcel=x"
    assert mask_members({"X": "1", "Accept": "2"}, "HEADERS") == {"X": r"\1*", "Accept": "2"}
    assert mask_members({"tokenizer": "1"}, "QUERIES") == {"tokenizer": "1"}


@override_settings(SECURITY_HIDE_SENSITIVE_DATA=False)
def test_masking_can_be_switched_off() -> None:
    assert mask_text("password=x") == "password=x"
    assert mask_members({"Cookie": "2"}, "HEADERS") == {"Cookie": "2"}


@given(st.text("abc=&password"))
def test_masking_twice_is_masking_once(text: str) -> None:
    assert mask_text(mask_text(text)) == mask_text(text)
