"""Tasks through a real broker and real workers: what is recorded of each shape in which they come."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from celery import chain, chord, group
from celery.utils import uuid
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import transaction
from django.db.models import QuerySet
from django.test import override_settings

from security.backends.sql.models import CeleryTaskInvocationLog, CeleryTaskRunLog, CommandLog
from security.context import inside
from security.enums import CeleryTaskInvocationLogState as Invocation
from security.enums import CeleryTaskRunLogState as Run
from security.ids import new_id
from security.records import InputRequestRecord
from tests.site import tasks

from .celery_workers import Broker, Worker, broker, worker
from .servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OPEN = (Invocation.WAITING, Invocation.ACTIVE, Invocation.TRIGGERED)
Row = tuple[str, Invocation, str | None, list[Run]]


@pytest.fixture(scope="module")
def redis_broker(django_db_setup: None) -> Iterator[Broker]:
    with broker() as running:
        yield running


@pytest.fixture(scope="module")
def prefork(redis_broker: Broker, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    with (
        django_db_blocker.unblock(),
        worker(redis_broker, tmp_path_factory.mktemp("worker"), "--concurrency", "2") as w,
    ):
        yield w


_first_ids: list[UUID] = []


@pytest.fixture(autouse=True)
def first_id() -> None:
    """Look at no row of an earlier test, of which a worker speaks late."""
    _first_ids[:] = [new_id()]


def invocations() -> QuerySet[CeleryTaskInvocationLog]:
    return CeleryTaskInvocationLog.objects.filter(id__gt=_first_ids[0]).order_by("id")


def runs() -> QuerySet[CeleryTaskRunLog]:
    return CeleryTaskRunLog.objects.filter(id__gt=_first_ids[0]).order_by("id")


def are_settled(count: int) -> bool:
    return invocations().exclude(state__in=OPEN).count() == count and not runs().filter(state=Run.ACTIVE).exists()


def wait_until_settled(count: int) -> None:
    # A worker takes its time, up to ten seconds, to call a child lost.
    try:
        wait_until(lambda: are_settled(count), f"the end of {count} tasks", 60)
    except AssertionError as error:
        logs = [*invocations().values_list("name", "state", "version")]
        raise AssertionError(f"{error}: {logs}, {[*runs().values_list('name', 'state')]}") from None


def rows(request: InputRequestRecord) -> list[Row]:
    """Give each invocation with its state, its parent and the states of its runs, in the order of queuing."""
    names = {request.reference: "request"}
    names |= {run.reference: f"run of {run.name}" for run in runs()}
    found = []
    for invocation in invocations():
        its_runs = runs().filter(parent_log=invocation.reference)
        assert [run.retries for run in its_runs] == list(range(len(its_runs)))
        assert {run.celery_task_id for run in its_runs} <= {invocation.celery_task_id}
        parent = None if invocation.parent_log is None else names[invocation.parent_log]
        found.append((invocation.name, invocation.state, parent, [run.state for run in its_runs]))
    return found


def one(name: str, state: Invocation, *runs: Run) -> list[Row]:
    return [(name, state, "request", list(runs))]


def revoked() -> None:
    task_id = uuid()
    tasks.app.control.broadcast("revoke", arguments={"task_id": task_id}, reply=True, timeout=5, limit=1)
    tasks.add.apply_async((1, 2), task_id=task_id)


ADDED: Row = ("add", Invocation.SUCCEEDED, "request", [Run.SUCCEEDED])
PAST = datetime.now(UTC) - timedelta(hours=1)
SHAPES: dict[str, tuple[Callable[[], Any], list[Row]]] = {
    "delay": (lambda: tasks.add.delay(1, 2), [ADDED]),
    "bound": (lambda: tasks.sum_task.delay(1, b=2), one("sum_task", Invocation.SUCCEEDED, Run.SUCCEEDED)),
    "apply_async": (lambda: tasks.add.apply_async((1, 2), countdown=0.01), [ADDED]),
    "send_task": (lambda: tasks.app.send_task("add", (1, 2)), [ADDED]),
    "chain": (
        lambda: chain(tasks.add.s(1, 2), tasks.add.s(3)).apply_async(),
        [ADDED, ("add", Invocation.SUCCEEDED, "run of add", [Run.SUCCEEDED])],
    ),
    "group": (lambda: group(tasks.add.s(1, 2), tasks.add.s(3, 4)).apply_async(), [ADDED, ADDED]),
    "chord": (
        lambda: chord([tasks.add.s(1, 2), tasks.add.s(3, 4)])(tasks.total.s()),
        [ADDED, ADDED, ("total", Invocation.SUCCEEDED, "run of add", [Run.SUCCEEDED])],
    ),
    "queued by a run": (
        lambda: tasks.queues.delay(),
        [
            *one("queues", Invocation.SUCCEEDED, Run.SUCCEEDED),
            ("add", Invocation.SUCCEEDED, "run of queues", [Run.SUCCEEDED]),
        ],
    ),
    "self.retry": (
        lambda: tasks.retry_twice.delay(),
        one("retry_twice", Invocation.SUCCEEDED, Run.RETRIED, Run.RETRIED, Run.SUCCEEDED),
    ),
    "autoretry_for": (lambda: tasks.autoretry.delay(), one("autoretry", Invocation.FAILED, Run.RETRIED, Run.FAILED)),
    "failure": (lambda: tasks.fail.delay(), one("fail", Invocation.FAILED, Run.FAILED)),
    "Ignore": (lambda: tasks.ignores.delay(), one("ignores", Invocation.IGNORED, Run.SUCCEEDED)),
    "Reject": (lambda: tasks.rejects.delay(), one("rejects", Invocation.FAILED, Run.FAILED)),
    "replace": (
        lambda: tasks.replaces.delay(),
        [
            *one("replaces", Invocation.IGNORED, Run.SUCCEEDED),
            ("add", Invocation.SUCCEEDED, "run of replaces", [Run.SUCCEEDED]),
        ],
    ),
    "expiry": (lambda: tasks.add.apply_async((1, 2), expires=PAST), one("add", Invocation.EXPIRED)),
    "revocation": (revoked, one("add", Invocation.REVOKED)),
    "unknown": (lambda: tasks.app.send_task("no_such_task"), one("no_such_task", Invocation.FAILED)),
    "soft time limit": (lambda: tasks.soft_limited.delay(), one("soft_limited", Invocation.FAILED, Run.FAILED)),
    "soft time limit, heeded": (
        lambda: tasks.soft_limited_in_order.delay(),
        one("soft_limited_in_order", Invocation.SUCCEEDED, Run.SUCCEEDED),
    ),
    "hard time limit": (lambda: tasks.hard_limited.delay(), one("hard_limited", Invocation.FAILED, Run.FAILED)),
    "not a LoggedTask": (lambda: (tasks.unlogged.delay(), tasks.add.delay(1, 2)), [ADDED]),
    "called as a function": (lambda: tasks.add(1, 2), []),
}


@pytest.mark.usefixtures("prefork")
@pytest.mark.parametrize("shape", SHAPES)
def test_each_shape_has_its_records(shape: str) -> None:
    queue, expected = SHAPES[shape]
    request = InputRequestRecord()
    with inside(request):
        queue()
    wait_until_settled(len(expected))
    assert rows(request) == expected


@pytest.mark.usefixtures("prefork")
def test_a_task_that_only_the_worker_knows_has_its_records(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(tasks.app.tasks, "add")
    request = InputRequestRecord()
    with inside(request):
        tasks.app.send_task("add", (1, 2))
    wait_until_settled(1)
    assert rows(request) == [ADDED]


@pytest.mark.usefixtures("prefork")
def test_the_rows_tell_what_is_known_of_a_task() -> None:
    eta = datetime.now(UTC) + timedelta(seconds=0.2)
    expires = eta + timedelta(hours=1)
    related = Group.objects.create(name="a")
    result = tasks.add.apply_async((1,), {"b": 2}, eta=eta, expires=expires, slug="s", related_objects=[related])
    wait_until_settled(1)
    invocation = invocations().get()
    run = runs().get()
    assert invocation.celery_task_id == run.celery_task_id == result.id
    assert invocation.queue_name == run.queue_name == "celery"
    assert invocation.input == run.input == "1, b=2"
    assert (invocation.task_args, invocation.task_kwargs) == ([1], {"b": 2})
    assert (run.task_args, run.task_kwargs) == ([1], {"b": 2})
    assert (invocation.estimated_time_of_first_arrival, invocation.expires_at) == (eta, expires)
    assert invocation.applied_at is not None
    assert invocation.triggered_at is not None
    assert invocation.start <= invocation.triggered_at <= eta <= run.start
    assert invocation.stop is not None
    assert (invocation.is_async, invocation.is_on_commit) == (True, False)
    assert (run.result, run.output) == (3, "adding 1 and 2\n")
    assert run.waiting_time == (run.start - eta).total_seconds()
    assert (invocation.slug, run.slug) == ("s", "s")
    for log in (invocation, run):
        assert [relation.object for relation in log.related_objects] == [related]
    assert list(invocation.runs) == [run]


@pytest.mark.usefixtures("prefork")
def test_a_retried_run_tells_when_it_will_be_repeated() -> None:
    tasks.retry_twice.delay()
    wait_until_settled(1)
    first = runs().first()
    assert first.estimated_time_of_next_retry is not None
    assert first.estimated_time_of_next_retry > first.start
    assert "Retry" in str(first.error_message)


@pytest.mark.usefixtures("prefork")
def test_a_task_that_was_given_back_is_run_again() -> None:
    tasks.gives_back.delay()
    wait_until_settled(1)
    assert invocations().get().state is Invocation.SUCCEEDED
    assert [run.state for run in runs()] == [Run.RETRIED, Run.SUCCEEDED]


@pytest.mark.usefixtures("prefork")
def test_what_a_run_does_has_the_run_as_its_parent() -> None:
    tasks.command.delay()
    wait_until_settled(1)
    assert CommandLog.objects.get().parent_log == runs().get().reference


@pytest.mark.usefixtures("prefork")
@pytest.mark.parametrize(
    ("deed", "expected"),
    [
        ("succeed", [{"start": ["succeed"], "success": "succeed"}]),
        ("retry", [{"start": ["retry"], "retry": "KeyError"}, {"start": ["retry"], "success": "retry"}]),
        ("fail", [{"start": ["fail"], "failure": "ValueError"}]),
    ],
)
def test_the_hooks_of_a_task_can_fill_its_record(deed: str, expected: list[dict[str, Any]]) -> None:
    tasks.hooked.delay(deed)
    wait_until_settled(1)
    assert [(run.slug, run.extra_data) for run in runs()] == [("hooked", data) for data in expected]


@pytest.mark.usefixtures("prefork")
def test_a_task_is_queued_when_the_transaction_is_committed() -> None:
    request = InputRequestRecord()
    with inside(request), transaction.atomic():
        tasks.add.delay_on_commit(1, 2)
        tasks.add.apply_async_on_commit((3, 4), countdown=0.01, slug="s")
        assert not invocations().exists()
    wait_until_settled(2)
    assert rows(request) == [ADDED, ADDED]
    assert all(invocation.is_on_commit for invocation in invocations())
    assert all(invocation.applied_at < invocation.triggered_at for invocation in invocations())


@pytest.mark.usefixtures("prefork")
def test_a_transaction_that_is_rolled_back_queues_nothing_on_commit_and_keeps_what_was_queued_at_once() -> None:
    request = InputRequestRecord()
    with inside(request), transaction.atomic():
        tasks.fail.delay_on_commit()
        tasks.sum_task.delay(1, 2)
        transaction.set_rollback(True)
    wait_until_settled(1)
    assert rows(request) == one("sum_task", Invocation.SUCCEEDED, Run.SUCCEEDED)


def pid_of_run(path: Path) -> int:
    """Wait until a run that waits for a file has begun, and give the id of its process."""
    wait_until(lambda: list(path.parent.glob(f"{path.name}.*")), "the start of the run")
    wait_until(lambda: runs().filter(state=Run.ACTIVE).exists(), "the row of the run")
    (mark,) = path.parent.glob(f"{path.name}.*")
    mark.unlink()
    return int(mark.suffix[1:])


@pytest.mark.usefixtures("prefork")
def test_the_row_of_an_active_task_says_so(tmp_path: Path) -> None:
    tasks.wait_for_file.delay(str(tmp_path / "file"))
    pid_of_run(tmp_path / "file")
    invocation = invocations().get()
    assert (invocation.state, invocation.stop) == (Invocation.ACTIVE, None)
    (tmp_path / "file").touch()
    wait_until_settled(1)


@pytest.mark.usefixtures("prefork")
def test_a_child_that_is_killed_leaves_no_open_row(tmp_path: Path) -> None:
    tasks.wait_for_file.delay(str(tmp_path / "file"))
    os.kill(pid_of_run(tmp_path / "file"), signal.SIGKILL)
    wait_until_settled(1)
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.FAILED, None, [Run.FAILED])]
    assert "WorkerLostError" in str(runs().get().error_message)


@pytest.mark.usefixtures("prefork")
def test_a_child_that_is_killed_leaves_no_open_row_when_its_message_is_delivered_again(tmp_path: Path) -> None:
    tasks.wait_late.delay(str(tmp_path / "file"))
    os.kill(pid_of_run(tmp_path / "file"), signal.SIGKILL)
    pid_of_run(tmp_path / "file")
    (tmp_path / "file").touch()
    wait_until_settled(1)
    assert invocations().get().state is Invocation.SUCCEEDED
    states = [(run.retries, run.state) for run in runs()]
    assert states == [(0, Run.FAILED), (0, Run.SUCCEEDED)]


def test_a_child_that_exits_leaves_no_open_row(prefork: Worker) -> None:
    lost = prefork.log.read_text().count("WorkerLostError")
    request = InputRequestRecord()
    with inside(request):
        tasks.exits.delay()
    # The child says so first, and the main process when it misses the child.
    wait_until(lambda: prefork.log.read_text().count("WorkerLostError") > lost, "the notice of the loss", 60)
    # It does one thing after the other: when it answers, it has recorded what it noticed.
    assert tasks.app.control.broadcast("ping", reply=True, timeout=20, limit=1)
    wait_until_settled(1)
    assert rows(request) == one("exits", Invocation.FAILED, Run.FAILED)
    assert "SystemExit: 3" in str(runs().get().error_message)


@pytest.mark.usefixtures("prefork")
def test_a_run_that_is_terminated_leaves_no_open_row(tmp_path: Path) -> None:
    result = tasks.wait_for_file.delay(str(tmp_path / "file"))
    pid_of_run(tmp_path / "file")
    tasks.app.control.revoke(result.id, terminate=True, signal="SIGKILL")
    wait_until_settled(1)
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.REVOKED, None, [Run.FAILED])]


SOON_STALE = override_settings(SECURITY_CELERY_STALE_TASK_TIME_LIMIT_MINUTES=1e-6)


def settle(*arguments: str) -> str:
    out = StringIO()
    call_command("set_celery_task_log_state", "--timeout", "1", *arguments, stdout=out, stderr=out)
    return out.getvalue()


@pytest.mark.usefixtures("prefork")
@SOON_STALE
def test_settling_leaves_alone_what_a_worker_runs(tmp_path: Path) -> None:
    tasks.wait_for_file.delay(str(tmp_path / "file"))
    pid_of_run(tmp_path / "file")
    assert settle() == "Nothing to settle.\n"
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.ACTIVE, None, [Run.ACTIVE])]
    (tmp_path / "file").touch()
    wait_until_settled(1)
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.SUCCEEDED, None, [Run.SUCCEEDED])]
