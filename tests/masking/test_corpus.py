"""No secret of the corpus is stored, whatever carries it, in whatever field of whatever kind."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.test import Client, override_settings

from security import recording
from security.backends.sql.models import LOG_MODELS, InputRequestLog
from security.body import Body
from security.delivery import deliver
from security.enums import Event, LoggerName
from security.records import (
    FIELDS,
    CeleryTaskInvocationRecord,
    CeleryTaskRunRecord,
    CommandRecord,
    OutputRequestRecord,
    Record,
)

from .carriers import BODIES, CREDENTIALS, CSV, HTML, JSON, LOOSE, PLAIN_BODIES
from .secrets import DETECTED, NAMED, NAMES, PEM, PLAIN, found_in

pytestmark = pytest.mark.django_db

ALL_TYPES = [
    *("application/json", "application/xml", "text/xml", "text/csv", "text/html", "text/plain"),
    *("application/x-www-form-urlencoded", "multipart/form-data"),
]
EVERYTHING = override_settings(
    SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=ALL_TYPES,
    SECURITY_LOG_REQUEST_BODY_LENGTH=None,
    SECURITY_LOG_RESPONSE_BODY_LENGTH=None,
    SECURITY_BACKENDS=["sql"],
)
PLAIN_NAMES = [name for name in NAMES if name.isascii()]


def named_bodies() -> Iterator[tuple[str, str, str, str]]:
    """Give carrier, secret, content type and body: each carrier with some names and some secrets."""
    for number, (carrier, (content_type, make)) in enumerate(BODIES.items()):
        for turn, secret in enumerate(NAMED):
            name = NAMES[(number * len(NAMED) + turn) % len(NAMES)]
            yield carrier, secret, content_type, make(name, secret)
    for number, (carrier, (content_type, make)) in enumerate(PLAIN_BODIES.items()):
        for turn in range(4):
            name = PLAIN_NAMES[(number * 4 + turn) % len(PLAIN_NAMES)]
            secret = PLAIN[turn % len(PLAIN)]
            yield carrier, secret, content_type, make(name, secret)


def loose_bodies() -> Iterator[tuple[str, str, str, str]]:
    for carrier, (content_type, make) in LOOSE.items():
        for secret in (*DETECTED.values(), PEM):
            yield carrier, secret, content_type, make(secret)
    for carrier, text in CREDENTIALS.items():
        for secret in PLAIN:
            yield carrier, secret, "text/plain", text(secret)
            yield f"{carrier} in JSON", secret, JSON, json.dumps({"log": text(secret)})
            yield f"{carrier} in HTML", secret, HTML, f"<pre>{text(secret)}</pre>"


CASES = [*named_bodies(), *loose_bodies()]
# A table is known as one where its content type says so.
TEXT_CASES = [case for case in CASES if case[2] != CSV]


def stored_values(kind: LoggerName = LoggerName.INPUT_REQUEST) -> list[Any]:
    """Give all that is stored in the rows of a kind, field by field."""
    rows = LOG_MODELS[kind].objects.all()
    values = [getattr(row, name) for row in rows for name in FIELDS[kind] if name != "related_objects"]
    assert values
    rows.delete()
    return values


def leaks(cases: list[tuple[str, str, str, str]], send: Callable[[str, str], None], kind: LoggerName) -> list[str]:
    found = []
    for carrier, secret, content_type, text in cases:
        send(text, content_type)
        leak = found_in(stored_values(kind), secret)
        if leak is not None:
            found.append(f"{carrier}: {leak} of {text[:200]!r}")
    return found


def test_the_corpus_has_five_hundred_cases() -> None:
    assert len(CASES) >= 500


@EVERYTHING
def test_no_body_of_the_corpus_is_stored_with_its_secret() -> None:
    client = Client()

    def send(text: str, content_type: str) -> None:
        client.generic("POST", "/echo/", text.encode(), content_type)

    assert leaks(CASES, send, LoggerName.INPUT_REQUEST) == []


@EVERYTHING
def test_no_exception_is_stored_with_the_secret_that_it_quotes() -> None:
    client = Client(raise_request_exception=False)

    def send(text: str, content_type: str) -> None:
        client.generic("POST", "/masking/fail-with-body/", text.encode(), content_type)

    assert leaks(TEXT_CASES[::2], send, LoggerName.INPUT_REQUEST) == []


def queries() -> Iterator[tuple[str, str, str]]:
    for turn, name in enumerate(NAMES):
        secret = NAMED[turn % len(NAMED)]
        yield "name", secret, urlencode({"a": 1, name: secret})
        yield "name in an address", secret, urlencode({"next": "/x?" + urlencode({name: secret})})
        yield "name in JSON", secret, urlencode({"filter": json.dumps({name: secret})})
        yield "repeated", secret, urlencode([(f"user[{name}]", "x"), (f"user[{name}]", secret)])
    for secret in DETECTED.values():
        yield "value", secret, urlencode({"q": secret})
        yield "name without a value", secret, quote(secret)
        yield "in words", secret, urlencode({"q": f"find {secret} now"})


@EVERYTHING
def test_no_query_is_stored_with_its_secret() -> None:
    client = Client()
    for carrier, secret, query in queries():
        client.get(f"/?{query}")
        assert found_in(stored_values(), secret) is None, (carrier, query)


def headers(secret: str) -> dict[str, str]:
    """Give headers that each hold the secret."""
    basic = base64.b64encode(f"ann:{secret}".encode()).decode()
    return {
        "Authorization": f"Bearer {secret}",
        "Proxy-Authorization": f"Basic {basic}",
        "X-Authorization": secret,
        "Cookie": f"theme=dark; sessionid={secret}; x={secret}",
        "X-Api-Key": secret,
        "X-Auth-Token": secret,
        "X-CSRFToken": secret,
        "X-Amz-Security-Token": secret,
        "Api-Secret": secret,
        "Referer": f"https://ann:{secret}@h.example/token/{secret}/?password={secret}&a=1#access_token={secret}",
        "X-Original-Url": f"/x?token={secret}",
        "X-Forwarded-Authorization": f"Digest username=a, response={secret}",
        "X-Log": f"password={secret}",
        "X-Data": json.dumps({"password": secret}),
    }


@EVERYTHING
@pytest.mark.parametrize("secret", PLAIN)
def test_no_header_is_stored_with_its_secret(secret: str) -> None:
    client = Client()
    for name, value in headers(secret).items():
        client.get("/", headers={name: value})
        assert found_in(stored_values(), secret) is None, name
        body = {"headers": {name: value.replace("Cookie", "X")}}
        client.post("/masking/answer-with-headers/", body, content_type=JSON)
        assert found_in(stored_values(), secret) is None, name


@EVERYTHING
@pytest.mark.parametrize("secret", [*DETECTED.values()])
def test_no_header_with_another_name_is_stored_with_what_detectors_know(secret: str) -> None:
    client = Client()
    for name, value in (("X-Note", secret), ("Referer", f"/x?q={quote(secret)}"), ("User-Agent", f"a ({secret})")):
        client.get("/", headers={name: value})
        assert found_in(stored_values(), secret) is None, name


@EVERYTHING
@pytest.mark.parametrize("secret", PLAIN)
def test_no_response_is_stored_with_the_secrets_of_its_headers(secret: str) -> None:
    client = Client()
    location = f"/x?{urlencode({'code_token': secret, 'a': 1})}#token={secret}"
    body = {
        "headers": {"Location": location, "X-Reset-Token": secret},
        "cookies": {"sessionid": secret, "seen": secret},
    }
    client.post("/masking/answer-with-headers/", body, content_type=JSON)
    row = InputRequestLog.objects.get()
    assert all("HttpOnly; Path=/" in cookie for cookie in row.response_headers["Set-Cookie"])
    assert row.response_headers["Location"] == "/x?code_token=[Filtered]&a=1#token=[Filtered]"
    assert found_in(stored_values(), secret) is None


def paths(secret: str) -> list[str]:
    return [
        f"token/{quote(secret)}/",
        f"x;jsessionid={quote(secret)}/y",
        f"password={quote(secret)}/",
        f"https://ann:{quote(secret)}@h.example/",
    ]


@EVERYTHING
@pytest.mark.parametrize("secret", PLAIN)
def test_no_path_is_stored_with_its_secret(secret: str) -> None:
    client = Client()
    for path in paths(secret):
        client.get(f"/masking/any/{path}")
        assert found_in(stored_values(), secret) is None, path
    for detected in (*DETECTED.values(), "cabc12-0123456789abcdef0123456789abcdef"):
        client.get(f"/masking/any/{quote(detected)}/x")
        assert found_in(stored_values(), detected) is None, detected


@EVERYTHING
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_in_any_encoding_that_its_parser_takes_is_masked(encoding: str) -> None:
    for content_type in ("application/json", "application/json; charset=latin-1"):
        Client().generic("POST", "/echo/", json.dumps({"password": NAMED[0]}).encode(encoding), content_type)
        assert found_in(stored_values(), NAMED[0]) is None


@pytest.mark.parametrize("limit", [100, 1000])
@pytest.mark.parametrize("offset", range(-40, 41, 8))
def test_no_cut_uncovers_half_a_secret(limit: int, offset: int) -> None:
    with EVERYTHING, override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=limit, SECURITY_LOG_RESPONSE_BODY_LENGTH=limit):
        for bound in (limit, max(16_384, 4 * limit)):
            for secret, make in ((NAMED[0], "password={}"), (DETECTED["aws"], "x {}"), (DETECTED["jwt"], "x {}")):
                text = " " * (bound + offset) + make.format(secret)
                for content_type, body in (
                    ("text/plain", text),
                    (JSON, json.dumps({"long": text, "password": secret})),
                    ("text/html", f"<p>{text}</p>"),
                ):
                    Client().generic("POST", "/echo/", body.encode(), content_type)
                    assert found_in(stored_values(), secret) is None


@EVERYTHING
def test_half_a_secret_at_the_end_of_what_was_seen_is_not_stored_where_masking_made_room_for_it() -> None:
    card = DETECTED["card_number"]
    with override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=1000, SECURITY_LOG_RESPONSE_BODY_LENGTH=1000):
        for content_type in ("text/plain", "text/html"):
            beginning = f"password='{'z' * 16_000}' "
            text = beginning + " " * (16_384 - len(beginning) - 12) + card
            Client().generic("POST", "/echo/", text.encode(), content_type)
            assert found_in(stored_values(), card) is None
    for length, fields in ((10_000, ("input",)), (100_000, ("output",)), (10_000, ("error_message",))):
        beginning = f"password='{'z' * (2 * length - 200)}' "
        text = beginning + " " * (2 * length - len(beginning) - 12) + card + "\n" + " " * 4 * length
        store(CommandRecord(), **dict.fromkeys(fields, text))
        assert found_in(stored_values(LoggerName.COMMAND), card) is None, fields


# The other kinds: their sources fill the same fields.


def store(record: Record, **fields: Any) -> None:
    for name, value in fields.items():
        setattr(record, name, value)
    entries = recording.begin(record)
    deliver(entries + recording.complete(record, Event.ERROR, error_message=fields.get("error_message")))


@EVERYTHING
def test_no_outgoing_call_is_stored_with_a_secret() -> None:
    def send(text: str, content_type: str) -> None:
        error = f"requests.exceptions.ConnectionError: cannot send {text!r}"
        store(
            OutputRequestRecord(),
            request_body=Body(text.encode(), content_type),
            response_body=text,
            extra_data={"sent": text},
            error_message=error,
        )

    assert leaks(TEXT_CASES, send, LoggerName.OUTPUT_REQUEST) == []
    secret = PLAIN[0]
    store(
        OutputRequestRecord(),
        host=f"ann:{secret}@h.example",
        path=f"/token/{secret}/",
        queries={"api_key": secret, "x": [f"password={secret}", "b"]},
        request_headers=headers(secret),
        response_headers={"Set-Cookie": [f"a={secret}; Path=/"]},
        error_message=f"HTTPSConnectionPool(host='h', port=443): url: /x?a=1&api_key={secret} (Caused by x)",
    )
    assert found_in(stored_values(LoggerName.OUTPUT_REQUEST), secret) is None


@EVERYTHING
def test_no_command_is_stored_with_a_secret() -> None:
    def send(text: str, content_type: str) -> None:
        store(
            CommandRecord(), name="x", input=f"x {text}", output=f"1\n{text}\n2", error_message=f"Traceback\nE: {text}"
        )

    assert leaks(TEXT_CASES, send, LoggerName.COMMAND) == []


@EVERYTHING
@pytest.mark.parametrize("kind", [CeleryTaskInvocationRecord, CeleryTaskRunRecord])
def test_no_task_is_stored_with_a_secret(kind: type[CeleryTaskRunRecord]) -> None:
    def send(text: str, content_type: str) -> None:
        fields: dict[str, Any] = {
            "input": f"({text!r}, 1), {{}}",
            "task_args": [text],
            "task_kwargs": {"a": {"b": text}},
        }
        if kind is CeleryTaskRunRecord:
            fields |= {"result": text, "output": text}
        record = kind(**fields)
        failed = Event.FAILED
        deliver(recording.begin(record) + recording.complete(record, failed, error_message=f"Traceback\nE: {text}"))

    assert leaks(TEXT_CASES, send, kind.kind) == []
    for name in NAMES:
        for secret in (NAMED[0], {"x": NAMED[0]}, [NAMED[0]], 918273645546):
            kwargs = {"task_kwargs": {"deep": [{name: secret}]}, "task_args": [{name: secret}]}
            deliver(recording.begin(kind(**kwargs)))
            wanted = "918273645546" if isinstance(secret, int) else NAMED[0]
            assert found_in(stored_values(kind.kind), wanted) is None, name


@EVERYTHING
def test_no_message_of_the_logging_backend_has_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    secret = PLAIN[0]
    with override_settings(SECURITY_BACKENDS=["logging"]), caplog.at_level("DEBUG"):
        Client(raise_request_exception=False).post(
            f"/masking/any/token/{secret}/?password={secret}", {"password": secret}, headers={"Host": f"{secret}:x@h"}
        )
        store(CommandRecord(), name="x", input=f"--password {secret}", error_message=f"password={secret}")
    assert caplog.records
    for record in caplog.records:
        if record.name.startswith("security"):
            assert found_in([record.getMessage(), *map(str, vars(record).values())], secret) is None
