"""Commands as tasks (published setting SECURITY_AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from celery import shared_task

from security.sources.commands import call_command

from .task import LoggedTask


def generate_tasks(names: Iterable[str]) -> None:
    """Make a task of each command, with the command's name, in every Celery app of the process.

    The task's arguments are those of `call_command`, and both are recorded: the run, and the command as its child.
    """
    for name in names:
        shared_task(base=LoggedTask, name=name)(_runner_of(name))


def _runner_of(name: str) -> Any:
    def run(*args: Any, **options: Any) -> Any:
        return call_command(name, *args, **options)

    run.__name__ = run.__qualname__ = name
    return run
