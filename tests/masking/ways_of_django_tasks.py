"""The way in through Django's own tasks, where Django has them."""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

from security.enums import LoggerName

from .cases import TEXTS, once
from .ways import Send, Way

WAYS: list[Way] = []

if importlib.util.find_spec("django.tasks") is not None:
    from django.tasks import task

    @task
    def repeat(text: str, deed: str, more: list[str]) -> str:
        if deed == "fail":
            raise ValueError(text)
        print(text)  # noqa: T201
        return text

    @contextmanager
    def returning() -> Iterator[Send]:
        with redirect_stdout(io.StringIO()):
            yield lambda case: repeat.enqueue(case.text, "return", more=[case.text])

    @contextmanager
    def failing() -> Iterator[Send]:
        yield lambda case: repeat.enqueue(case.text, "fail", more=[case.text])

    given = ("input", "task_args", "task_kwargs")
    invocation, run = LoggerName.CELERY_TASK_INVOCATION, LoggerName.CELERY_TASK_RUN
    error = (*given, "error_message")
    WAYS = [
        Way("a task of Django", once(TEXTS), returning, {invocation: given, run: (*given, "result", "output")}),
        Way("a task of Django that fails", once(TEXTS), failing, {invocation: error, run: error}),
    ]
