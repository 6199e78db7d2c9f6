"""The logging backend: a sentence on one line, and all fields as data."""

from __future__ import annotations

import json
import logging

import pytest

from security import recording
from security.backends.logging.writer import LoggingWriter
from security.enums import Event, RequestLogState
from security.records import CeleryTaskInvocationRecord, CeleryTaskRunRecord, CommandRecord, InputRequestRecord, Record
from security.references import ObjectReference


def log(record: Record, event: Event, caplog: pytest.LogCaptureFixture, **kwargs: object) -> logging.LogRecord:
    caplog.set_level(logging.DEBUG, "security")
    LoggingWriter().write(recording.make_entry(record, event, **kwargs))  # type: ignore[arg-type]
    return caplog.records[-1]


def test_a_request_is_named_in_the_message_and_whole_in_the_record(caplog: pytest.LogCaptureFixture) -> None:
    request = InputRequestRecord(host="a.example", path="/x")
    line = log(request, Event.STARTED, caplog)
    assert (line.name, line.levelno) == ("security.input_request", logging.INFO)
    assert line.getMessage() == f'Input request "{request.id}" to "a.example" with path "/x" was started'
    assert (line.security_kind, line.security_event) == ("input-request", "started")  # type: ignore[attr-defined]
    assert line.security_entry["path"] == "/x"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "level"), [(200, logging.INFO), (302, logging.INFO), (404, logging.WARNING), (503, logging.ERROR)]
)
def test_the_level_is_that_of_the_answer(code: int, level: int, caplog: pytest.LogCaptureFixture) -> None:
    state = RequestLogState.of_response_code(code)
    line = log(InputRequestRecord(), Event.FINISHED, caplog, state=state)
    assert line.levelno == level
    assert line.getMessage().endswith("was finished")


def test_an_aborted_request_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert log(InputRequestRecord(), Event.FINISHED, caplog, state=RequestLogState.ABORTED).levelno == logging.WARNING


def test_every_kind_has_its_words(caplog: pytest.LogCaptureFixture) -> None:
    assert log(CommandRecord(name="x"), Event.FINISHED, caplog).getMessage().endswith('name "x" was successful')
    run = log(CeleryTaskRunRecord(name="x", celery_task_id="7"), Event.RETRIED, caplog)
    assert run.name == "security.celery"
    assert run.levelno == logging.WARNING
    assert run.getMessage().endswith('with celery id "7" and name "x" was repeated')
    assert log(CeleryTaskInvocationRecord(), Event.FAILED, caplog).getMessage().endswith("was failed")


def test_what_is_logged_can_be_written_as_json(caplog: pytest.LogCaptureFixture) -> None:
    record = InputRequestRecord(related_objects=(ObjectReference("default", "shop.order", "7"),))
    line = log(record, Event.FINISHED, caplog, state=RequestLogState.INFO)
    fields = json.loads(json.dumps(line.security_entry))  # type: ignore[attr-defined]
    assert (fields["id"], fields["state"]) == (str(record.id), "INFO")
    assert fields["start"] == record.start.isoformat()
    assert fields["related_objects"] == [["default", "shop.order", "7"]]


def test_a_client_cannot_write_lines_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    line = log(InputRequestRecord(path="/a\r\nERROR forged\x1b[31m {id}"), Event.STARTED, caplog)
    assert r'path "/a\r\nERROR forged\x1b[31m {id}"' in line.getMessage()
