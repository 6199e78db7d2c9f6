"""What is stored fits, and JSON stays JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from security.truncation import ELLIPSIS, fit_mapping, fit_text, truncate_json

JSON = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=40,
)


@given(JSON, st.integers(3, 400), st.integers(0, 60), st.booleans())
@example({"k0": 1, "k1": 1}, 15, 30, True)
def test_a_truncated_json_document_is_valid_and_within_its_limit(
    value: Any, limit: int, string_limit: int, is_ascii: bool
) -> None:
    shortened = truncate_json(json.dumps(value, ensure_ascii=is_ascii), limit, string_limit)
    if shortened is not None:
        json.loads(shortened)
        assert len(shortened) <= limit


@given(JSON)
def test_a_document_with_room_enough_keeps_its_value(value: Any) -> None:
    shortened = truncate_json(json.dumps(value), 10**6, 10**6)
    assert shortened is not None
    assert json.loads(shortened) == value


@given(JSON, st.data())
def test_a_document_that_was_cut_off_anywhere_becomes_valid_or_is_said_to_be_none(value: Any, data: Any) -> None:
    text = json.dumps(value)
    cut = text[: data.draw(st.integers(0, len(text)))]
    shortened = truncate_json(cut, 10**6, 10**6)
    if shortened is not None:
        json.loads(shortened)
    else:
        # Nothing of a container was seen, or a scalar is incomplete.
        assert not cut.lstrip().startswith(("{", "["))


@given(st.text())
def test_any_text_is_json_or_is_said_to_be_none(text: str) -> None:
    shortened = truncate_json(text, 50, 10)
    if shortened is not None:
        json.loads(shortened)


@pytest.mark.parametrize(
    "text", ["[1 2]", '{"a" 1}', "{1: 2}", "[1,]x", '{"a":1}}', "nul", "'a'", "[}", "01", '["\n"]']
)
def test_what_is_no_json_is_said_to_be_none(text: str) -> None:
    assert truncate_json(text, 1000, 100) is None


def test_long_texts_are_cut_and_say_so() -> None:
    assert truncate_json('{"a": "bbbbbbbbbb", "c": 1}', 100, 4) == '{"a":"bbbb…","c":1}'


def test_a_cut_does_not_split_an_escape_or_a_surrogate_pair() -> None:
    assert truncate_json(r'["\u00e9\u00e9\u00e9"]', 100, 2) == r'["\u00e9\u00e9…"]'
    assert truncate_json(r'["a\ud83d\ude00bc"]', 100, 2) == '["a…"]'


def test_members_that_do_not_fit_are_left_out_from_the_end() -> None:
    shortened = truncate_json(json.dumps({f"name{i}": i for i in range(100)}), 60, 250)
    assert shortened is not None
    assert json.loads(shortened) == {"name0": 0, "name1": 1, "name2": 2, "name3": 3, "name4": 4, ELLIPSIS: ELLIPSIS}


def test_texts_are_shortened_further_before_members_are_left_out() -> None:
    text = json.dumps({"note": "n" * 400, "name": "Ann", "street": "s" * 300, "count": 7})
    assert truncate_json(text, 100, 250) == f'{{"note":"{"n" * 12}…","name":"Ann","street":"{"s" * 12}…","count":7}}'


def test_where_members_are_left_out_in_any_case_a_long_text_leaves_room_for_others() -> None:
    text = json.dumps({"note": "n" * 400} | {f"name{i}": i for i in range(100)})
    shortened = truncate_json(text, 100, 250)
    assert shortened is not None
    assert json.loads(shortened) == {
        "note": "n" * 25 + ELLIPSIS,
        **{f"name{i}": i for i in range(5)},
        ELLIPSIS: ELLIPSIS,
    }


def test_what_is_hidden_stays_whole_where_texts_are_shortened_further() -> None:
    text = json.dumps({"note": "n" * 400, "password": "[Filtered]", "street": "s" * 300})
    shortened = truncate_json(text, 100, 250)
    assert shortened is not None
    assert json.loads(shortened)["password"] == "[Filtered]"


def test_names_are_kept_longer_than_texts() -> None:
    name = "a_name_of_24_characters_"
    shortened = truncate_json(json.dumps({name: "n" * 400, "b": "b" * 30, "c": "c" * 30}), 100, 250)
    assert shortened is not None
    assert list(json.loads(shortened)) == [name, "b", "c"]


@pytest.mark.parametrize("limit", [0, 5, 249])
def test_a_limit_of_texts_is_none_of_names_and_numbers(limit: int) -> None:
    text = json.dumps({"customer_address": "a" * 300, "amount_total": 123_456_789_012_345})
    shortened = truncate_json(text, 1000, limit)
    assert shortened is not None
    assert json.loads(shortened) == {
        "customer_address": "a" * limit + ELLIPSIS,
        "amount_total": 123_456_789_012_345,
    }


@pytest.mark.parametrize(
    ("beginning", "shortened"),
    [
        ('{"id": 1, "file": "', '{{"id":1,"file":"{0}","…":"…"}}'),
        ('["a", ["', '["a",["{0}","…"]]'),
        ('"', '"{0}"'),
    ],
)
def test_a_long_text_that_the_end_was_cut_off_keeps_its_name_and_its_beginning(beginning: str, shortened: str) -> None:
    text = beginning + "word " * 4_000
    assert truncate_json(text, 1000, 250) == shortened.format("word " * 50 + ELLIPSIS)
    # What follows a word can tell that it was secret: of one word, nothing is kept.
    text = beginning + "x" * 20_000
    assert truncate_json(text, 1000, 250) == shortened.format(ELLIPSIS)


@given(st.text(max_size=400), st.integers(0, 300))
@example("a" * 255, 250)
@example("a" * 256, 250)
def test_of_a_text_that_the_end_was_cut_off_the_last_characters_are_not_kept(content: str, limit: int) -> None:
    text = json.dumps({"a": content})[:-2]
    shortened = truncate_json(text, 10**6, limit)
    assert shortened is not None
    document = json.loads(shortened)
    assert document.keys() == ({"a", ELLIPSIS} if len(text) > 262 else {ELLIPSIS})
    assert content.startswith(document.get("a", "").removesuffix(ELLIPSIS))
    kept = json.dumps(document.get("a", "").removesuffix(ELLIPSIS))[1:-1]
    assert len(kept) <= max(0, len(text) - len('{"a": "') - 256)


def test_a_document_that_is_no_json_behind_what_fits_is_shortened_all_the_same() -> None:
    assert truncate_json('{"a": 1, "note": "' + "n" * 400 + '", x}', 100, 250) == '{"a":1,"…":"…"}'


def test_a_document_nested_100_000_deep_is_shortened_without_recursion() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    shortened = truncate_json(deep, 1000, 250)
    assert shortened is not None
    json.loads(shortened)
    assert len(shortened) <= 1000


def test_a_number_of_12_000_digits_becomes_a_text_that_says_so() -> None:
    assert truncate_json(f"[{'7' * 12_000}]", 1000, 5) == f'["{"7" * 250}…"]'


@pytest.mark.parametrize(
    "hostile",
    [
        "[" * 10**6,
        '"' + "\\" * 10**6,
        '["' + "\\u00e9" * 200_000,
        "{" + '"a":{' * 200_000,
        "[" + " " * 10**6 + "]",
        "[" + "-" * 10**6,
        "[" + "1" * 10**6,
        "[" + "1e" * 500_000,
        '["a"' * 250_000,
    ],
)
def test_hostile_documents_end(hostile: str) -> None:
    # A step that looked back would make these run for minutes, which ends the run.
    shortened = truncate_json(hostile, 1000, 250)
    assert shortened is None or json.loads(shortened) is not None


@given(st.text(st.characters()), st.integers(0, 50))
@example("\ud800" * 10, 10)
def test_a_text_fits_and_every_database_takes_it(text: str, limit: int) -> None:
    fitted = fit_text(text, limit)
    assert len(fitted) <= limit
    assert "\0" not in fitted
    fitted.encode()


def test_nul_and_lone_surrogates_stay_readable() -> None:
    assert fit_text("a\0b\ud800c", None) == "a␀b\\ud800c"


def test_a_cut_text_ends_with_an_ellipsis() -> None:
    assert fit_text("abcdef", 4) == "abc…"
    assert fit_text("abcd", 4) == "abcd"


@given(
    st.dictionaries(st.text(), st.text() | st.lists(st.text())),
    st.integers(1, 60),
)
def test_a_mapping_holds_little_more_than_its_limit(mapping: dict[str, str | list[str]], limit: int) -> None:
    fitted = fit_mapping(mapping, limit)
    length = sum(
        len(name) + (len(value) if isinstance(value, str) else sum(map(len, value))) for name, value in fitted.items()
    )
    # What says that something is missing comes on top.
    assert length <= limit + 30


def test_many_values_are_cut_even_if_they_are_empty() -> None:
    assert fit_mapping({"a": [""] * 100}, 10) == {"a": [*[""] * 9, ELLIPSIS]}


def test_a_mapping_says_how_many_members_it_lost() -> None:
    assert fit_mapping({"a": "1" * 8, "b": "2", "c": "3"}, 9) == {"a": "11111111", ELLIPSIS: "2 more"}
