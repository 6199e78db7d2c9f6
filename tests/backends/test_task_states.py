"""Settling: which open rows of tasks come to rest, and where."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings
from django.test.utils import CaptureQueriesContext

from security.backends.registry import task_logs
from security.backends.sql.models import CeleryTaskInvocationLog, CeleryTaskRunLog
from security.delivery import deliver
from security.enums import CeleryTaskInvocationLogState as Invocation
from security.enums import CeleryTaskRunLogState as Run
from security.enums import Event, LoggerName
from security.recording import begin, complete, make_entry
from security.records import CeleryTaskInvocationRecord, CeleryTaskRunRecord
from security.sources.task_states import Settling

pytestmark = pytest.mark.django_db

NOW = datetime.now(UTC)
PAST, FUTURE = NOW - timedelta(hours=2), NOW + timedelta(hours=2)
EVENTS = {Run.SUCCEEDED: Event.SUCCEEDED, Run.FAILED: Event.FAILED, Run.RETRIED: Event.RETRIED}


def invoke(state: Invocation = Invocation.WAITING, **fields: Any) -> CeleryTaskInvocationRecord:
    record = CeleryTaskInvocationRecord(celery_task_id="7", name="task", **fields)
    deliver(make_entry(record, Event.STARTED, state=state))
    return record


def run(state: Run, **fields: Any) -> CeleryTaskRunRecord:
    record = CeleryTaskRunRecord(celery_task_id="7", name="task", **fields)
    deliver(begin(record))
    if state in EVENTS:
        deliver(complete(record, EVENTS[state], error_message="why" if state is Run.FAILED else None))
    return record


def settle(running: set[str] | None = None) -> Settling:
    (logs,) = task_logs()
    settling = Settling(logs, lambda: running)
    settling.settle_all()
    return settling


def states() -> tuple[list[str], list[str]]:
    return (
        [log.state.name for log in CeleryTaskInvocationLog.objects.order_by("id")],
        [log.state.name for log in CeleryTaskRunLog.objects.order_by("id")],
    )


@pytest.mark.parametrize(
    ("invocation", "runs", "expected"),
    [
        # Nothing is due.
        ({"stale_at": FUTURE}, [], ("WAITING", [])),
        ({"stale_at": None}, [], ("WAITING", [])),
        ({"stale_at": FUTURE, "expires_at": FUTURE}, [], ("WAITING", [])),
        ({"stale_at": FUTURE}, [Run.RETRIED], ("WAITING", ["RETRIED"])),
        ({"state": Invocation.ACTIVE}, [Run.ACTIVE], ("ACTIVE", ["ACTIVE"])),
        ({"state": Invocation.ACTIVE, "expires_at": PAST}, [Run.ACTIVE], ("ACTIVE", ["ACTIVE"])),
        # Not started in time.
        ({"stale_at": PAST}, [], ("FAILED", [])),
        ({"stale_at": PAST}, [Run.RETRIED], ("FAILED", ["RETRIED"])),
        ({"stale_at": FUTURE, "expires_at": PAST}, [], ("EXPIRED", [])),
        # As its run ended.
        ({"stale_at": FUTURE}, [Run.SUCCEEDED], ("SUCCEEDED", ["SUCCEEDED"])),
        ({"state": Invocation.ACTIVE}, [Run.RETRIED, Run.SUCCEEDED], ("SUCCEEDED", ["RETRIED", "SUCCEEDED"])),
        ({"state": Invocation.ACTIVE}, [Run.FAILED], ("FAILED", ["FAILED"])),
        ({"stale_at": PAST}, [Run.SUCCEEDED], ("SUCCEEDED", ["SUCCEEDED"])),
        # Not finished in a task's own time.
        ({"state": Invocation.ACTIVE, "stale_at": PAST}, [Run.ACTIVE], ("TIMEOUT", ["FAILED"])),
        # A run that was lost before the message was delivered again.
        ({"state": Invocation.ACTIVE}, [Run.ACTIVE, Run.SUCCEEDED], ("SUCCEEDED", ["FAILED", "SUCCEEDED"])),
        # What rests stays.
        ({"state": Invocation.SUCCEEDED, "stale_at": PAST}, [], ("SUCCEEDED", [])),
        ({"state": Invocation.REVOKED, "stale_at": PAST}, [], ("REVOKED", [])),
    ],
)
def test_each_open_row_comes_to_rest_when_it_is_due(
    invocation: dict[str, Any], runs: list[Run], expected: tuple[str, list[str]]
) -> None:
    invoke(**invocation)
    for retries, state in enumerate(runs):
        run(state, retries=retries)
    settle()
    assert states() == ([expected[0]], expected[1])
    before = list(CeleryTaskInvocationLog.objects.values())
    assert not any(settle().counts.values())
    assert list(CeleryTaskInvocationLog.objects.values()) == before


@pytest.mark.parametrize(("start", "expected"), [(None, "ACTIVE"), (PAST, "FAILED")])
def test_a_task_that_was_given_back_has_its_time_to_be_delivered_again(start: Any, expected: str) -> None:
    invoke(Invocation.ACTIVE, stale_at=None)
    run(Run.RETRIED, **({} if start is None else {"start": start}))
    settle()
    assert states() == ([expected], ["RETRIED"])


@pytest.mark.parametrize(
    ("running", "expected", "left_alone"),
    [
        ({"7"}, (["ACTIVE"], ["ACTIVE"]), 0),
        ({"8"}, (["FAILED"], ["FAILED"]), 0),
        (set(), (["FAILED"], ["FAILED"]), 0),
        (None, (["ACTIVE"], ["ACTIVE"]), 1),
    ],
)
def test_an_old_run_is_lost_when_the_workers_do_not_have_it(
    running: set[str] | None, expected: tuple[list[str], list[str]], left_alone: int
) -> None:
    invoke(Invocation.ACTIVE)
    run(Run.ACTIVE, start=PAST)
    assert settle(running).left_alone == left_alone
    assert states() == expected


def test_the_workers_are_not_asked_about_young_runs() -> None:
    run(Run.ACTIVE)
    (logs,) = task_logs()

    def ask() -> set[str]:
        raise AssertionError("asked")

    Settling(logs, ask).settle_all()
    assert states() == ([], ["ACTIVE"])


def test_a_settled_row_says_why_and_since_when() -> None:
    invoke(Invocation.ACTIVE, stale_at=PAST)
    run(Run.ACTIVE)
    settling = settle()
    invocation, row = CeleryTaskInvocationLog.objects.get(), CeleryTaskRunLog.objects.get()
    assert str(row.error_message).startswith("security.task.StaleTaskRunError: ")
    assert invocation.stop is not None
    assert invocation.stop.replace(tzinfo=UTC) == settling.now
    assert row.stop == invocation.stop


def test_the_late_word_of_a_worker_stands_above_settling() -> None:
    invoke(Invocation.ACTIVE)
    lost = run(Run.ACTIVE, start=PAST)
    settle(set())
    assert states() == (["FAILED"], ["FAILED"])
    deliver(complete(lost, Event.SUCCEEDED))
    assert states()[1] == ["SUCCEEDED"]


def test_what_a_worker_says_meanwhile_is_not_overwritten() -> None:
    record = invoke(stale_at=PAST)
    (logs,) = task_logs()
    deliver(make_entry(record, Event.SUCCEEDED))
    settled = logs.settle(
        LoggerName.CELERY_TASK_INVOCATION, [record.id], Invocation.WAITING, Invocation.FAILED, "late", NOW
    )
    assert settled == 0
    assert states()[0] == ["SUCCEEDED"]


def test_many_rows_are_settled_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.backends.base.OpenLogs.batch_size", 10)
    entries = []
    for number in range(35):
        entries += begin(CeleryTaskInvocationRecord(celery_task_id=str(number), name="task", stale_at=PAST))
    deliver(entries)
    from django.db import connection

    with CaptureQueriesContext(connection) as queries:
        counts = settle().counts
    assert counts[LoggerName.CELERY_TASK_INVOCATION, Invocation.FAILED] == 35
    # For each batch: its rows, their runs, one update; then a batch that is empty; and no open runs.
    assert len([query for query in queries if "SAVEPOINT" not in query["sql"]]) == 4 * 3 + 2


def test_the_command_prints_what_it_did() -> None:
    invoke(stale_at=PAST)
    run(Run.RETRIED)
    out, err = StringIO(), StringIO()
    call_command("set_celery_task_log_state", "--no-workers", stdout=out, stderr=err)
    assert (out.getvalue(), err.getvalue()) == ("celery-task-invocation: 1 failed\n", "")
    out = StringIO()
    call_command("set_celery_task_log_state", "--no-workers", stdout=out)
    assert out.getvalue() == "Nothing to settle.\n"


@override_settings(SECURITY_CELERY_STALE_TASK_TIME_LIMIT_MINUTES=1e-6)
def test_the_command_says_which_runs_it_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(timeout: float) -> None:
        raise OSError("no broker")

    monkeypatch.setattr("security.sources.celery.running.running_tasks", unreachable)
    run(Run.ACTIVE)
    err = StringIO()
    call_command("set_celery_task_log_state", stdout=StringIO(), stderr=err)
    assert "The workers could not be asked: OSError: no broker" in err.getvalue()
    assert "1 active runs were left alone" in err.getvalue()


@override_settings(SECURITY_BACKENDS=["logging"])
def test_a_backend_that_is_not_written_to_is_not_settled() -> None:
    assert task_logs() == []


@override_settings(SECURITY_BACKENDS=["logging"])
def test_the_command_says_so_where_no_backend_can_close_tasks() -> None:
    with pytest.raises(CommandError, match=r"Add 'security\.backends\.sql' to INSTALLED_APPS"):
        call_command("set_celery_task_log_state")
