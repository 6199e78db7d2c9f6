"""Each rule by itself: names, detectors, settings, failures, and how much is looked at."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from django.utils.functional import lazy

from security import masking, recording
from security.masking import keys, mask_body, mask_data, mask_members, mask_text, rules
from security.masking.detectors import DETECTORS
from security.masking.keys import SensitiveKeys
from security.masking.numbers import card_numbers, ibans, passes_luhn
from security.records import FIELDS, RECORD_TYPES, CommandRecord, InputRequestRecord

from .innocent import MEMBERS
from .secrets import DETECTED, NAMES, PEM

KEYS = SensitiveKeys((), ())


def test_the_name_of_a_secret_is_known_in_each_spelling() -> None:
    for name in (*NAMES, *keys.ANYWHERE, *keys.ENDS_OF_WORDS, *keys.WORDS, *keys.WHOLE):
        for spelled in (name, name.upper(), name.title(), name.replace(" ", "_"), name.replace(" ", "-")):
            assert KEYS.has(spelled), spelled
            assert KEYS.may_be_in(spelled.lower()), spelled


def test_other_names_are_not() -> None:
    assert [name for name in MEMBERS if KEYS.has(name)] == []


def test_names_are_taken_apart_into_words() -> None:
    for name in ("userPassword", "user-password", "USER_PASSWORD", "user[password]", "user.password2", "Üser passwörd"):
        assert keys.words_of(name) == ["user", "password"]
    assert keys.words_of("APIKey") == ["api", "key"]
    assert keys.words_of("") == keys.words_of("123 _-") == []


def test_no_more_names_are_remembered_than_clients_may_invent() -> None:
    known = SensitiveKeys((), ())
    for number in range(10_000):
        known.has(f"x{number}")
        known.has("y" * (65 + number % 10))
    assert len(known._known) == 4096


@override_settings(SECURITY_SENSITIVE_KEYS=["birth number", "ref"], SECURITY_INNOCENT_KEYS={"pin", "design_token"})
def test_a_site_adds_names_and_takes_names_out() -> None:
    text = '{"birthNumber": "1", "my_REF": "2", "reference": "3", "pin": "4", "designToken": "5", "pin_code": "6"}'
    assert mask_body(text, "application/json") == (
        '{"birthNumber": "[Filtered]", "my_REF": "[Filtered]", "reference": "3", "pin": "4", "designToken": "5",'
        ' "pin_code": "[Filtered]"}'
    )


HIDDEN = {"shoesize": "[Filtered]"}


def test_a_name_that_is_added_in_place_counts_at_once() -> None:
    keys, innocent = ["ref"], ["pin"]
    with override_settings(SECURITY_SENSITIVE_KEYS=keys, SECURITY_INNOCENT_KEYS=innocent):
        assert mask_data({"shoesize": "42"}) == {"shoesize": "42"}
        keys.append("shoesize")
        assert mask_data({"shoesize": "42"}) == HIDDEN
        innocent.append("shoesize")
        assert mask_data({"shoesize": "42"}) == {"shoesize": "42"}


def test_a_name_that_is_added_while_the_rules_are_made_counts_from_the_next_look_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    keys = ["ref"]
    make = rules._rules_of

    def make_early(*values: Any) -> Any:
        monkeypatch.undo()
        made = make(*values)
        keys.append("shoesize")
        return made

    monkeypatch.setattr(rules, "_rules_of", make_early)
    with override_settings(SECURITY_SENSITIVE_KEYS=keys):
        mask_data({"shoesize": "42"})
        assert mask_data({"shoesize": "42"}) == HIDDEN


def test_a_setting_that_is_worked_out_when_it_is_read_is_read_each_time() -> None:
    keys = ["ref"]
    with override_settings(SECURITY_SENSITIVE_KEYS=lazy(lambda: list(keys), list)()):
        assert mask_data({"shoesize": "42"}) == {"shoesize": "42"}
        keys.append("shoesize")
        assert mask_data({"shoesize": "42"}) == HIDDEN


@override_settings(SECURITY_HIDE_SENSITIVE_DATA_PATTERNS={"BODY": (r"flavour=(\w+)",)})
@pytest.mark.parametrize("container", [list, tuple, frozenset])
@pytest.mark.parametrize("group", ["HEADERS", "QUERIES"])
def test_several_values_of_a_name_are_masked_whatever_holds_them(group: Any, container: Any) -> None:
    masked = mask_members({"note": container(["flavour=vanilla"])}, group)
    assert masked == {"note": ["flavour=[Filtered]"]}


SAMPLES = {
    "private_key": PEM,
    "jwt": DETECTED["jwt"],
    "card_number": DETECTED["card_number"],
    "iban": DETECTED["iban"],
    "cloud_key": DETECTED["github"],
    "bearer": "Bearer abcdefgh1",
    "basic": "Basic YW5uOnNlY3JldDE=",
    "user_option": "curl -u ann:x1y2 h",
    "password_option": "mysql -u root -px1y2 shop",
    "oauth_code": "/back?code=abcdefghij1&redirect_uri=x",
    "sql_password": "ALTER USER ann IDENTIFIED BY 'x1y2'",
    "password_hash": "ann has pbkdf2_sha256$870000$q1w2e3r4$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo=",
    "failing_row": "DETAIL:  Failing row contains (17, x1y2, null).",
    "url_credentials": "https://ann:x1y2@h.example/",
    "signed_url": "https://h.example/?se=1&sig=abc%2Fdef",
    "django_token": "/MQ/cabc12-0123456789abcdef0123456789abcdef/",
}


@pytest.mark.parametrize("detector", [detector.name for detector in DETECTORS])
def test_each_detector_can_be_switched_off_by_its_name(detector: str) -> None:
    text = SAMPLES[detector]
    assert mask_text(text) != text
    with override_settings(SECURITY_DISABLED_DETECTORS=[detector], SECURITY_INNOCENT_KEYS=["sig"]):
        assert mask_text(text) == text
        assert mask_data([text]) == [text]


@pytest.mark.parametrize("number", ["4539578763621486", "4111111111111111", "378282246310005", "6011111111111117"])
def test_card_numbers_pass_luhn_and_their_neighbours_do_not(number: str) -> None:
    assert passes_luhn(number)
    for digit in "0123456789":
        neighbour = number[:-1] + digit
        assert list(card_numbers(f"no {neighbour}.")) == ([(3, 3 + len(number))] if neighbour == number else [])


@pytest.mark.parametrize(
    "text", ["0.4539578763621486", "14539578763621486", "4539578763621486.5", "453957876362148", "4539 5787 6362 1487"]
)
def test_other_numbers_are_no_card_numbers(text: str) -> None:
    assert list(card_numbers(text)) == []


def test_a_card_number_is_found_between_other_numbers() -> None:
    text = "order 12 4539 5787 6362 1486 2024"
    assert [text[start:end] for start, end in card_numbers(text)] == ["4539 5787 6362 1486"]


def test_an_account_number_has_its_country_its_length_and_its_checksum() -> None:
    for text in ("GB82WEST12345698765432", "gb82 west 1234 5698 7654 32", "DE89370400440532013000"):
        assert list(ibans(f"to {text}, thanks")) == [(3, 3 + len(text))]
    for text in (
        "GB82WEST12345698765433",
        "GB82WEST1234569876543",
        "XX82WEST12345698765432",
        "GB82WEST123456987654321",
    ):
        assert list(ibans(text)) == []


def test_headers_keep_what_of_their_structure_is_no_secret() -> None:
    assert mask_members(
        {
            "Authorization": "Bearer abc",
            "Proxy-Authorization": 'Digest username="ann", response="x"',
            "X-Authorization": "abc",
            "Cookie": "theme=dark; sid=x y; flag",
            "Set-Cookie": ["sid=abc; Path=/; Max-Age=1; HttpOnly; SameSite=Lax"],
            "Location": "/a/?token=x&b=c%20d#e",
            "Refresh": "0; url=/x?password=y",
        },
        "HEADERS",
    ) == {
        "Authorization": "Bearer [Filtered]",
        "Proxy-Authorization": "Digest [Filtered]",
        "X-Authorization": "[Filtered]",
        "Cookie": "theme=[Filtered]; sid=[Filtered];[Filtered]",
        "Set-Cookie": ["sid=[Filtered]; Path=/; Max-Age=1; HttpOnly; SameSite=Lax"],
        "Location": "/a/?token=[Filtered]&b=c%20d#e",
        "Refresh": "0; url=/x?password=[Filtered]",
    }


@override_settings(SECURITY_HIDE_SENSITIVE_DATA_PATTERNS={"HEADERS": (".*a.*b.*c",), "QUERIES": (".*a.*b.*c",)})
def test_a_name_too_long_for_any_pattern_is_hidden_and_not_searched() -> None:
    assert mask_members({"a" * 10_000: "x", "xaybzc": "y", "z": "w"}, "QUERIES") == {
        "a" * 10_000: "[Filtered]",
        "xaybzc": "[Filtered]",
        "z": "w",
    }


def test_what_is_nested_too_deep_is_hidden_whole() -> None:
    from urllib.parse import urlencode

    text = "secret1zq"
    for _ in range(12):
        text = urlencode({"a": text + "%"})
    masked = mask_body(text, "application/x-www-form-urlencoded")
    assert masked.endswith("[Filtered]")


@override_settings(SECURITY_HIDE_SENSITIVE_DATA=False)
def test_with_masking_off_nothing_is_hidden() -> None:
    assert mask_body('{"password": "x"}', "application/json") == '{"password": "x"}'
    assert mask_data({"password": "x"}) == {"password": "x"}
    assert mask_members({"Cookie": "a=b"}, "HEADERS") == {"Cookie": "a=b"}
    assert masking.mask_path("/token/a1b2c3/") == "/token/a1b2c3/"
    assert masking.mask_host("a:b@h") == "a:b@h"


@pytest.mark.parametrize("kind", RECORD_TYPES)
def test_a_value_that_cannot_be_masked_is_replaced_whole_and_only_its_field_is_logged(
    kind: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    secret = "hunter2Xq9zR"

    def fail(*args: Any) -> Any:
        raise RuntimeError(secret)

    for name in ("mask_text", "mask_members", "mask_data", "mask_path", "mask_host", "mask_body"):
        monkeypatch.setattr(f"security.fields.{name}", fail)
    monkeypatch.setattr("security.body.mask_body", fail)
    record = RECORD_TYPES[kind]()
    masked = {"Host", "UrlPath", "Text", "Traceback", "BodyText", "Members", "Data"}
    names = [name for name, how in FIELDS[kind].items() if type(how).__name__ in masked]
    for name in names:
        is_mapping = type(FIELDS[kind][name]).__name__ in ("Members", "Data")
        setattr(record, name, {"a": secret} if is_mapping else secret)
    (entry,) = recording.begin(record)
    assert secret not in str(dict(entry.values))
    assert secret not in caplog.text
    for name in names:
        assert f"The field {name} of" in caplog.text
        assert getattr(entry, name) in ("[Filtered]", {})


def test_no_more_is_looked_at_than_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(text: str, *args: Any) -> str:
        seen.append(len(text))
        return text

    for name in ("mask_text", "mask_path", "mask_host"):
        monkeypatch.setattr(f"security.fields.{name}", look)
    monkeypatch.setattr("security.body.mask_body", look)
    huge = "x" * 5_000_000
    recording.begin(CommandRecord(input=huge, output=huge, error_message=huge, extra_data={"a": huge}))
    recording.begin(InputRequestRecord(path=huge, host=huge, request_body=huge))
    assert max(seen) <= 200_000
    seen.clear()
    with override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=None):
        recording.begin(InputRequestRecord(request_body=huge))
    assert max(seen) == len(huge)


def test_the_settings_are_read_once_for_each_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    from security.masking import rules

    read: list[int] = []
    monkeypatch.setattr(rules, "_read_rules", lambda: read.append(1))
    recording.begin(InputRequestRecord(path="/a", host="h", queries={"a": "b"}, error_message="x"))
    assert len(read) == 1


@pytest.mark.parametrize("keys_of_site", [[1], [None, "a"], [[]]])
def test_a_setting_of_a_wrong_type_does_not_keep_a_record_from_its_entries(keys_of_site: list[Any]) -> None:
    with override_settings(SECURITY_SENSITIVE_KEYS=keys_of_site):
        (entry,) = recording.begin(InputRequestRecord(path="/a", request_headers={"Cookie": "sessionid=hunter2"}))
    assert "hunter2" not in str(entry.values)


def test_a_name_that_only_says_how_often_a_token_was_used_is_innocent() -> None:
    assert not KEYS.has("token_uses")
