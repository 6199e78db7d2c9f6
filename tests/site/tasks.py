"""The Celery tasks of the site under test: each does one thing that tasks do."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from celery import Celery
from celery.exceptions import Ignore, Reject, SoftTimeLimitExceeded

from security.management import call_command
from security.task import LoggedTask

app = Celery("shop", set_as_current=True)
app.conf.update(
    broker_url=os.environ.get("CELERY_BROKER", "memory://"),
    result_backend=os.environ.get("CELERY_BROKER", "cache+memory://"),
    broker_connection_retry_on_startup=True,
    broker_transport_options=json.loads(os.environ.get("CELERY_TRANSPORT", "{}")),
    worker_prefetch_multiplier=1,
    # A broker that is down is said so at once.
    task_publish_retry=False,
    task_store_errors_even_if_ignored=True,
)


def task(**options: Any) -> Any:
    return app.task(base=LoggedTask, **options)


@task(bind=True, name="sum_task")
def sum_task(self: Any, a: int, b: int) -> int:
    return a + b


@task(name="add")
def add(a: int = 0, b: int = 0) -> int:
    print(f"adding {a} and {b}")  # noqa: T201
    return a + b


@task(name="total")
def total(numbers: list[int]) -> int:
    return sum(numbers)


@task(name="fail")
def fail() -> None:
    raise ValueError("no such thing")


@task(name="command")
def command() -> None:
    call_command("talk", "print")


@task(bind=True, name="retry_twice", max_retries=2)
def retry_twice(self: Any) -> int:
    if self.request.retries < 2:
        raise self.retry(countdown=0.01)
    return int(self.request.retries)


@task(name="autoretry", autoretry_for=(KeyError,), retry_backoff=False, default_retry_delay=0.01, max_retries=1)
def autoretry() -> None:
    raise KeyError("again and again")


@task(name="wait_for_file")
def wait_for_file(path: str) -> str:
    Path(f"{path}.{os.getpid()}").touch()
    deadline = time.monotonic() + 30
    while not Path(path).exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    return "seen"


@task(name="wait_late", acks_late=True, reject_on_worker_lost=True)
def wait_late(path: str) -> str:
    return str(wait_for_file.run(path))


@task(name="soft_limited", soft_time_limit=1)
def soft_limited() -> None:
    time.sleep(30)


@task(name="soft_limited_in_order", soft_time_limit=1)
def soft_limited_in_order() -> str:
    try:
        time.sleep(30)
    except SoftTimeLimitExceeded:
        return "in order"
    return "never"


@task(name="hard_limited", time_limit=1)
def hard_limited() -> None:
    time.sleep(30)


@task(name="exits")
def exits() -> None:
    raise SystemExit(3)


@task(name="ignores")
def ignores() -> None:
    raise Ignore("not today")


@task(name="rejects", acks_late=True)
def rejects() -> None:
    raise Reject("not mine", requeue=False)


@task(bind=True, name="gives_back", acks_late=True)
def gives_back(self: Any) -> None:
    if not self.request.delivery_info["redelivered"]:
        raise Reject("not now", requeue=True)


@task(bind=True, name="replaces")
def replaces(self: Any) -> Any:
    return self.replace(add.s(1, 2))


@task(bind=True, name="queues")
def queues(self: Any) -> str:
    return str(add.delay(3, 4).id)


@app.task(name="unlogged")
def unlogged() -> str:
    return "unlogged"


class Hooked(LoggedTask):
    abstract = True

    def on_start_task(self, task_run_log: Any, args: Any, kwargs: Any) -> None:
        task_run_log.set_slug("hooked")
        task_run_log.update_extra_data({"start": list(args)})

    def on_success_task(self, task_run_log: Any, args: Any, kwargs: Any, retval: Any) -> None:
        task_run_log.update_extra_data({"success": retval})

    def on_failure_task(self, task_run_log: Any, args: Any, kwargs: Any, exc: BaseException) -> None:
        task_run_log.update_extra_data({"failure": type(exc).__name__})
        raise RuntimeError("a hook that fails")

    def on_retry_task(self, task_run_log: Any, args: Any, kwargs: Any, exc: BaseException, eta: Any) -> None:
        task_run_log.update_extra_data({"retry": type(exc).__name__})


@app.task(base=Hooked, bind=True, name="hooked")
def hooked(self: Any, deed: str) -> str:
    if deed == "fail":
        raise ValueError("failed")
    if deed == "retry" and self.request.retries == 0:
        raise self.retry(exc=KeyError("x"), countdown=0.01)
    return deed


@task(name="relate")
def relate(number: int) -> int:
    from django.contrib.auth.models import Group  # the app is loaded before the site is

    return Group.objects.filter(pk=number).count()


def repeated(self: Any, text: str, deed: str) -> str:
    """Let a text out in one of the ways in which tasks do."""
    match deed:
        case "return":
            print(text)  # noqa: T201
            return text
        case "fail":
            raise ValueError(text)
        case "retry" if self.request.retries == 0:
            raise self.retry(exc=ValueError(text), countdown=0, max_retries=1)
        case "ignore":
            raise Ignore(text)
        case "reject":
            raise Reject(text, requeue=False)
    return ""


@task(bind=True, name="repeat_text")
def repeat_text(self: Any, text: str, deed: str = "", **more: Any) -> str:
    return repeated(self, text, deed)


@app.task(bind=True, name="repeat_text_unlogged")
def repeat_text_unlogged(self: Any, text: str, deed: str = "", **more: Any) -> str:
    return repeated(self, text, deed)
