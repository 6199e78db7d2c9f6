"""What holds for every input: no secret under a secret name, structure stays structure, twice is once, no crash."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from security.masking import mask_body, mask_data, mask_host, mask_members, mask_path, mask_text

from .secrets import NAMES

# No database is part of this: one run of each Python is enough.
pytestmark = pytest.mark.only_on("sqlite")

FORM = "application/x-www-form-urlencoded"
SECRET = st.from_regex(r"[a-z0-9]{4}zq[0-9]{6}[a-z!$*]{0,6}", fullmatch=True)
NAME = st.sampled_from(NAMES)
INNOCENT_NAME = st.from_regex(r"[xyw]{1,6}[0-9]?", fullmatch=True)
# What detectors hide wherever it stands, and has room in a short text; hypothesis also takes texts from the sources.
HIDDEN_ANYWHERE = ("eyj", "://", "-u", "basic", "bearer", "negotiate", "code=")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=12).filter(
    lambda text: not any(sign in text.lower() for sign in HIDDEN_ANYWHERE)
)
SCALAR = st.none() | st.booleans() | st.integers(-(10**6), 10**6) | TEXT
JSON = st.recursive(SCALAR, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4))
# What tests the readers of each structure harder than any text would.
MARKS = st.lists(
    st.sampled_from(
        [
            *('{"', '"', "\\", '\\"', "\\u0070", ":", ",", "{", "}", "[", "]", "null", " ", "\n", "\r\n", "'"),
            *("password", "token", "=", "&", "%3D", "%", "+", "--", "<", ">", "</", "/>", "<!--", "-->", "<![CDATA["),
            *(
                "]]>",
                "<!DOCTYPE a [",
                "<?",
                "&#112;",
                "&amp;",
                "name=",
                "value=",
                "form-data; ",
                "Content-Disposition:",
            ),
            *("://", "@", "Bearer ", "Basic YTpi", "eyJhbGciOi.", "4111111111111111", "GB82WEST12345698765432", ";"),
            *(
                "-----BEGIN PRIVATE KEY-----",
                "-----END PRIVATE KEY-----",
                "[Filtered]",
                "x1y2z3",
                "é",
                "is ",
                "-u a:b1",
            ),
        ]
    ),
    max_size=24,
).map("".join)
TYPES = st.sampled_from(
    ["application/json", FORM, "multipart/form-data", "text/xml", "text/html", "text/csv", "text/plain", ""]
)


@st.composite
def json_with_secret(draw: st.DrawFn) -> tuple[Any, str]:
    """Put a secret, of any shape, under a secret name somewhere in a document."""
    secret = draw(SECRET)
    shape = draw(st.sampled_from(["text", "list", "object", "inside"]))
    held: Any = {"text": secret, "list": [1, secret], "object": {"v": [secret]}, "inside": f"a {secret} b"}[shape]
    value: Any = {**draw(st.dictionaries(INNOCENT_NAME, JSON, max_size=3)), draw(NAME): held}
    for _ in range(draw(st.integers(0, 4))):
        way = draw(st.sampled_from(["list", "object", "string"]))
        if way == "list":
            value = [draw(JSON), value, draw(SCALAR)]
        elif way == "object":
            value = {draw(INNOCENT_NAME): value, "z": draw(JSON)}
        else:
            value = {"payload": json.dumps(value, ensure_ascii=draw(st.booleans()))}
    return value, secret


@given(json_with_secret(), st.booleans(), st.sampled_from([None, 2]))
def test_a_secret_under_a_secret_name_is_in_no_json(given_json: Any, is_ascii: bool, indent: int | None) -> None:
    value, secret = given_json
    masked = mask_body(json.dumps(value, ensure_ascii=is_ascii, indent=indent), "application/json")
    assert secret not in masked
    json.loads(masked)
    assert secret not in json.dumps(mask_data(json.loads(json.dumps(value))))


@given(json_with_secret(), st.data())
def test_a_secret_is_in_no_json_that_was_cut_off_anywhere(given_json: Any, data: Any) -> None:
    value, secret = given_json
    text = json.dumps(value)
    masked = mask_body(text[: data.draw(st.integers(0, len(text)))], "application/json")
    assert secret[:6] not in masked


@given(NAME, SECRET, st.lists(st.tuples(INNOCENT_NAME, TEXT), max_size=4), st.data())
def test_a_secret_under_a_secret_name_is_in_no_form(name: str, secret: str, others: Any, data: Any) -> None:
    wrapped = data.draw(st.sampled_from([name, f"{name}[]", f"user[{name}]", f"a.{name}", f"f-0-{name}"]))
    fields = [*others, (wrapped, secret), *others]
    masked = mask_body(urlencode(fields), FORM)
    assert secret not in masked
    assert [field for field in parse_qsl(masked, keep_blank_values=True) if field[0] != wrapped] == [*others, *others]
    encoded = "".join(f"%{byte:02x}" for byte in wrapped.encode())
    assert secret not in mask_body(f"a=1&{encoded}={quote(secret)}", FORM)


@given(NAME.filter(str.isascii), SECRET, TEXT, st.data())
def test_a_secret_under_a_secret_name_is_in_no_xml(name: str, secret: str, other: str, data: Any) -> None:
    held = data.draw(
        st.sampled_from(
            [
                f"<{name}>{secret}</{name}>",
                f"<{name} a='1'><b>{secret}</b></{name}>",
                f"<{name}><![CDATA[{secret}]]></{name}>",
                f"<n:{name} xmlns:n='urn:n'>x{secret}</n:{name} >",
                f"<c {name}='{secret}' d='1'/>",
                f"<field name={quoteattr(name)}>{secret}</field>",
                f"<field name={quoteattr(name)} value='{secret}'/>",
                f"<{name}>{''.join(f'&#{ord(c)};' for c in secret)}</{name}>",
            ]
        )
    )
    text = f"<r x={quoteattr(other)}><o>{escape(other)}</o>{held}<p>{escape(other)}</p></r>"
    masked = mask_body(text, "text/xml")
    assert secret not in masked
    assert "".join(f"&#{ord(c)};" for c in secret) not in masked
    root, before = ElementTree.fromstring(masked), ElementTree.fromstring(text)
    assert (root.get("x"), root.findtext("o"), root.findtext("p")) == (
        other,
        before.findtext("o"),
        before.findtext("p"),
    )


@given(JSON, st.booleans())
def test_valid_json_in_is_valid_json_out(value: Any, is_ascii: bool) -> None:
    json.loads(mask_body(json.dumps(value, ensure_ascii=is_ascii), "application/json"))


@given(st.lists(MARKS, max_size=5), st.dictionaries(MARKS, MARKS, max_size=3))
def test_json_of_nothing_but_marks_stays_valid_json(texts: list[str], members: dict[str, str]) -> None:
    json.loads(mask_body(json.dumps([texts, members]), "application/json"))


@given(st.lists(MARKS, max_size=4))
def test_xml_of_nothing_but_marks_stays_well_formed(texts: list[str]) -> None:
    printable = [re.sub(r"[\r\n]", " ", text) for text in texts]
    body = "".join(f"<a b={quoteattr(text)}>{escape(text)}</a>" for text in printable)
    ElementTree.fromstring(mask_body(f"<r>{body}</r>", "text/xml"))


@given(MARKS, TYPES)
@example("Basic YTpi%3DBasic YTpi", "text/plain")
@example("4111111111111111eyJhbGciOi.", "text/html")
def test_masking_a_body_twice_is_masking_it_once(text: str, media_type: str) -> None:
    once = mask_body(text, media_type)
    assert mask_body(once, media_type) == once


@given(MARKS)
@example("4111111111111111eyJhbGciOi.")
def test_masking_a_text_twice_is_masking_it_once(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.text() | MARKS)
def test_no_text_is_too_odd(text: str) -> None:
    for media_type in ("application/json", FORM, "multipart/form-data", "text/xml", "text/csv", "text/plain"):
        mask_body(text, media_type)
    mask_text(text)
    mask_path(text)
    mask_host(text)
    mask_data({text: [text]})
    for group in ("HEADERS", "QUERIES"):
        mask_members({text: text, "Cookie": text, "Location": text, "Authorization": text}, group)  # type: ignore[arg-type]


@given(st.dictionaries(st.sampled_from(["q", "Cookie", "Set-Cookie", "Location", "Authorization", "X"]), MARKS))
def test_masking_headers_and_queries_twice_is_masking_them_once(members: dict[str, str]) -> None:
    for group in ("HEADERS", "QUERIES"):
        once = mask_members(members, group)  # type: ignore[arg-type]
        assert mask_members(once, group) == once  # type: ignore[arg-type]


@given(MARKS)
def test_masking_a_path_and_data_twice_is_masking_them_once(text: str) -> None:
    assert mask_path(mask_path(text)) == mask_path(text)
    once = mask_data({"a": [text], text: 1})
    assert mask_data(once) == once


@pytest.mark.parametrize("name", NAMES)
@given(secret=SECRET)
def test_a_value_in_any_text_is_hidden(name: str, secret: str) -> None:
    for text in (f"{name}={secret}", f"x {name}: {secret}, y", f'"{name}": "{secret}"', f"{{'{name}': '{secret}'}}"):
        assert secret not in mask_text(text)
