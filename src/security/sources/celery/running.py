"""Asking the workers what they are doing."""

from __future__ import annotations

from typing import Any

from celery import current_app


def running_tasks(timeout: float) -> set[str] | None:
    """Give the ids of the tasks that workers run, hold or have scheduled; None if none answers within `timeout` s."""
    inspect = current_app.control.inspect(timeout=timeout)
    found: set[str] = set()
    has_answer = False
    for ask in (inspect.active, inspect.reserved, inspect.scheduled):
        answers: Any = ask()
        has_answer = has_answer or answers is not None
        for tasks in (answers or {}).values():
            found |= {str((task.get("request") or task).get("id")) for task in tasks}
    return found if has_answer else None
