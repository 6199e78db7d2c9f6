"""Bodies made to cost much are masked in steps that never go back."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable, Iterator
from functools import partial
from html import escape
from urllib.parse import SplitResult, quote

import pytest

from bench.masking import SHAPES, body_of
from security import masking
from security.fields import Members
from security.masking import (
    Finding,
    mask_body,
    mask_data,
    mask_host,
    mask_members,
    mask_path,
    mask_text,
    mask_words,
    work,
)
from security.masking.hiding import Hiding
from security.masking.work import WORK_A_CHARACTER, WORK_A_VALUE
from security.sources import quoted
from security.sources.quoted import without_quoted

from . import innocent
from .cases import CASES, HEADERS, PATHS, QUERIES

# No database is part of this: one run of each Python is enough.
pytestmark = pytest.mark.only_on("sqlite")

SECRET = "hunter2zz"

FORM = "application/x-www-form-urlencoded"
PART = '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n'
# How a client reaches the masking with a text of its own.
DOORS: dict[str, Callable[[str], object]] = {
    "text": mask_text,
    "header": lambda text: mask_members({"X-A": text}, "HEADERS"),
    "referer": lambda text: mask_members({"Referer": text}, "HEADERS"),
    "query": lambda text: mask_members({"a": text}, "QUERIES"),
    "name of a query": lambda text: mask_members({text: "a"}, "QUERIES"),
    "path": lambda text: mask_path(f"/{text}"),
    "host": mask_host,
    "JSON": lambda text: mask_body(json.dumps({"a": text}), "application/json"),
    "JSON that is none": partial(mask_body, media_type="application/json"),
    "XML": lambda text: mask_body(f"<a/>{text}", "text/xml"),
    "form": lambda text: mask_body(f"a={text}", FORM),
    "multipart": lambda text: mask_body(PART + text, "multipart/form-data"),
    "CSV": lambda text: mask_body(f"a,b\n{text}", "text/csv"),
    "HTML": lambda text: mask_body(f"<p>{text}", "text/html"),
    "plain": partial(mask_body, media_type="text/plain"),
    "data": lambda text: mask_data({"a": [text]}),
    "words": lambda text: mask_words(["x", text]),
}
# What is repeated: each of these once made each level of structures read all that is left some times.
UNITS = [
    '<![CDATA["password":"',
    '<a/><![CDATA["password":"',
    'code=<!--<![CDATA["',
    '<a/>code=<!--<![CDATA["',
    "<!--<?x <![CDATA['password':'",
    "AKIA<!--`&%3D",
    "sig=--api-key=<a/>a",
    'a,token\nidentified by \'\\x70"password":""',
    "name;pin\n",
    '"}Key (token)=(?>|<?',
    '//a:b@<?%3C["',
    "<soap:Envelope>sig=%25(",
]
# The marks of all structures, and what stands between them; § is a space.
MARKS = [
    mark.replace("§", " ")
    for mark in re.findall(
        r"\S+",
        """
    <![CDATA[ ]]> <!-- --> <? ?> <a/> <a> </a> <a§b=" <!DOCTYPE§a§[ <!ENTITY§a§" <soap:Envelope> <Password>
    <key>password</key> <b>Password:</b> " ' ` \\" \\\\ \\u0070 \\n { } [ ] ( ) {"a":" ["password"," "password":"
    "password":{ "name":"password","value": & ; , | = : ? # @ &amp; &lt; &quot; &#34; %22 %25 %2525 %3C %3D %40
    password= password:§ 'password':' code= token sig= state= https://h/ //a:b@ /token/a1b2c3d4 ;sid= =?utf-8?b?
    ?= YWJj bearer§ Basic§YTpi Cookie:§a= --password§ -u§a:b mysql§-p eyJhbGciOi 4111111111111111 $2a$ AKIA
    s:8:"password";s:1:"x insert§into§a§(token)§values§( identified§by§' Key§(token)=( password§is§ a hunter2 é
""",
    )
]
MARKS += ["a,token\n", "name;pin\n", "b,c\n", "password:\n  x", "\t", "\r\n\r\n", " ", PART, "form-data; name*0=a"]


class Reading:
    """How many characters were read inside structures."""

    characters = 0


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Reading:
    reading, mask_value = Reading(), masking.mask_value

    def count(text: str, hiding: Hiding) -> str:
        reading.characters += len(text) if hiding.level else 0
        # Nobody waits for the rest of what went wrong.
        assert reading.characters < 2_000_000
        return mask_value(text, hiding)

    monkeypatch.setattr(masking, "mask_value", count)
    return reading


def units(count: int) -> list[str]:
    choose = random.Random(20_26)
    return ["".join(choose.choices(MARKS, k=choose.randint(1, 5))) for _ in range(count)]


@pytest.mark.parametrize("size", [1_000, 8_000])
@pytest.mark.parametrize("door", DOORS)
def test_what_is_read_inside_of_structures_grows_with_the_text_only(door: str, size: int, reading: Reading) -> None:
    for unit in UNITS:
        reading.characters = 0
        DOORS[door]((unit * size)[:size])
        assert reading.characters <= 12 * size, unit


@pytest.mark.parametrize("door", DOORS)
def test_no_marks_of_structures_put_together_are_read_more_often_than_the_bound_says(
    door: str, reading: Reading
) -> None:
    for number, unit in enumerate(units(200)):
        size = (1_000, 1_000, 4_000)[number % 3]
        reading.characters = 0
        DOORS[door]((unit * size)[:size])
        # The texts of a door are a little longer, and a JSON text is read without its escapes.
        assert reading.characters <= (WORK_A_CHARACTER + 2) * size + 2 * WORK_A_VALUE + 2_000, unit


@pytest.mark.parametrize("opener", ["<![CDATA[", "<!--", "<?x "])
@pytest.mark.parametrize("end", [f'"password":"{SECRET}', f"password={SECRET}", f'{{"a": "password={SECRET}"'])
def test_a_section_without_an_end_in_a_text_without_tags_is_read_as_text(
    opener: str, end: str, reading: Reading
) -> None:
    assert SECRET not in mask_text(f'{opener}"password":"' * 48 + end)
    # Only a text of the JSON at the end is read by itself, once more when it is masked.
    assert reading.characters <= 2 * len(end)
    assert SECRET not in mask_text(opener + end)
    assert SECRET not in mask_text(f"<a/>{opener}{end}")


def nested(levels: int) -> Iterator[tuple[str, str]]:
    """Give documents in documents, with a secret in each of them, and their types."""
    document = json.dumps({"password": SECRET, "a": "lorem ipsum " * 20})
    form, xml = f"password={SECRET}&next=/", f"<password>{SECRET}</password>{'lorem ipsum ' * 20}"
    for _ in range(levels):
        document = json.dumps({"a": document, "token": SECRET, "b": f"token={SECRET}"})
        form = f"token={SECRET}&next={quote(form, safe='')}"
        xml = f"<a>token={SECRET} {escape(xml)}</a>"
        yield from ((document, "application/json"), (form, FORM), (xml, "text/xml"))


def test_nothing_honest_comes_near_the_bound(reading: Reading) -> None:
    texts: list[tuple[Callable[[], object], int]] = []
    bodies = [*((case.text, case.content_type) for case in CASES), *((text, kind) for kind, text in innocent.BODIES)]
    bodies += [*nested(8), *(body_of(shape, 20_000) for shape in SHAPES)]
    for text, media_type in bodies:
        texts += ((partial(mask_body, text, media_type), len(text)), (partial(mask_text, text), len(text)))
    texts += [(partial(mask_text, text), len(text)) for text in (*innocent.TEXTS, *innocent.ERRORS)]
    texts += [(partial(mask_path, f"/{text}"), len(text)) for text in (*innocent.PATHS, *(case.text for case in PATHS))]
    members = [*innocent.HEADERS.items(), *((case.name, case.text) for case in HEADERS)]
    texts += [(partial(mask_members, {name: text}, "HEADERS"), len(text)) for name, text in members]
    texts += [(partial(mask_members, {"a": case.text}, "QUERIES"), len(case.text)) for case in QUERIES]
    for mask, size in texts:
        reading.characters = 0
        mask()
        assert reading.characters <= (WORK_A_CHARACTER * size + WORK_A_VALUE) / 1.8, mask


def test_a_value_that_costs_too_much_is_hidden_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    costly = f"<a><b>{SECRET}</b><b>{SECRET}1</b><b>{SECRET}2</b></a> code=1"
    monkeypatch.setattr(work, "WORK_A_CHARACTER", 0)
    monkeypatch.setattr(work, "WORK_A_VALUE", 25)
    hidden = "[Filtered]"
    assert mask_text(costly) == hidden
    assert mask_body(costly, "text/html") == hidden
    assert mask_body(json.dumps({"a": costly, "b": "c"}), "application/json") == hidden
    assert mask_path(f"/{costly}") == hidden
    # Each value by itself
    headers = {"X-A": [costly, "token=x"], "Accept": "text/html"}
    assert mask_members(headers, "HEADERS") == {"X-A": [hidden, "token=[Filtered]"], "Accept": "text/html"}
    assert mask_members({costly: "1", "b": costly, "c": "d"}, "QUERIES") == {hidden: "1", "b": hidden, "c": "d"}
    assert mask_data({"a": [costly, "b"]}) == {"a": [hidden, "b"]}
    assert mask_words(["run", costly]) == ["run", hidden]


def test_who_asks_what_was_hidden_is_told_that_it_was_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "WORK_A_CHARACTER", 0)
    monkeypatch.setattr(work, "WORK_A_VALUE", 10)
    findings: list[Finding] = []
    text = f"<a>password={SECRET}</a><b>password={SECRET} {SECRET}</b>"
    assert mask_body(text, "text/xml", findings) == "[Filtered]"
    assert findings == [Finding("too much work", text)]


def test_what_is_remembered_of_a_value_does_not_hide_how_deep_another_one_is() -> None:
    # The same text stands at each level; what is too deep is hidden, and only there.
    text = "token_count=1"
    document = text
    for _ in range(12):
        document = json.dumps([text, document])
    masked, levels = json.loads(mask_body(document, "application/json")), 1
    while masked[1] != "[Filtered]":
        assert masked[0] == text
        masked, levels = json.loads(masked[1]), levels + 1
    assert levels > 6


def test_a_message_does_not_grow_with_each_header_that_it_quotes(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    replaced = quoted._replaced

    def count(message: str, hidden: dict[str, str], replacement: str) -> str:
        seen.append(len(hidden))
        return replaced(message, hidden, replacement)

    monkeypatch.setattr(quoted, "_replaced", count)
    url = SplitResult("", "", "/x", "", "")
    # What hides a value has the value in it.
    message = without_quoted("Filt" * 5000, url, {f"X-Token{number}": "Filt" for number in range(400)})
    assert message == "[Filtered]" * 5000
    assert seen == [1]
    values = {f"X-Token{number}": f"Filt{'ered]'[:number]}" for number in range(6)}
    assert len(without_quoted("Filtered]" * 5000, url, values)) <= 10 * 5000
    assert len(without_quoted("a;a;" * 5000, url, {"Cookie": "a;a;a;"})) <= len("[Filtered]") * 20_000


def test_texts_that_begin_alike_are_not_compared_again_at_each_character() -> None:
    # An expression of all of them takes minutes for these.
    url = SplitResult("", "", "/x", "", "")
    headers = {f"X-Token{number}": "a" * 3000 + str(number) for number in range(9)}
    message = "a" * 1_000_000
    assert without_quoted(message, url, headers) == message
    assert without_quoted(f"{message}3!", url, headers) == f"{message[3000:]}[Filtered]!"


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Token": "a" * 40_000},
        {f"X-Token-{number}": SECRET for number in range(4_000)},
        {f"T{number}-Token": f"{number:04}" for number in range(401)},
    ],
    ids=["long", "many", "many different texts"],
)
def test_a_message_is_hidden_that_may_quote_more_than_is_looked_for(headers: dict[str, str]) -> None:
    url = SplitResult("", "", "/x", "", "")
    assert without_quoted(f"E: {SECRET}", url, headers) == "[Filtered]"
    assert without_quoted("E: x", url, dict([*headers.items()][:1]) if len(headers) > 1 else {}) == "E: x"


def test_the_longest_text_is_hidden_first_and_nothing_in_what_hides_another() -> None:
    url = SplitResult("https", f"ann:{SECRET}@h", f"/token/{SECRET}/", f"a={SECRET}", "")
    headers = {"X-Token": SECRET, "X-Secret": f"{SECRET}-{SECRET}", "X-Api-Key": "Filtered", "Cookie": f"a={SECRET}"}
    message = f"{SECRET} {SECRET}-{SECRET} Filtered https://ann:{SECRET}@h/token/{SECRET}/?a={SECRET} 'a={SECRET}'"
    hidden = without_quoted(message, url, headers)
    assert hidden == (
        "[Filtered] [Filtered] [Filtered] https://[Filtered]@h/token/[Filtered]/?[Filtered] 'a=[Filtered]'"
    )
    # What is left of a value that is hidden in part can be what another one holds.
    notes = {"X-Note": f"password={SECRET}x of {SECRET}y", "X-Token": f"{SECRET}y"}
    assert SECRET not in without_quoted(f"E: {notes['X-Note']}", url, notes)
    # Characters of private use are as good as others.
    assert without_quoted(f"\ue000{SECRET}\ue001", url, headers) == "\ue000[Filtered]\ue001"


@pytest.mark.parametrize("shape", SHAPES)
def test_hostile_bodies_end(shape: str) -> None:
    # A step that looked back would make these run for minutes, which ends the run.
    text, content_type = body_of(shape, 100_000)
    assert isinstance(mask_body(text, content_type), str)
    mask_text(text[:20_000])


@pytest.mark.parametrize(
    "path",
    ["/%25252f", "%2f", "/token;", "/token:a1b2c3", "/./", "//u:x@", "\\", "/a%", "://a:b%40", "%", "u%3A", "/bot1:"],
)
def test_hostile_paths_and_hosts_end_and_hide_what_follows(path: str) -> None:
    hostile = path * (100_000 // len(path))
    headers = {"Location": f"{hostile}?password={SECRET}", "Referer": f"https://h/#{path * 10_000}&password={SECRET}"}
    assert SECRET not in mask_path(f"{hostile}?password={SECRET}")
    assert SECRET not in mask_host(f"u:{SECRET}@{hostile}")
    assert SECRET not in str(mask_members(headers, "HEADERS"))


@pytest.mark.parametrize("name", ["a" * 100_000, "token" * 20_000, "a_" * 50_000, "é" * 100_000])
def test_hostile_names_end_and_hide_what_follows(name: str) -> None:
    members = {name: "x", "password": SECRET}
    assert SECRET not in str(mask_members(members, "HEADERS"))
    assert SECRET not in str(mask_members(members, "QUERIES"))
    assert SECRET not in mask_body(json.dumps(members), "application/json")
    assert SECRET not in mask_path(f"/{name}/{name};{name}={name}?password={SECRET}")


def test_a_document_with_20_000_secret_names_ends() -> None:
    text = json.dumps({f"password_{number}x": number for number in range(20_000)})
    document = json.loads(mask_body(text, "application/json"))
    assert set(document.values()) == {"[Filtered]"}


def test_no_more_of_headers_is_looked_at_than_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(members: dict[str, str], group: str) -> dict[str, str]:
        seen.append(sum(len(name) + len(value) for name, value in members.items()))
        return mask_members(members, group)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr("security.fields.mask_members", look)
    headers = {"X-First": "a", "X-Long": f"{'b ' * 1_000_000}password=hunter2", "X-Last": "c"}
    stored = Members("HEADERS", 16_000).clean(headers)
    assert sum(seen) <= 32_000
    assert (stored["X-First"], list(stored)[-1]) == ("a", "…")


def test_a_header_that_is_cut_before_it_is_masked_leaves_no_half_of_a_secret() -> None:
    for cut in range(1, 20):
        value = f"password={'a' * (200 - len('X-Apassword= ') - cut)} 4111-1111-1111-1111 more"
        assert "4111" not in str(Members("HEADERS", 100).clean({"X-A": value, "X-B": "4111"}))
