"""What is recorded of the arguments of tasks, and that the tasks get them as they are."""

from __future__ import annotations

from typing import Any

import pytest
from celery.app.task import Task
from django.contrib.auth.models import Group
from django.db import transaction

from security.backends.sql.models import CeleryTaskInvocationLog, CeleryTaskRunLog
from security.enums import CeleryTaskInvocationLogState
from tests.site import tasks

pytestmark = pytest.mark.django_db(transaction=True)


class Wordless:
    """An argument that has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("no words")


@tasks.task(name="take")
def take(*args: Any, **kwargs: Any) -> int:
    return len(args) + len(kwargs)


def test_an_argument_without_a_text_is_named_by_its_type() -> None:
    assert take.apply((Wordless(), [1, "two"]), {"three": Wordless()}).get() == 3
    name = f"<{__name__}.Wordless>"
    for row in (CeleryTaskInvocationLog.objects.get(), CeleryTaskRunLog.objects.get()):
        assert row.input == f"{name}, [1, 'two'], three={name}"
        assert (row.task_args, row.task_kwargs) == ([name, [1, "two"]], {"three": name})


def test_an_argument_is_not_asked_for_what_it_holds() -> None:
    groups = Group.objects.all()
    take.apply((groups,))
    assert groups._result_cache is None
    assert "QuerySet" in CeleryTaskRunLog.objects.get().input


def test_an_iterator_of_arguments_is_used_once() -> None:
    assert take.apply(iter((1, 2))).get() == 2
    assert CeleryTaskInvocationLog.objects.get().input == CeleryTaskRunLog.objects.get().input == "1, 2"


def test_parameters_of_celery_can_be_positional() -> None:
    result = take.apply((1,), None, None, None, "an-id")
    assert (result.get(), result.id) == (1, "an-id")
    assert CeleryTaskRunLog.objects.get().celery_task_id == "an-id"


def test_a_fault_of_the_logger_does_not_keep_a_task_from_running(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.sources.celery.task.invoke", lambda *args, **kwargs: 1 // 0)
    assert take.apply((1,)).get() == 1


@pytest.mark.parametrize("queue", ["apply", "apply_async", "apply_async_on_commit"])
def test_a_related_object_that_is_not_saved_is_an_error_before_anything_is_queued(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[Any] = []
    for name in ("apply", "apply_async"):
        monkeypatch.setattr(Task, name, lambda *args, **kwargs: queued.append(args))
    with pytest.raises(ValueError, match="save it before"), transaction.atomic():
        getattr(take, queue)(related_objects=[Group(name="unsaved")])
    assert queued == []


def test_a_message_that_was_never_sent_is_not_taken_for_that_of_the_next_call() -> None:
    with pytest.raises(Exception, match="not JSON serializable"):
        tasks.app.send_task("take", (object(),))
    with pytest.raises(TypeError, match="argument"):
        tasks.add.delay(1, 2, 3)
    assert not CeleryTaskInvocationLog.objects.exists()
    with pytest.raises(Exception, match="not JSON serializable"):
        take.delay(object())
    row = CeleryTaskInvocationLog.objects.get()
    assert (row.name, row.state) == ("take", CeleryTaskInvocationLogState.FAILED)
