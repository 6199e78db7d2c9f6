"""Ways in through tasks: queued, taken by a worker of this process, and run."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from celery._state import _set_task_join_will_block
from celery.exceptions import WorkerShutdown

from security.enums import LoggerName
from security.sources.celery.command_tasks import generate_tasks
from tests.site import tasks

from .cases import ARGUMENTS, TEXTS, Case, once
from .ways import Send, Way

INVOCATION, RUN, COMMAND = LoggerName.CELERY_TASK_INVOCATION, LoggerName.CELERY_TASK_RUN, LoggerName.COMMAND
GIVEN = ("input", "task_args", "task_kwargs")
QUEUE = "masking"

generate_tasks(["repeat"])


@tasks.app.task(name="end_of_masking")
def end() -> None:
    """Have the worker stop at once."""
    raise WorkerShutdown(0)


class _NoSetup:
    """What Celery does to Django's connections before each task, which would end the transaction of the test."""

    worker: Any = None

    def install(self) -> None: ...
    def validate_models(self) -> None: ...


@contextmanager
def worker() -> Iterator[None]:
    """Take what was queued in the block from a broker in memory, and run it in this thread and its transaction."""
    app = tasks.app
    (fixup,) = app._fixups
    logger = logging.getLogger("celery")
    before = fixup.worker_fixup, app.conf.broker_transport_options, logger.propagate
    logger.propagate = False
    fixup.worker_fixup, app.conf.broker_transport_options = _NoSetup(), {"polling_interval": 0.001}
    try:
        yield
        end.apply_async(queue=QUEUE)
        steps = {"without_gossip": True, "without_mingle": True, "without_heartbeat": True}
        app.WorkController(pool="solo", concurrency=1, queues=[QUEUE], **steps).start()
    finally:
        # What runs after it in this process is no task.
        _set_task_join_will_block(False)
        # What was retried stands behind the end. The broker in memory would keep it for the worker of another test.
        with app.connection_for_write() as connection:
            connection.default_channel.queue_purge(QUEUE)
        fixup.worker_fixup, app.conf.broker_transport_options, logger.propagate = before


def opened(send: Callable[[Case], object]) -> Callable[[], AbstractContextManager[Send]]:
    @contextmanager
    def open_way() -> Iterator[Send]:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), worker():
            yield send

    return open_way


def queued(deed: str) -> Callable[[], AbstractContextManager[Send]]:
    """Queue a LoggedTask that has a text to do something with."""
    return opened(
        lambda case: tasks.repeat_text.apply_async(
            (case.text,), {"deed": deed, "more": {"a": [{"b": case.text}]}}, queue=QUEUE
        )
    )


def send_by_name(case: Case) -> None:
    """Queue a task that this process does not know, and its worker knows as an ordinary one of Celery's."""
    known = tasks.app.tasks.pop("repeat_text_unlogged")
    try:
        tasks.app.send_task("repeat_text_unlogged", (case.text,), {"deed": "fail", "a": [case.text]}, queue=QUEUE)
    finally:
        tasks.app.tasks["repeat_text_unlogged"] = known


def send_unknown(case: Case) -> None:
    """Queue a task that no worker knows."""
    tasks.app.send_task("no_such_task", (case.text,), {"a": [case.text]}, queue=QUEUE)


def send_expired(case: Case) -> None:
    tasks.repeat_text.apply_async((case.text,), {"more": case.text}, queue=QUEUE, expires=-1)


def send_named(case: Case) -> None:
    """Queue a task one of whose arguments has the name of a secret, by itself and deep inside of another."""
    value: Any = int(case.text) if case.text.isdigit() else case.text
    more = {case.name: value, "deep": [{case.name: {"x": [value]}}]}
    tasks.repeat_text.apply_async(({"a": {case.name: [value]}},), more, queue=QUEUE)


def send_eagerly(case: Case) -> None:
    tasks.repeat_text.apply((case.text,), {"deed": "fail", "more": [case.text]})


def send_command(case: Case) -> None:
    """Queue a task that is a command."""
    tasks.app.tasks["repeat"].apply_async(("fail", case.text), {"password": case.text}, queue=QUEUE)


def ways() -> Iterator[Way]:
    for deed, of_invocation, of_run in (
        ("return", (), ("result", "output")),
        ("fail", ("error_message",), ("error_message",)),
        ("retry", (), ("error_message",)),
        ("ignore", ("error_message",), ()),
        ("reject", ("error_message",), ("error_message",)),
    ):
        cases = TEXTS if deed in ("return", "fail") else once(TEXTS)
        yield Way(
            f"a task that has a text to {deed}",
            cases,
            queued(deed),
            {INVOCATION: (*GIVEN, *of_invocation), RUN: (*GIVEN, *of_run)},
        )
    some = once(TEXTS)
    failed = {INVOCATION: (*GIVEN, "error_message"), RUN: (*GIVEN, "error_message")}
    yield Way("a task of Celery's own", some, opened(send_by_name), failed)
    yield Way("a task that runs at once", some, opened(send_eagerly), failed)
    yield Way("a command as a task", some, opened(send_command), {**failed, COMMAND: ("input", "error_message")})
    yield Way("arguments with names", ARGUMENTS, opened(send_named), {INVOCATION: GIVEN, RUN: GIVEN})
    # The main process of a worker keeps no connection, which its children would get.
    yield Way("a task that nobody knows", some, opened(send_unknown), {INVOCATION: GIVEN}, closes_connections=True)
    yield Way("a task that is too late", some, opened(send_expired), {INVOCATION: GIVEN}, closes_connections=True)


WAYS = [*ways()]
