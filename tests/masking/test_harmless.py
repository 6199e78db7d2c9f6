"""What is remembered of the texts that were searched: that some have no secret, and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from security import masking
from security.masking import harmless, members, urls
from security.masking.rules import current_rules
from security.masking.suspects import suspects

FORM = "application/x-www-form-urlencoded"
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJlLW9mLWl0"


@pytest.fixture(autouse=True, scope="module")
def rules_of_their_own() -> Iterator[None]:
    with override_settings(SECURITY_SENSITIVE_KEYS=["only here"]):
        yield


def remembered() -> set[str]:
    rules = current_rules()
    assert rules is not None
    return rules.harmless_texts._texts


def test_a_text_with_a_secret_is_never_remembered() -> None:
    masking.mask_members({"Accept": "text/html", "X-Note": f"take {TOKEN}", "Cookie": "sessionid=abc"}, "HEADERS")
    masking.mask_members({"page": "2", TOKEN: "", "token": "hunter2"}, "QUERIES")
    masking.mask_path(f"/a/{TOKEN}")
    masking.mask_host("ann:hunter2@shop.example")
    masking.mask_body('{"password": "hunter2"}', "application/json")
    assert {"text/html", "2"} <= remembered()
    assert not [text for text in remembered() if "hunter2" in text or TOKEN in text or "abc" in text]


def test_what_clients_invent_is_remembered_up_to_a_bound() -> None:
    for number in range(harmless._MOST + 500):
        masking.mask_members({"Accept": f"made-up/{number}"}, "HEADERS")
    masking.mask_members({"Accept": "made-up/" * 100}, "HEADERS")
    assert len(remembered()) <= harmless._MOST
    assert max(map(len, remembered())) <= harmless.LONGEST_REMEMBERED


def test_many_at_once_are_no_way_round_the_bound() -> None:
    masking.mask_members({f"n{number}": "" for number in range(harmless._MOST - 10)}, "QUERIES")
    masking.mask_members({f"m{number}": "" for number in range(2 * harmless._MOST)}, "QUERIES")
    assert len(remembered()) <= harmless._MOST


def test_no_long_name_is_remembered() -> None:
    known = members._rule_of_short_name.cache_info().currsize
    masking.mask_members({"x" * 41: "a"}, "HEADERS")
    assert members._rule_of_short_name.cache_info().currsize == known


@pytest.mark.parametrize(
    ("body", "media_type"),
    [
        ("contrasena=hunter2x", FORM),
        ("s_id=hunter2x", FORM),
        ("p-w=hunter2x", FORM),
        ("o.t.p: hunter2x", "text/plain"),
        ("user.p.i.n: hunter2x", "text/plain"),
        ("s-id,city\nhunter2x,Brno\n", "text/csv"),
        ('"s""id",city\nhunter2x,Brno\n', "text/csv"),
        ('{"s_id": "hunter2x"}', "application/json"),
        ('<p name="&#112;in" value="hunter2x"/>', "text/xml"),
        ('--b\r\nContent-Disposition: attachment; name="s_id"\r\n\r\nhunter2x\r\n--b--', "multipart/mixed"),
    ],
)
def test_a_name_in_pieces_is_not_overlooked(body: str, media_type: str) -> None:
    assert "hunter2x" not in masking.mask_body(body, media_type)


def test_what_is_harmless_by_the_rules_of_yesterday_is_searched_by_those_of_today() -> None:
    assert masking.mask_members({"X-Note": "flavour=vanilla"}, "HEADERS") == {"X-Note": "flavour=vanilla"}
    with override_settings(SECURITY_SENSITIVE_KEYS=["flavour"]):
        assert masking.mask_members({"X-Note": "flavour=vanilla"}, "HEADERS") == {"X-Note": "flavour=[Filtered]"}
    with override_settings(SECURITY_HIDE_SENSITIVE_DATA_PATTERNS={"BODY": ["vanilla"], "HEADERS": [], "QUERIES": []}):
        assert masking.mask_members({"X-Note": "flavour=vanilla"}, "HEADERS") == {"X-Note": "flavour=[Filtered]"}


def test_a_body_is_harmless_only_where_no_structure_can_hide_something_in_it() -> None:
    entity = '<!DOCTYPE a [<!ENTITY x "blue">]>'
    part = '--b\r\nContent-Disposition: form-data; name="colour"\r\n\r\nblue\r\n--b--\r\n'
    masking.mask_body(entity, "text/xml")
    masking.mask_body(part, "multipart/form-data; boundary=b")
    assert not {entity, part} & remembered()


def test_the_value_of_a_secret_header_makes_no_other_header_suspect(monkeypatch: pytest.MonkeyPatch) -> None:
    searched: list[str] = []
    search = members.suspects

    def noted(texts: Iterable[str], hiding: Any) -> Any:
        searched.extend(texts)
        return search(texts, hiding)

    monkeypatch.setattr(members, "suspects", noted)
    masked = masking.mask_members({"Cookie": "sessionid=abc", "Accept": "text/plain"}, "HEADERS")
    assert masked == {"Cookie": "sessionid=[Filtered]", "Accept": "text/plain"}
    assert searched == ["text/plain"]


# What a quick look could miss: names and values in pieces, the signs of all structures, words like those of secrets.
PIECES = st.lists(
    st.sampled_from(
        [
            *("s_id", "p-w", "o.t.p", "pas1sword", "contrasena", '"s""id"', "s_id=x1y2z3", "p-w: x1y2z3", "api1key=x1"),
            *("password=x1", '"token": "x1"', "<pin>x1</pin>", "api-key: x1", "sid=x1", "/token/x1y2z3", "--pwd x1y2"),
            *(
                "pass",
                "word",
                "p",
                "pin",
                "tok",
                "en",
                "sec",
                "key",
                "card",
                "sid",
                "a",
                "b7",
                "name",
                "value",
                " ",
                "\t",
            ),
            *(
                '"',
                "'",
                ":",
                "=",
                ",",
                ";",
                "{",
                "}",
                "[",
                "]",
                "<",
                ">",
                "</",
                "/>",
                "<a ",
                "<?",
                "->",
                "/",
                "?",
                "#",
                "|",
            ),
            *(
                "\n",
                "\r\n",
                "--",
                "-",
                "_",
                ".",
                "@",
                "://",
                "0",
                "4111",
                "1111",
                "1111-1111",
                "GB82",
                "WEST12345698765432",
            ),
            *(
                "eyJ",
                "AKIAIOSFODNN7EXAMPLE",
                "Basic YTpi",
                "Bearer ",
                "null",
                "true",
                "Ünï",
                "\u200b",
                "-----BEGIN ",
                "x" * 40,
            ),
        ]
    ),
    max_size=20,
).map("".join)


@given(PIECES, st.sampled_from(["application/json", FORM, "text/xml", "text/html", "text/csv", "text/plain", ""]))
def test_a_body_that_is_not_suspect_is_left_as_it_is_by_all_of_masking(text: str, media_type: str) -> None:
    # Who asks for the findings is given no short cut.
    if masking.mask_body(text, media_type) == text:
        assert masking.mask_body(text, media_type, findings=[]) == text


@given(PIECES)
def test_so_is_any_other_text(text: str) -> None:
    hiding = masking._hiding()
    assert hiding is not None
    if suspects((text,), hiding):
        return
    assert members._masked_once("X-Note", text, "HEADERS", hiding) == text
    assert members._masked_once("Referer", text, "HEADERS", hiding) == text
    assert members._masked_once("q", text, "QUERIES", hiding) == text
    assert urls.mask_path(text, hiding) == text
    assert urls.mask_host(text, hiding) == text
