"""Ways in which a secret stands beside the marks that a reader expects."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import User
from django.contrib.auth.tokens import default_token_generator
from django.core import signing

from security.masking import mask_body, mask_data, mask_host, mask_members, mask_path, mask_text
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


@pytest.mark.parametrize(
    "text",
    [
        # Comments
        f'{{"password"/*x*/:"{S}"}}',
        f'{{"password": /*x*/ "{S}"}}',
        f'{{"password"//x\n:"{S}"',
        f"{{password /*x*/: '{S}'}}",
        f"{{password: // x\n '{S}'}}",
        f"{{'password' # x\n: '{S}'}}",
        f"{{'password': # x\n '{S}'}}",
        # Names without quotes, and texts with a prefix, as Python, JavaScript, Ruby, PHP and Clojure write them
        f"{{password: '{S}'}}",
        f"{{u'password': b'{S}'}}",
        f"{{`password`: `{S}`}}",
        f'{{["password"]: "{S}"}}',
        f'{{:password=>"{S}"}}',
        f'{{:password "{S}"}}',
        f'array(1) {{ ["password"]=> string(10) "{S}" }}',
        f's:8:"password";s:10:"{S}";',
        f'a:1:{{s:8:"password";a:1:{{i:0;s:10:"{S}";}}}}',
        # Couples
        f"[('password', u'{S}')]",
        f'[("password", "{S}")]',
        f"OrderedDict([('password','{S}')])",
        f"[(b'password', b'{S}')]",
        f"[('password', \"it's {S}\")]",
        f"[('password', 'a\\'{S}')]",
        f"('password', ['{S}'])",
        f"('password', ('{S}',))",
        f"[('password', '{S}'",
        f"setattr(x, 'password', '{S}')",
        f"os.environ.setdefault('API_KEY', '{S}')",
        # A neighbour's name
        f"[{{'name':'password','value':'{S}'}}]",
        f"{{name: 'password', value: '{S}'}}",
        f"{{value: '{S}', name: 'password'}}",
        f"- name: DB_PASSWORD\n  value: {S}",
        # YAML
        f"password:\n  {S}",
        f"password: >-\n  {S}",
        f"password: |\n  a\n\n  {S}\n",
        f"password: | # x\n  {S}",
        f"password: # x\n  {S}",
        f"password: &a {S}",
        f"password: !!str {S}",
        f"password: &a !!str\n  {S}",
        f"password:\n- {S}",
        f"? password\n: {S}",
        f"password\n={S}",
        f"password:\n\n  {S}",
        f"password: abc\n  {S}",
        f'"password": |\n  {S}',
        f"password: &x [a, {S}]",
        f"ValueError: password:\n  {S}",
        # Signs and quotes
        f"password=<{S}>",
        f"password=`{S}`",
        f"`password`: `{S}`",
        f"--password <{S}>",
        f"password=&{S}",
        f"password='a' + '{S}'",
        f"password = 'x' if a else '{S}'",
        f"password = (\n    '{S}'",
        f"password = \\\n    '{S}'",
        f"password += '{S}'",
        f"if password != '{S}':",
        f"**password**: {S}",
        f"**Password:** {S}",
        # Spaces, and letters that are others
        f"password\u00a0=\u00a0{S}",
        f"password\u3000:\u3000{S}",
        f"'password'\u200b:\u200b'{S}'",
        f"pass\u200bword: {S}",
        f"password\x00={S}",
        f"p\u0430ssw\u043erd={S}",
        f"PA\u017f\u017fWORD={S}",
        f"to\u212aen={S}",
        f"tOKeN={S}",
        f"pa\u0301ssword={S}",
        f"\\x70assword={S}",
        f"&#112;assword={S}",
        f"&lt;password&gt;{S}&lt;/password&gt;",
        # Sentences
        f"API key is {S}",
        f"the token was {S}",
        f"Your new password is: {S}",
        f"your one-time code is {S}",
        f"password is now '{S}'",
        f"password '{S}' is wrong",
        f"password of ann is {S}",
        f"password for ann: {S}",
        f"password (again): {S}",
        f"password changed from {S} to another",
        f"aws configure set aws_secret_access_key {S}",
        # Lines of code in a traceback
        f'    password = "{S}"',
        f"    self.password = '{S}'",
        f"    user.set_password('{S}')",
        f"    password: str = '{S}'",
        # SQL
        f"ALTER USER a IDENTIFIED BY '{S}'",
        f"SET PASSWORD FOR a = '{S}'",
        f"ALTER ROLE a WITH ENCRYPTED PASSWORD '{S}'",
        f"INSERT INTO u (name, \"password\") VALUES ('a', 'b'), ('c', '{S}')",
        f"WHERE u.token IN ('a', '{S}')",
        f"WHERE token LIKE '{S}%'",
        f"DETAIL:  Key (user_id, token)=(1, {S}) already exists.",
        f"DETAIL:  Failing row contains (1, ann, {S}).",
        f"(1062, \"Duplicate entry '{S}' for key 'users.token'\")",
        # Shells
        f"mysql -u root -p{S} shop",
        f"redis-cli -h x -a {S}",
        f"sshpass -p {S} ssh x",
        f"docker login -u a -p {S}",
        f"curl -uann:{S} h",
        f"machine h login ann password {S}",
        f"Endpoint=sb://x/;SharedAccessKeyName=a;SharedAccessKey={S}",
        # Addresses
        f"//u:{S}@host/x",
        f"https:///u:{S}@h",
        f"https://u:{S}%40host/",
        f"ann:{S}@db.example:5432/x",
        f"https://h/token//{S}",
        f"GET /token/{S} HTTP/1.1",
        f"https://h/a?x=/reset/token/{S}",
        # Documents out of order
        f'{{"password":1 "{S}"}}',
        f'{{"password":null "{S}"}}',
        f'{{"password":{{}} "{S}"}}',
        f'{{"password" :: "{S}"}}',
        f'["password":"{S}"]',
    ],
)
def test_a_value_is_found_whatever_stands_around_it(text: str) -> None:
    for masked in (
        mask_text(text),
        mask_text(f"say:\n{text}\nend"),
        mask_body(text, JSON),
        mask_body(text, "text/plain"),
    ):
        assert S not in masked
    assert S not in mask_body(json.dumps({"note": text}), JSON)
    assert S not in str(mask_data([text]))


@pytest.mark.parametrize(
    "before", ["# a\n", "\n", "\r\n", "\ufeff\n", "sep=;\n# a\n", "  \n", ";;\n", "Users\n", '"Users"\n\n']
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_a_table_may_have_lines_in_front_of_its_head(before: str, delimiter: str) -> None:
    table = f"{before}name,password\nbob,{S}\n".replace(",", delimiter)
    assert mask_body(table, "text/csv") == table.replace(S, "[Filtered]")


@pytest.mark.parametrize(
    "table",
    [f"#id,password\n1,{S}\n", f"a,b\n1,2\n\nname,password\nbob,{S}\n", f"password\nhun,{S}\n", f"password\n{S};{S}"],
)
def test_other_tables(table: str) -> None:
    assert S not in mask_body(table, "text/csv")


@pytest.mark.parametrize(
    "parameters",
    [
        'name*0="pass"; name*1="word"',
        "name*0*=UTF-8''pass; name*1*=%77ord",
        "name*1=word; name*0=pass",
        "name*=UTF-8'en'pass%77ord",
        'name="=?utf-8?B?cGFzc3dvcmQ=?="',
        'name="\\u0070assword"',
        'name="&#112;assword"',
    ],
)
def test_the_name_of_a_part_may_be_in_pieces_or_encoded(parameters: str) -> None:
    text = f"--b\r\nContent-Disposition: form-data; {parameters}\r\n\r\n{S}\r\n--b--\r\n"
    assert mask_body(text, "multipart/form-data").endswith("\r\n\r\n[Filtered]\r\n--b--\r\n")


@pytest.mark.parametrize(
    "body",
    [
        "".join(
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in (("key", "password"), ("value", S))
        ),
        f'--b\r\nContent-Disposition: form-data; name="a"\r\nX-Password: {S}\r\n\r\nx\r\n--b--\r\n',
        f'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n--b--\r\npassword={S}',
        f'--b\r\nContent-Disposition: form-data; name="a"\r\nContent-Type: text/csv\r\n\r\na,pin\r\n1,{S}\r\n--b--',
    ],
)
def test_what_stands_between_parts_and_in_their_tables_is_hidden(body: str) -> None:
    assert S not in mask_body(body, "multipart/form-data")


JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MjQyNDIifQ.c2lnbmF0dXJlLW9mLWl0"


@pytest.mark.parametrize("secret", [JWT, "4539578763621486", "AKIAIOSFODNN7EXAMPLE", "GB82WEST12345698765432"])
def test_a_secret_as_a_name_is_hidden(secret: str) -> None:
    for name in (secret, secret.title()):
        assert name not in mask_members({name: "x", "Accept": "y"}, "HEADERS")
    assert secret not in str(mask_members({secret: "x"}, "QUERIES"))
    assert secret not in str(mask_members({"Cookie": f"{secret}=1; a=b", "Set-Cookie": f"{secret}=1"}, "HEADERS"))
    assert secret not in mask_body(f"user[{secret}]=x&a=b", FORM)
    assert secret not in mask_body(json.dumps({secret: 1}), JSON)
    assert secret not in str(mask_data({secret: 1}))
    assert secret not in mask_body(f"a,{secret}\n1,2\n", "text/csv")
    part = f'--b\r\nContent-Disposition: form-data; name="{secret}"\r\n\r\nx\r\n--b--\r\n'
    assert secret not in mask_body(part, "multipart/form-data")


@pytest.mark.parametrize(
    "path",
    [
        f"/token//{S}",
        f"/token/./{S}",
        f"/token/;a/{S}",
        f"/api%2Ftoken%2F{S}",
        f"/reset/token%252F{S}",
        f"/token:{S}",
        f"/token,{S}",
        f"/token\\{S}",
        f"//u:{S}@host/x",
        f"/bot123456789:AA{S}abcdefghijklmnopqrstuvwxy/getMe",
    ],
)
def test_a_path_may_have_more_than_one_way_to_part_its_segments(path: str) -> None:
    assert S not in mask_path(path)
    assert S not in str(mask_members({"Referer": f"https://h.example{path}"}, "HEADERS"))


@pytest.mark.parametrize("host", [f"u:{S}%40h", f"u%3A{S}%40h", f"u%3A{S}@h"])
def test_user_info_in_percent_signs_is_user_info(host: str) -> None:
    assert S not in mask_host(host)
    assert S not in str(mask_members({"Host": host, "Location": f"https://{host}/"}, "HEADERS"))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, S) for name in ("X-Signature", "X-Hub-Signature-256", "Stripe-Signature", "X-Shopify-Hmac-Sha256")),
        *((name, S) for name in ("X-Auth", "X-Session", "X-Authentication", "X-Api-Auth", "X-Functions-Key")),
        ("Location", f"/x#!/reset/token/{S}"),
        ("Location", f"/x#/r?token={S}"),
        ("Location", f"/back?code={S}&state=abcdefgh12"),
        ("Sec-Websocket-Protocol", f"access_token, {S}"),
        ("Sec-Websocket-Protocol", f"base64url.bearer.authorization.k8s.io.{S}"),
    ],
)
def test_headers_that_carry_secrets_in_their_own_way(name: str, value: str) -> None:
    once = mask_members({name: value}, "HEADERS")
    assert S not in str(once)
    assert mask_members(once, "HEADERS") == once


@pytest.mark.parametrize(
    "query",
    [
        {"code": S, "redirect_uri": "https://h.example/"},
        {"code": S, "client_id": "1"},
        {"code": S, "state": "abcdefgh12"},
        {"name": "password", "value": S},
        {"%70assword": S},
        {"assertion": S, "grant_type": "x"},
        {"device_code": S},
    ],
)
def test_queries_whose_names_say_it_together(query: dict[str, str]) -> None:
    assert S not in str(mask_members(query, "QUERIES"))
    assert S not in mask_body(urlencode(query), FORM)
    assert S not in mask_text(f"GET /x?{urlencode(query)}")


def test_other_codes_stay() -> None:
    for query in ({"code": "SUMMER2024"}, {"code": "SUMMER2024", "state": "CA"}, {"code": "E1", "client_id": "1"}):
        assert mask_members(query, "QUERIES") == query
        assert mask_body(urlencode(query), FORM) == urlencode(query)


@pytest.mark.parametrize(
    "declaration",
    [
        f'<!DOCTYPE a [<!-- ]> it\'s --><!ENTITY pw "{S}">]>',
        f'<!DOCTYPE a [<!ENTITY pw ">]>{S}">]>',
        f'<!DOCTYPE a [<!ENTITY a "]"><!ENTITY pw "{S}">]>',
        f'<!DOCTYPE a [<?x ]> ?><!ENTITY pw "{S}">]>',
        f"<!DOCTYPE a [<!ENTITY % p '{S}'>]>",
        f'<!DOCTYPE a [<!ATTLIST a password CDATA "{S}">]>',
        f'<!DOCTYPE a SYSTEM "http://h/?token={S}">',
        f'<!DOCTYPE a [<!ENTITY pw "{S}"',
        f'<!DOCTYPE a [<!ENTITY pw "{S}',
        f'<!DOCTYPE a [<!-- x <!ENTITY pw "{S}">',
    ],
)
def test_the_declarations_of_xml_are_read_with_their_quotes_and_comments(declaration: str) -> None:
    assert S not in mask_body(f"{declaration}<a><password>&pw;</password></a>", "text/xml")


@pytest.mark.parametrize(
    "markup",
    [
        f"<password value='{S}'/>",
        f"<e k='password' v='{S}'/>",
        f"<input placeholder=Password value={S}>",
        f"<saml:Assertion>{S}</saml:Assertion>",
        f"<b>Password:</b> {S}",
        f"<p>Password: <b>{S}</b></p>",
        f"<tr><td>Password:</td><td>{S}</td></tr>",
        f"<li><strong>Token</strong>: {S}</li>",
        f"<a>&amp;lt;password&amp;gt;{S}&amp;lt;/password&amp;gt;</a>",
    ],
)
def test_more_of_markup_names_what_it_holds(markup: str) -> None:
    assert S not in mask_body(markup, "text/html")
    assert S not in mask_body(f"<x>{markup}</x>", "text/xml")


@pytest.mark.parametrize(
    "document",
    [
        {"k": "password", "v": S},
        {"detail": [{"loc": ["body", "password"], "msg": "too short", "input": S}]},
        {"csv": f"name,password\na,{S}\n"},
        *({name: S} for name in ("jelszo", "contrasena", "losenord", "sifre", "password\u200b", "p\u0430ssword")),
    ],
)
def test_more_of_json_names_what_it_holds(document: dict[str, str]) -> None:
    for is_ascii in (True, False):
        assert S not in mask_body(json.dumps(document, ensure_ascii=is_ascii), JSON)
    assert S not in json.dumps(mask_data(document))


@pytest.mark.parametrize(
    "digest",
    [
        "pbkdf2_sha256$870000$q1w2e3r4$YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXo=",
        f"$2b$12${'a1' * 26}z",
        f"bcrypt_sha256$$2b$12${'a1' * 26}z",
        "argon2$argon2id$v=19$m=102400,t=2,p=8$c29tZXNhbHQ$YWJjZGVmZ2hpamtsbW5vcA",
        f"$6$saltsalt${'a1' * 43}",
    ],
)
def test_passwords_as_they_are_stored_are_hidden_under_any_name(digest: str) -> None:
    assert mask_text(f"User: ann, {digest}") == "User: ann, [Filtered]"
    assert mask_body(json.dumps({"x": digest}), JSON) == json.dumps({"x": "[Filtered]"})
    assert mask_text("costs $20 or $2b, $1$ each, in US$5 notes") == "costs $20 or $2b, $1$ each, in US$5 notes"


@pytest.mark.parametrize(
    "document",
    [
        f"<!DOCTYPE a [<!-- it's --><?p x'?><!ELEMENT a ANY><!ATTLIST a pin CDATA \"{S}\">]><a/>",
        f"<!DOCTYPE a [<!-- password={S} -->]><a/>",
        f"<!DOCTYPE a [<?x password={S} ?>]><a/>",
        f'<!DOCTYPE a SYSTEM "http://h/?token={S}&amp;x=1"><a/>',
        f"<a>&amp;lt;pin&amp;gt;{S}&amp;lt;/pin&amp;gt; &amp; &gt;</a>",
        f"<a>x > y password={S}</a>",
    ],
)
def test_declarations_and_texts_of_xml_stay_well_formed(document: str) -> None:
    masked = mask_body(document, "text/xml")
    assert S not in masked
    ElementTree.fromstring(masked)


def test_the_code_of_oauth_is_hidden_in_data() -> None:
    code = {"code": "SplxlOBeZQQYbYS6WxSbIA", "redirect_uri": "https://h.example/"}
    assert mask_data(code) == {**code, "code": "[Filtered]"}
    assert mask_data({"code": "SplxlOBeZQQYbYS6WxSbIA"}) == {"code": "SplxlOBeZQQYbYS6WxSbIA"}


@pytest.mark.parametrize("command", ["sshpass", "SSHPASS"])
def test_the_password_of_a_client_is_hidden_in_any_letters(command: str) -> None:
    assert mask_text(f"{command} -pzeb1 x") == f"{command} -p[Filtered] x"


@pytest.mark.parametrize(
    "path",
    [
        f"/services/T01234567/B01234567/{S}{S}",
        f"/api/webhooks/123456789012345678/{S * 5}",
        "/webhookb2/a/IncomingWebhook/0123456789abcdef0123/b",
        f"/password/reset/{S}",
        f"/password-reset-confirm/MQ/{S}",
    ],
)
def test_the_secret_of_a_path_is_hidden_though_its_host_or_its_name_stands_apart(path: str) -> None:
    secret = "0123456789abcdef0123" if "Incoming" in path else S
    assert secret not in mask_path(path)
    assert secret not in mask_text(f"Max retries exceeded with url: {path} (Caused by x)")


def test_what_django_makes_for_links_is_hidden() -> None:
    token = default_token_generator.make_token(User(pk=1, username="ann", password="x"))
    signed = signing.TimestampSigner().sign("MQ")
    for text in (f"/accounts/password/reset/key/1-{token}/", f"/reset/MQ/{token}/", f"/confirm-email/{signed}/"):
        secret = token if token in text else signed.rpartition(":")[2]
        assert secret not in mask_path(text)
        assert secret not in mask_text(f"see {text}")


@pytest.mark.parametrize("naming", ["type", "label", "attribute", "attr"])
def test_a_value_is_hidden_whose_type_is_that_of_a_secret(naming: str) -> None:
    for value in ({naming: "password", "temporary": False, "value": S}, {"value": S, naming: "password"}):
        assert S not in mask_body(json.dumps(value), "application/json")
        assert S not in str(mask_data(value))
    # What is of a type is no value.
    content = {naming: "token", "content": "Hello", "text": "x"}
    assert mask_body(json.dumps(content), "application/json") == json.dumps(content)
    assert mask_data(content) == content


@pytest.mark.parametrize("name", ["%" + "25" * 100_000 + "70=1", "a%" + "25" * 9 + "70"])
def test_a_name_behind_many_codes_is_decoded_a_few_times(name: str) -> None:
    assert mask_members({"X-Any": f"{name}=1"}, "HEADERS")["X-Any"] != ""
    assert mask_body(f"{name}={S}", "text/plain") != ""


def test_user_and_password_are_hidden_in_a_list_of_arguments() -> None:
    assert mask_data(["curl", "-u", f"ann:{S}", "x"]) == ["curl", "-u", "[Filtered]", "x"]
