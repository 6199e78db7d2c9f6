"""The commands that explain the masking, and apply it to what is stored."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from security import recording
from security.backends.sql.models import CeleryTaskRunLog, InputRequestLog
from security.backends.sql.writer import SQLWriter
from security.backends.testing import capture_security_logs
from security.body import Body
from security.enums import Event, RequestLogState
from security.management import call_command as recorded_call
from security.records import CeleryTaskRunRecord, InputRequestRecord

pytestmark = pytest.mark.django_db

UNMASKED = override_settings(SECURITY_HIDE_SENSITIVE_DATA=False)


def run(command: str, *arguments: str) -> str:
    output = io.StringIO()
    call_command(command, *arguments, stdout=output)
    return output.getvalue()


def test_each_rule_that_hides_something_is_named(tmp_path: Path) -> None:
    body = {"apiKey": "abc123", "n": "4539578763621486", "log": "--token x1 and password=y2", "b": "Bearer abcdefg1"}
    file = tmp_path / "body.json"
    file.write_text(json.dumps(body))
    output = run("explain_masking", str(file), "--content-type", "application/json")
    for said in ("key apiKey: 8 characters", "detector card_number: 16 characters", "option --token: 2 characters"):
        assert said in output
    assert "detector bearer" in output
    assert "text password: 2 characters" in output
    assert "abc123" not in output
    assert output.endswith(
        '{"apiKey": "[Filtered]", "n": "[Filtered]", "log": "--token [Filtered] and password=[Filtered]",'
        ' "b": "Bearer [Filtered]"}\n'
    )
    assert 'key apiKey: "abc123"' in run(
        "explain_masking", str(file), "--content-type", "application/json", "--show-values"
    )


def test_what_it_shows_is_recorded_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text('<input name="password" value="zebraleak">')
    with capture_security_logs() as logs:
        recorded_call("explain_masking", str(file), "--content-type=text/html", "--show-values", stdout=io.StringIO())
        recorded_call("talk", "print")
    assert [log.name for log in logs.command] == ["talk"]


@pytest.mark.parametrize("text", ["if a < b: token=abc123x", "1 < 2 and token=abc123x"])
def test_what_is_hidden_once_is_counted_once(text: str, tmp_path: Path) -> None:
    file = tmp_path / "body.txt"
    file.write_text(text)
    assert "times" not in run("explain_masking", str(file))


def test_it_says_where_a_body_of_the_type_is_not_stored(tmp_path: Path) -> None:
    file = tmp_path / "body.txt"
    file.write_text("a")
    assert "SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES" in run("explain_masking", str(file), "--content-type=text/plain")
    with pytest.raises(CommandError, match="as in application/json"):
        run("explain_masking", str(file), "--content-type", "json")


def test_a_body_without_a_secret_is_said_to_have_none(tmp_path: Path) -> None:
    file = tmp_path / "body.xml"
    file.write_bytes("<a>b</a>".encode("utf-16"))
    assert run("explain_masking", str(file), "--content-type", "text/xml") == "No rule hides anything.\n\n<a>b</a>\n"
    assert run("explain_masking", str(file), "--content-type", "text/xml", "--no-body") == "No rule hides anything.\n"


@override_settings(SECURITY_HIDE_SENSITIVE_DATA_PATTERNS={"BODY": [r"customer-(\d+)"]})
def test_a_sites_own_pattern_is_named(tmp_path: Path) -> None:
    file = tmp_path / "body.txt"
    file.write_text("customer-17 customer-18")
    assert r"pattern customer-(\d+): 2 characters (2 times)" in run("explain_masking", str(file))


def test_a_file_that_is_not_there_is_an_error_that_says_so() -> None:
    with pytest.raises(CommandError, match="cannot be read: No such file"):
        run("explain_masking", "/nowhere/x")


@UNMASKED
@pytest.mark.parametrize(("command", "arguments"), [("explain_masking", ["x"]), ("mask_logs", [])])
def test_with_masking_off_the_commands_say_so(command: str, arguments: list[str]) -> None:
    with pytest.raises(CommandError, match="SECURITY_HIDE_SENSITIVE_DATA is False"):
        run(command, *arguments)


def store(**fields: Any) -> InputRequestRecord:
    """Store a request as a release without these rules did."""
    with UNMASKED:
        record = InputRequestRecord(**fields)
        SQLWriter().write(recording.begin(record))
        SQLWriter().write(recording.complete(record, Event.FINISHED, state=RequestLogState.INFO))
    return record


def test_what_is_stored_is_masked_by_todays_rules() -> None:
    secret = "hunter2Xq9zR"
    record = store(
        path=f"/token/{secret}/",
        queries={"api_key": secret, "page": "2"},
        request_headers={"Content-Type": "application/json", "Cookie": f"a={secret}"},
        request_body=Body(json.dumps({"p\u0061ssword": secret, "a": 1}).encode(), "application/json"),
        response_headers={"Content-Type": "text/xml"},
        response_body=Body(f"<r><pin>{secret}</pin></r>".encode(), "text/xml"),
        extra_data={"token": secret, "n": 1},
        error_message=f"password={secret}",
    )
    before = InputRequestLog.objects.values().get()
    output = run("mask_logs", "--dry-run")
    assert InputRequestLog.objects.values().get() == before
    assert "sql: input-request: 1 of 1 looked at, 1 would change" in output
    output = run("mask_logs")
    assert f"1 of 1 looked at, 1 changed; go on with --after 'input-request|{record.id}'" in output
    row = InputRequestLog.objects.get()
    assert secret not in str(vars(row))
    assert row.request_body == '{"password": "[Filtered]", "a": 1}'
    assert row.response_body == "<r><pin>[Filtered]</pin></r>"
    assert row.queries == {"api_key": "[Filtered]", "page": "2"}
    assert row.extra_data == {"token": "[Filtered]", "n": 1}
    assert (row.state, row.version, row.start) == (RequestLogState.INFO, 2, record.start)
    assert "0 changed" in run("mask_logs")


def test_what_cannot_be_masked_does_not_stay_stored(caplog: pytest.LogCaptureFixture) -> None:
    secret = "hunter2Xq9zR"
    record = store(request_body=Body(b"<p>" + secret.encode() + b"</p>", "text/html"), response_body=secret)
    # What another program wrote: no release of the library stores headers as a list.
    InputRequestLog.objects.update(request_headers=[f"Cookie: {secret}"], queries={"number": 1, "token": secret})
    assert "1 of 1 looked at, 1 changed" in run("mask_logs")
    row = InputRequestLog.objects.get()
    # Without its headers nobody knows how a body is to be masked.
    assert (row.request_headers, row.queries, row.request_body) == ({}, {}, "[Filtered]")
    assert row.response_body == secret
    for field in ("request_headers", "queries", "request_body"):
        assert f"The field {field} of {record.reference} could not be masked" in caplog.text
    assert secret not in caplog.text


def test_where_nothing_is_stored_it_says_so() -> None:
    assert run("mask_logs") == "Nothing to look at.\n"


def test_it_goes_on_where_it_was_stopped() -> None:
    records = [store(path=f"/{number};password=x{number}") for number in range(5)]
    with UNMASKED:
        SQLWriter().write(recording.begin(CeleryTaskRunRecord(task_kwargs={"secret": "x1"})))
    output = run("mask_logs", "--batch-size", "2", "--type", "input-request", "celery-task-run")
    assert [line.split(";")[0] for line in output.splitlines()] == [
        "sql: input-request: 2 of 5 looked at, 2 changed",
        "sql: input-request: 4 of 5 looked at, 4 changed",
        "sql: input-request: 5 of 5 looked at, 5 changed",
        "sql: celery-task-run: 1 of 1 looked at, 1 changed",
    ]
    assert CeleryTaskRunLog.objects.get().task_kwargs == {"secret": "[Filtered]"}
    InputRequestLog.objects.update(path="password=x")
    assert "2 of 2 looked at, 2 changed" in run("mask_logs", "--after", f"input-request|{records[2].id}")
    assert InputRequestLog.objects.filter(path="password=x").count() == 3


def test_an_entry_that_grew_newer_meanwhile_stays() -> None:
    from security.backends.sql.rewriter import SQLRewriter

    record = store(path="/a")
    (stored,) = SQLRewriter().read_stored(record.kind, None, 10)
    InputRequestLog.objects.update(version=9)
    assert SQLRewriter().rewrite_stored(record.kind, [(stored, {"path": "/b"})]) == 0
    assert InputRequestLog.objects.get().path == "/a"


@pytest.mark.parametrize("name", ["content-type", "Content-Type", "CONTENT-TYPE"])
def test_the_type_of_a_body_is_known_by_a_header_in_any_letters(name: str) -> None:
    body = Body(b"# x\nuser;password\nann;hunter2\n", "text/csv")
    store(response_body=body, response_headers={name: "text/csv"})
    run("mask_logs")
    assert "hunter2" not in InputRequestLog.objects.get().response_body


def test_a_body_is_not_cut_again() -> None:
    with override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=None):
        store(request_body=Body(b"<p>" + b"x" * 5000 + b"</p><b>password=y1</b>", "text/html"))
    run("mask_logs")
    assert len(InputRequestLog.objects.get().request_body) > 5000


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--after", "x"], "write a kind and an id"),
        (["--after", "command|019a8c8e-5b7c-7c10-8000-000000000000", "--type", "input-request"], "leaves out"),
        (["--backend", "logging"], "can be rewritten are sql"),
        (["--batch-size", "0"], "1 or more"),
    ],
)
def test_mistakes_are_errors_that_say_what_to_write(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        run("mask_logs", *arguments)
