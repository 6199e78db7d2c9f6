"""Commands as Celery tasks, and what the system checks say of their names."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.test import override_settings

from security.backends.testing import CapturedLogs, capture_security_logs
from security.sources.celery.command_tasks import generate_tasks
from tests.site import tasks

NAME = "SECURITY_AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS"


@override_settings(SECURITY_BACKENDS=[])
@capture_security_logs
def test_a_command_is_a_task_of_its_name(logged_data: CapturedLogs, capsys: pytest.CaptureFixture[str]) -> None:
    generate_tasks(["talk"])
    assert tasks.app.tasks["talk"].apply(("return",), {"verbosity": 0}).get() == "returned"
    (invocation,), (run,), (command,) = (
        logged_data.celery_task_invocation,
        logged_data.celery_task_run,
        logged_data.command,
    )
    assert (invocation.name, run.name, command.name) == ("talk", "talk", "talk")
    assert command.parent_log == f"celery-task-run|{run.id}"
    assert run.parent_log == f"celery-task-invocation|{invocation.id}"
    assert command.input == "return --verbosity=0"


@pytest.mark.parametrize(
    ("names", "ids", "hint"),
    [
        (["check", "talk"], [], ""),
        (["chekc"], ["security_logger.E060"], "Write 'check' instead."),
        (["xyzzy"], ["security_logger.E060"], "Remove it, or add its app to INSTALLED_APPS."),
    ],
)
def test_a_name_that_is_no_command_is_an_error(names: list[str], ids: list[str], hint: str) -> None:
    with override_settings(**{NAME: names}):
        messages = [message for message in run_checks(tags=[Tags.security]) if NAME in message.msg]
    assert [message.id for message in messages] == ids
    assert [message.hint for message in messages] == [hint] * len(ids)


def test_without_celery_the_setting_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def find_spec(name: str, *args: Any) -> Any:
        return None if name == "celery" else found(name, *args)

    monkeypatch.setattr("security.checks.setup.find_spec", find_spec)
    with override_settings(**{NAME: ["check"]}):
        messages = [message for message in run_checks(tags=[Tags.security]) if NAME in message.msg]
    assert [(message.id, message.hint) for message in messages] == [
        ("security_logger.E061", 'pip install "django-security-logger[celery]"')
    ]
