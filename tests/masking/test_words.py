"""The words of a command line, and what an error quotes of the request in which it was raised."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from security.fields import CommandLine
from security.masking import mask_path, mask_text, mask_words
from security.sources.quoted import without_quoted

S = "hunter2Xq9"
LINE = CommandLine(10_000)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--password", "it's " + S], ["--password", "[Filtered]"]),
        ([f"--token=a b {S}"], ["--token=[Filtered]"]),
        (["-e", f"DB_PASSWORD='a' {S}"], ["-e", "DB_PASSWORD=[Filtered]"]),
        (["--header", f'X-Api-Key: "a" {S}'], ["--header", "X-Api-Key: [Filtered]"]),
        (["--header", f"Authorization: Bearer {S}"], ["--header", "Authorization: Bearer [Filtered]"]),
        (["--password", "--verbose", "x"], ["--password", "--verbose", "x"]),
        (["--token-count=3", "token", "refresh", "now"], ["--token-count=3", "token", "refresh", "now"]),
        (["--url", "https://h.example/a?b=c", "--password-length=12"], None),
        (["a=1\npassword=x\nc=d"], ["a=1\npassword=[Filtered]\nc=d"]),
    ],
)
def test_the_value_of_a_secret_option_is_hidden_to_the_end_of_its_word(words: list[str], expected: object) -> None:
    assert mask_words(words) == (words if expected is None else expected)


@given(st.text(max_size=40), st.sampled_from(["--password", "--api-key", "--DB_TOKEN"]), st.booleans())
def test_no_quotes_keep_a_secret_from_being_hidden(more: str, name: str, is_one_word: bool) -> None:
    value = f"{S}{more}"
    words = ["run", f"{name}={value}"] if is_one_word else ["run", name, value]
    stored = LINE.clean([*words, "end"])
    assert stored is not None
    assert stored == f"run {name}{'=' if is_one_word else ' '}[Filtered] end"
    # As it is when it is masked again.
    assert LINE.clean(stored) == stored


@given(st.lists(st.text(max_size=20), max_size=5))
def test_masking_a_line_twice_is_masking_it_once(words: list[str]) -> None:
    stored = LINE.clean(words)
    assert LINE.clean(stored) == stored


def test_a_line_that_was_cut_inside_quotes_is_masked_as_text() -> None:
    assert LINE.clean(f"run --password={S} --note 'it") == "run --password=[Filtered] --note 'it"


@pytest.mark.parametrize("value", ["a%20b%20c", "it%27s+9+x", "%22a%22+x"])
def test_what_is_encoded_in_an_address_ends_with_it(value: str) -> None:
    assert mask_text(f"GET /?a=1&password={value} HTTP/1.1") == "GET /?a=1&password=[Filtered] HTTP/1.1"


def test_what_was_taken_for_a_path_is_masked_as_what_it_is() -> None:
    assert S not in mask_path(f"/%5B('a',%20'b'),%20('password',%20'{S}==')%5D")
    assert S not in mask_path(f"/%7B%22password%22:%22a/{S}%22%7D")


def test_an_error_quotes_no_secret_of_its_request() -> None:
    url = urlsplit(f"https://ann:{S}@h.example/token/{S}/?password={S}&a=1")
    headers = {"Accept": "text/html", "X-Api-Key": f"{S}\n", "Cookie": [f"a={S}", "b='x\\y'"]}
    for quoted in (
        f"url: /token/{S}/",
        f"with {S!r}",
        f"b'{S}\\n'",
        repr(f"a={S}"),
        f"?password={S}&a=1",
        f"ann:{S}@h",
    ):
        assert S not in without_quoted(f"E: {quoted} (text/html)", url, headers)
    assert without_quoted("E: text/html at /token/", url, headers) == "E: text/html at /token/"
