"""Ways in which a secret stands beside the marks that a reader expects."""

from __future__ import annotations

import json

import pytest

from security.masking import mask_body, mask_data, mask_members, mask_path, mask_text

S = "hunter2Xq9"
JSON = "application/json"


@pytest.mark.parametrize(
    "text",
    [
        f'{{"password":"a" "{S}"}}',
        f'{{"password":/*x*/"{S}"}}',
        f'{{"password":\n//x\n"{S}"}}',
        f'{{"password":"a"+"{S}"}}',
        f'{{"password":"abc"{S}","user":"bob"}}',
        f'{{"password":abc {S}}}',
        f"{{'password': 'aaaa'\n             '{S}'}}",
        f"password=[a]{S}",
        f'DB_PASSWORD="a"{S}',
        f'password=f("{S}")',
        f'x password=f("a b {S}") y',
        f"password=x['{S}']",
        f"password=a'{S}",
        f"say password=a'{S}",
    ],
)
def test_a_value_ends_only_where_what_is_behind_it_says_so(text: str) -> None:
    for masked in (mask_text(text), mask_body(text, JSON), mask_body(text, "text/plain")):
        assert S not in masked
        assert "[Filtered]" in masked


@pytest.mark.parametrize(
    "text",
    [
        f"login(next='/?token=', password='{S}')",
        f"{{'next': '/?token=', 'user': 'bob', 'password': '{S}'}}",
        f"curl 'http://x/?token=' -d 'password={S}'",
        f'url="/?token=" password="{S}"',
        f'{{"u":"a \\"token=","password":"{S}",}}x',
    ],
)
def test_a_name_at_the_end_of_a_quoted_text_has_no_value(text: str) -> None:
    assert S not in mask_text(text)
    assert S not in mask_body(text, JSON)


@pytest.mark.parametrize(
    "line",
    [f'Authorization: Digest username="bob", response="{S}"', f'Cookie: a="1"; b={S}', f"Authorization: {S} foo"],
)
def test_a_header_inside_a_text_is_hidden_to_the_end_of_its_line(line: str) -> None:
    masked = mask_text(f"GET / HTTP/1.1\r\n{line}\r\nAccept: text/html")
    assert S not in masked
    assert masked.endswith("\r\nAccept: text/html")
    assert S not in mask_text(f"sent {line}")


def test_a_header_in_quotes_is_hidden_to_the_end_of_them() -> None:
    text = f"curl -H 'Cookie: a=\"1\"; b={S}' https://h.example/"
    assert mask_text(text) == "curl -H 'Cookie: [Filtered]' https://h.example/"


def test_the_first_word_of_an_authorization_stays_only_if_it_is_a_scheme() -> None:
    assert mask_members({"Authorization": f"{S} foo"}, "HEADERS") == {"Authorization": "[Filtered]"}
    assert mask_members({"Authorization": f"Digest {S}"}, "HEADERS") == {"Authorization": "Digest [Filtered]"}


@pytest.mark.parametrize(
    "text",
    [
        '    token = request.GET["token"]',
        '    secret = os.environ["SECRET_KEY"]',
        "    session = Session()",
        "SELECT * FROM t WHERE token = %s AND session_id = %(sid)s",
        "UPDATE t SET token = ?, pin = $1",
    ],
)
def test_code_and_placeholders_stay(text: str) -> None:
    assert mask_text(text) == text
