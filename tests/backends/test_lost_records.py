"""Settling: which open rows of requests and commands come to rest, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from security.backends.sql.models import CeleryTaskRunLog, CommandLog, InputRequestLog, OutputRequestLog
from security.delivery import deliver
from security.enums import CeleryTaskRunLogState, CommandState, Event, RequestLogState
from security.ids import first_id_at
from security.recording import begin, complete
from security.records import CeleryTaskRunRecord, CommandRecord, InputRequestRecord, OutputRequestRecord, Record

pytestmark = pytest.mark.django_db


def begun(record_type: type[Record], hours_ago: float, **fields: Any) -> Any:
    start = datetime.now(UTC) - timedelta(hours=hours_ago)
    record = record_type(id=first_id_at(start), start=start, **fields)
    deliver(begin(record))
    return record


def settle(*arguments: str) -> str:
    out = StringIO()
    with override_settings(SECURITY_COMMAND_LOG_EXCLUDED_COMMANDS=["set_log_state"]):
        call_command("set_log_state", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("record_type", "model", "hours", "state"),
    [
        (InputRequestRecord, InputRequestLog, 1, RequestLogState.ERROR),
        (OutputRequestRecord, OutputRequestLog, 1, RequestLogState.ERROR),
        (CommandRecord, CommandLog, 24, CommandState.TERMINATED),
    ],
)
def test_what_is_open_for_long_is_settled_and_nothing_else(
    record_type: type[Record], model: Any, hours: float, state: Any
) -> None:
    young, lost = begun(record_type, hours - 0.1), begun(record_type, hours + 0.1)
    ended = begun(record_type, hours + 0.2)
    deliver(complete(ended, Event.ERROR, error_message="its own"))
    assert settle() == f"{record_type.kind}: 1 {state.name.lower()}\n"
    logs = {log.id: log for log in model.objects.all()}
    assert logs[lost.id].state is state
    assert "nothing was heard of it" in logs[lost.id].error_message
    assert logs[lost.id].stop > logs[lost.id].start
    assert (logs[young.id].stop, logs[young.id].error_message) == (None, None)
    assert logs[ended.id].error_message == "its own"
    assert settle() == "Nothing to settle.\n"


@override_settings(USE_TZ=False)
def test_a_site_without_time_zones_has_its_logs_settled() -> None:
    begun(InputRequestRecord, 2)
    assert settle() == "input-request: 1 error\n"
    row = InputRequestLog.objects.get()
    assert row.stop is not None
    assert row.stop - row.start > timedelta(hours=1.9)


def test_how_long_is_long_can_be_said() -> None:
    begun(InputRequestRecord, 0.5)
    begun(CommandRecord, 0.5)
    assert settle("--minutes=40") == "Nothing to settle.\n"
    assert settle("--minutes=20") == "command: 1 terminated\ninput-request: 1 error\n"


def test_it_looks_as_far_back_as_it_is_told() -> None:
    begun(InputRequestRecord, 24 * 8)
    assert settle() == "Nothing to settle.\n"
    assert settle("--days=9") == "input-request: 1 error\n"


def test_a_later_word_of_the_process_stands_above() -> None:
    record = begun(InputRequestRecord, 2)
    settle()
    deliver(complete(record, Event.FINISHED, state=RequestLogState.INFO))
    log = InputRequestLog.objects.get()
    assert (log.state, log.error_message) == (RequestLogState.INFO, None)


def test_tasks_are_left_to_those_who_ask_the_workers() -> None:
    begun(CeleryTaskRunRecord, 24 * 6, celery_task_id="7", name="task")
    assert settle() == "Nothing to settle.\n"
    assert CeleryTaskRunLog.objects.get().state is CeleryTaskRunLogState.ACTIVE


def test_more_than_a_batch_is_settled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.backends.base.OpenLogs.batch_size", 2)
    for number in range(5):
        begun(InputRequestRecord, 2 + number / 10)
    assert settle() == "input-request: 5 error\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--minutes=0"], "--minutes is a number above 0"),
        (["--minutes=nan"], "--minutes is a number above 0"),
        (["--minutes=1e300"], "--minutes is a number above 0"),
        (["--days=-1"], "--days is a number above 0"),
        (["--days=inf"], "--days is a number above 0"),
        (["--days=0.5"], "raise --days"),
        (["--days=1", "--minutes=2000"], "raise --days"),
    ],
)
def test_an_odd_time_is_refused_with_what_to_write_instead(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        settle(*arguments)


@override_settings(SECURITY_BACKENDS=["logging"])
def test_without_a_backend_that_can_close_logs_it_says_so() -> None:
    with pytest.raises(CommandError, match=r"Add 'security.backends.sql'"):
        settle()
