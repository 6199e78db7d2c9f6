"""Workers that a test starts and kills, and pools other than prefork."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery

from security.context import inside
from security.enums import CeleryTaskInvocationLogState as Invocation
from security.enums import CeleryTaskRunLogState as Run
from security.records import InputRequestRecord
from security.task import LoggedTask
from tests.site import tasks

from .celery_workers import Broker, broker, worker
from .test_celery import (
    ADDED,
    SHAPES,
    SOON_STALE,
    first_id,
    invocations,
    pid_of_run,
    rows,
    runs,
    settle,
    wait_until_settled,
)

pytestmark = pytest.mark.django_db(transaction=True)

__all__ = ["first_id"]


@pytest.fixture
def redis_broker() -> Iterator[Broker]:
    with broker() as running:
        yield running


@SOON_STALE
def test_a_worker_that_is_killed_leaves_no_open_row_after_settling(redis_broker: Broker, tmp_path: Path) -> None:
    with worker(redis_broker, tmp_path, "--concurrency", "1") as lost:
        tasks.wait_for_file.delay(str(tmp_path / "file"))
        pid_of_run(tmp_path / "file")
        lost.kill()
    assert "1 active runs were left alone" in settle()
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.ACTIVE, None, [Run.ACTIVE])]
    expected = "celery-task-invocation: 1 failed\ncelery-task-run: 1 failed\n"
    with worker(redis_broker, tmp_path, "--concurrency", "1"):
        # Another worker answers that it does not have the task.
        assert settle() == expected
    assert rows(InputRequestRecord()) == [("wait_for_file", Invocation.FAILED, None, [Run.FAILED])]


def test_a_worker_that_is_killed_leaves_no_open_row_after_redelivery(redis_broker: Broker, tmp_path: Path) -> None:
    with worker(redis_broker, tmp_path, "--concurrency", "1") as lost:
        tasks.wait_late.delay(str(tmp_path / "file"))
        pid_of_run(tmp_path / "file")
        lost.kill()
    (tmp_path / "file").touch()
    # A worker looks for what another one left as it starts, and again after a hundred seconds only: by its start the
    # time must be over.
    with worker(redis_broker, tmp_path, "--concurrency", "1", transport={"visibility_timeout": 0.1}):
        wait_until_settled(1)
    assert invocations().get().state is Invocation.SUCCEEDED
    assert [run.state for run in runs()] == [Run.FAILED, Run.SUCCEEDED]


@pytest.mark.parametrize("pool", ["threads", "gevent", "solo"])
def test_each_pool_records_as_prefork_does(pool: str, redis_broker: Broker, tmp_path: Path) -> None:
    shapes = ["delay", "chain", "self.retry", "failure", "queued by a run", "expiry", "unknown"]
    request = InputRequestRecord()
    with worker(redis_broker, tmp_path, "--pool", pool, "--concurrency", "4"), inside(request):
        for shape in shapes:
            SHAPES[shape][0]()
        tasks.add.apply_async((5, 6), slug="last")
        expected = [row for shape in shapes for row in SHAPES[shape][1]] + [ADDED]
        wait_until_settled(len(expected))
    assert sorted(map(str, rows(request))) == sorted(map(str, expected))
    assert runs().get(slug="last").output == "adding 5 and 6\n"


def test_a_broker_that_is_down_is_told_to_the_caller_and_recorded(tmp_path: Path) -> None:
    app = Celery("other", broker=f"redis+socket://{tmp_path}/nowhere", set_as_current=False)
    # Otherwise the connection is tried again and again, for six seconds.
    app.conf.broker_transport_options = {"max_retries": 0}

    @app.task(base=LoggedTask, name="other_add", shared=False)
    def add(a: int, b: int) -> int:
        return a + b

    with pytest.raises(add.OperationalError):
        add.apply_async((1, 2), retry=False)
    invocation = invocations().get()
    assert invocation.state is Invocation.FAILED
    assert "could not be queued: OperationalError" in str(invocation.error_message)
