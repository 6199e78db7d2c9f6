"""Ways in which a secret stands beside the marks that a reader expects."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import pytest

from security.masking import mask_body, mask_data, mask_members, mask_path, mask_text
from security.queries import LONGEST_QUERY, parse_queries

S = "hunter2Xq9"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"


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
        f"password='it''s {S}'",
        f"DB_PASSWORD='a'\"{S}\"",
        f"{{'password': ('aaaa'\n             '{S}')}}",
        f"x password=[a]'{S}'",
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
        f"{{'note': 'a token=', 'password': '{S}'}}",
        f"{{'note': \"a token='+b\", 'password': '{S}'}}",
        f"f(a='a token=', password='{S}')",
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
        "if (token === undefined) { f(token) }",
    ],
)
def test_code_and_placeholders_stay(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "text",
    [
        f"<QueryDict: {{'password': ['{S}']}}>",
        f"<Cred id=1 password: {S}>",
        f"<stdin --password {S}>",
        f"<Foo data={{'password': '{S}'}}>",
        f'<Foo {{"password":"{S}"}}>',
        f"<password: {S}>",
        f'<!--[if IE]><input name="password" value="{S}"><![endif]-->',
    ],
)
def test_what_only_begins_as_markup_does_is_masked_as_text_too(text: str) -> None:
    assert S not in mask_text(text)
    assert S not in mask_text(f"ValueError: {text}")
    assert S not in mask_body(text, "text/html")


def test_the_text_of_an_entity_is_hidden_in_a_document_without_a_tag() -> None:
    assert mask_body(f'<!DOCTYPE a [<!ENTITY x "{S}">]>', "text/xml") == '<!DOCTYPE a [<!ENTITY x "[Filtered]">]>'


@pytest.mark.parametrize("name", [f'{{"password":"{S}"}}', f"password={S}", f"a?token={S}"])
def test_the_name_of_a_query_is_masked_beside_innocent_values(name: str) -> None:
    assert S not in str(mask_members({name: "", "a": "b"}, "QUERIES"))


@pytest.mark.parametrize(
    "parameters",
    [
        "name*=utf-8''p%61ssword",
        'name = "password"',
        'name="a"; name="password"',
        'name="password"; name="a"',
        'filename="x; name=a"; name="password"',
        'name="pass\\word"',
    ],
)
def test_each_name_that_a_parser_may_read_of_a_part_counts(parameters: str) -> None:
    text = f"--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{S}\r\n--b--\r\n"
    assert mask_body(text, "multipart/form-data") == text.replace(S, "[Filtered]")


def test_a_line_that_goes_on_behind_a_boundary_is_part_of_the_field() -> None:
    head = '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n'
    assert mask_body(f"{head}x\r\n--bcd {S}\r\n--b--", "multipart/form-data") == f"{head}[Filtered]\r\n--b--"


def test_a_query_that_is_cut_leaves_no_half_of_a_secret() -> None:
    for cut in range(20):
        text = f"a={'b' * (LONGEST_QUERY - 5 - cut)}&x=4111-1111-1111-1111&y=1"
        assert list(parse_queries(text).items())[1:] in ([("x", "…")], [])
    assert parse_queries("b" * 20_000) == {}


def test_of_a_cookie_only_what_is_an_attribute_by_its_grammar_stays() -> None:
    for joined in (f"a=1; Path=/, b={S}", f"a=1; expires=Thu, 01 Jan 2030 00:00:00 GMT, b={S}", f"a=1; Secure={S}"):
        assert S not in str(mask_members({"Set-Cookie": joined}, "HEADERS"))
    kept = "; Expires=Thu, 01 Jan 2030 00:00:00 GMT; Max-Age=-1; Domain=.h.example; Path=/; SameSite=None; Secure"
    assert mask_members({"Set-Cookie": f"a=1{kept}"}, "HEADERS") == {"Set-Cookie": f"a=[Filtered]{kept}"}


@pytest.mark.parametrize(
    "name",
    [
        *("pass[pass1]", "account[pass]", "auth[pass]", "account.pass", "new_pass", "old_pass", "pw", "user_pw"),
        *("passkey", "auth_key", "X-Auth-Key", "app_key", "consumer_key", "Ocp-Apim-Subscription-Key", "cc_number"),
        *("cvn", "mfa", "code_verifier", "security_answer"),
    ],
)
def test_more_names_of_secrets_are_known(name: str) -> None:
    assert mask_members({name: S}, "QUERIES") == {name: "[Filtered]"}
    assert mask_body(json.dumps({name: S}), JSON) == json.dumps({name: "[Filtered]"})
    assert S not in mask_body(urlencode({name: S}), FORM)


@pytest.mark.parametrize("name", ["self.session", "season_pass", "conference.session", "input_tokens", "output_tokens"])
def test_names_of_other_things_are_not(name: str) -> None:
    assert mask_data({name: "17"}) == {name: "17"}


@pytest.mark.parametrize(
    "document",
    [
        {"op": "replace", "path": "/password", "value": S},
        {"op": "add", "path": "/user/password", "value": {"a": S}},
        {"field": "password", "old": S, "new": S},
        {"field": "password", "oldValue": S, "newValue": S},
        {"Name": "password", "Value": S},
    ],
)
def test_a_member_can_name_what_its_neighbour_holds(document: dict[str, str]) -> None:
    assert S not in mask_body(json.dumps([document]), JSON)
    assert S not in json.dumps(mask_data([document]))


def test_a_field_can_name_what_another_one_holds() -> None:
    assert mask_body(f"field=password&value={S}&a=1", FORM) == "field=password&value=[Filtered]&a=1"
    assert mask_body("name=lamp&value=3", FORM) == "name=lamp&value=3"


@pytest.mark.parametrize(
    "path",
    [
        "/clanky/sk-velmi-dlhy-nazov-clanku/",
        "/static/vendor-d41d8cd98f00b204e9800998ecf8427e.js",
        "/media/photo1-d41d8cd98f00b204e9800998ecf8427e.jpg",
    ],
)
def test_slugs_and_names_of_files_stay(path: str) -> None:
    assert mask_path(path) == path
    assert mask_text(f"see {path}") == f"see {path}"


@pytest.mark.parametrize("held", [[S], {"a": S}, S, "12345678"])
def test_tokens_are_hidden_and_their_number_is_not(held: object) -> None:
    assert S not in mask_body(json.dumps({"tokens": held}), JSON)
    assert mask_data({"tokens": held}) == {"tokens": "[Filtered]"}
    assert mask_body('{"tokens": 512, "token": 12345678}', JSON) == '{"tokens": 512, "token": "[Filtered]"}'
    assert mask_data({"tokens": 512, "token": 12345678}) == {"tokens": 512, "token": "[Filtered]"}


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-Ab3dEfGhIjKlMnOpQrStUvWx_yZ01",
        "sk-0123456789abcdef0123456789abcdef",
        "sk-ant-api03-aB3dE6gH9jK2mN5pQ8sT1vW4",
        "key-0123456789abcdef0123456789abcdef",
        "d1k2c3-0123456789abcdef0123456789abcdef",
        "/reset/MQ/dabcde-0123456789abcdef0123456789abcdef/",
    ],
)
def test_keys_and_tokens_are_told_from_slugs_and_digests(key: str) -> None:
    assert key.split("-")[-1][:16] not in mask_text(f"with {key} in it")


@pytest.mark.parametrize(
    "document",
    [
        f'<r><a>content-disposition: form-data; name="password"\r\n\r\n{S} &amp; more</a><b>2</b></r>',
        f'<r><a>x Content-Disposition: form-data; name="password"\r\n\r\n{S}</a><b>2</b></r>',
        f'<r><!-- content-disposition: form-data; name="password"\r\n\r\n{S}--><b>2</b></r>',
        f'<r><?x content-disposition: form-data; name="password"\r\n\r\n{S}?><b>2</b></r>',
        f'<r><![CDATA[ content-disposition: form-data; name="password"\r\n\r\n{S}]]><b>2</b></r>',
        f"<r c='content-disposition: form-data; name=\"password\"\r\n\r\n{S}'><b>2</b></r>",
    ],
)
def test_a_part_inside_xml_is_hidden_and_the_document_stays_well_formed(document: str) -> None:
    masked = mask_body(document, "text/xml")
    assert S not in masked
    assert ElementTree.fromstring(masked).findtext("b") == "2"
