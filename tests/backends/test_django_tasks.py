"""Django's own tasks, where Django has them: enqueued and run, each with its records."""

from __future__ import annotations

import importlib.util
import sys
from types import SimpleNamespace
from typing import Any

import pytest
from django.test import override_settings

from security.backends.sql.models import CeleryTaskInvocationLog, CeleryTaskRunLog
from security.context import inside
from security.enums import CeleryTaskInvocationLogState as Invocation
from security.enums import CeleryTaskRunLogState as Run
from security.records import InputRequestRecord

pytestmark = pytest.mark.django_db

if importlib.util.find_spec("django.tasks") is None:

    def test_without_the_framework_nothing_is_watched() -> None:
        assert "security.sources.django_tasks" not in sys.modules

else:
    from django.tasks import task

    @task
    def add(a: int, b: int) -> int:
        print(f"adding {a} and {b}")  # noqa: T201
        return a + b

    @task
    def fail() -> None:
        raise ValueError("no such thing")

    @task
    def enqueue() -> str:
        return str(add.enqueue(3, 4).id)

    def test_a_task_is_recorded_where_it_is_enqueued_and_where_it_runs() -> None:
        request = InputRequestRecord()
        with inside(request):
            result = add.enqueue(1, b=2)
        invocation, run = CeleryTaskInvocationLog.objects.get(), CeleryTaskRunLog.objects.get()
        assert result.return_value == 3
        assert (invocation.state, run.state) == (Invocation.SUCCEEDED, Run.SUCCEEDED)
        assert invocation.name == run.name == f"{__name__}.add"
        assert invocation.celery_task_id == run.celery_task_id == result.id
        assert (invocation.parent_log, run.parent_log) == (request.reference, invocation.reference)
        assert (invocation.input, invocation.task_args, invocation.task_kwargs) == ("1, b=2", [1], {"b": 2})
        assert (run.result, run.output, run.queue_name) == (3, "adding 1 and 2\n", "default")
        assert run.waiting_time == (run.start - result.enqueued_at).total_seconds()

    def test_a_failure_is_recorded() -> None:
        fail.enqueue()
        invocation, run = CeleryTaskInvocationLog.objects.get(), CeleryTaskRunLog.objects.get()
        assert (invocation.state, run.state) == (Invocation.FAILED, Run.FAILED)
        assert "ValueError: no such thing" in str(run.error_message)

    def test_a_task_that_a_task_enqueues_has_the_run_as_its_parent() -> None:
        enqueue.enqueue()
        outer, inner = CeleryTaskInvocationLog.objects.order_by("id")
        run = outer.first_run
        assert run is not None
        assert (outer.parent_log, inner.parent_log) == (None, run.reference)
        assert {log.state for log in CeleryTaskInvocationLog.objects.all()} == {Invocation.SUCCEEDED}
        assert {log.state for log in CeleryTaskRunLog.objects.all()} == {Run.SUCCEEDED}

    @override_settings(TASKS={"default": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}})
    def test_a_task_that_waits_says_so() -> None:
        add.enqueue(1, 2)
        assert CeleryTaskInvocationLog.objects.get().state is Invocation.WAITING
        assert not CeleryTaskRunLog.objects.exists()

    def test_a_fault_of_the_logger_is_not_that_of_who_enqueues(monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*args: Any) -> None:
            raise RuntimeError("broken")

        monkeypatch.setattr("security.sources.django_tasks.begin", broken)
        assert add.enqueue(1, 2).return_value == 3

    def test_a_run_in_another_process_is_joined_by_its_id() -> None:
        from django.tasks.base import TaskResultStatus
        from django.tasks.signals import task_finished, task_started

        result = SimpleNamespace(
            id="7",
            task=add,
            args=[1, 2],
            kwargs={},
            worker_ids=["a", "b"],
            enqueued_at=None,
            errors=[],
            status="RUNNING",
        )
        task_started.send(sender=None, task_result=result)
        result.status, result.return_value = TaskResultStatus.SUCCESSFUL, 3
        task_finished.send(sender=None, task_result=result)
        run = CeleryTaskRunLog.objects.get()
        assert (run.state, run.celery_task_id, run.retries, run.parent_log) == (Run.SUCCEEDED, "7", 1, None)
