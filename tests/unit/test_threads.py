"""The threads of the log under an ASGI server: what is stuck in one holds up no other."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Barrier, Event, get_ident
from unittest.mock import patch

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.db import DatabaseError, connection

from security.backends.sql.models import OutputRequestLog
from security.backends.sql.writer import SQLWriter
from security.context import bind
from security.delivery import adeliver, arun_blocking, arun_reading, leftovers
from security.delivery.threads import _writers, end_threads, run_apart
from security.recording import begin
from security.records import OutputRequestRecord


@pytest.fixture(autouse=True)
def new_threads() -> None:
    end_threads()


async def test_a_reading_that_is_stuck_ends_in_time_and_holds_up_no_write() -> None:
    stuck = Event()
    async with ThreadSensitiveContext():
        try:
            readings = [asyncio.create_task(arun_reading(0.05, stuck.wait, 60)) for _ in range(4)]
            ended = await asyncio.gather(*readings, return_exceptions=True)
            assert [type(error) for error in ended] == [TimeoutError] * 4
            # All threads for reading are taken: nobody waits for the time to pass.
            with pytest.raises(TimeoutError):
                await arun_reading(3600, stuck.wait)
            assert await arun_blocking(lambda: "written") == "written"
        finally:
            stuck.set()
    end_threads()


async def test_a_reading_gives_its_result() -> None:
    async with ThreadSensitiveContext():
        for _ in range(20):
            assert await arun_reading(60, lambda: "read") == "read"
    end_threads()


@pytest.mark.django_db(transaction=True)
async def test_a_connection_that_went_wrong_is_not_used_again() -> None:
    def fail() -> None:
        with connection.cursor() as cursor:
            cursor.execute("no SQL")

    def is_connected() -> bool:
        return connection.connection is not None

    async with ThreadSensitiveContext():
        for _ in range(4):
            with pytest.raises(DatabaseError):
                await arun_blocking(fail)
        assert [await arun_blocking(is_connected) for _ in range(8)] == [False] * 8
    end_threads()


async def test_a_thread_of_the_log_waits_for_no_other_one() -> None:
    meeting = Barrier(4)

    def work() -> str:
        # All threads are taken.
        meeting.wait(60)
        return run_apart(lambda: "written")

    async with ThreadSensitiveContext():
        written = asyncio.gather(*(arun_blocking(work) for _ in range(4)))
        assert await asyncio.wait_for(written, 60) == ["written"] * 4
    end_threads()


@pytest.mark.django_db(transaction=True)
def test_what_a_bound_thread_hands_to_the_log_is_written_at_once() -> None:
    entries = begin(OutputRequestRecord())

    async def deliver_from_thread() -> None:
        async with ThreadSensitiveContext():
            await bind(adeliver)(entries)

    with patch.object(SQLWriter, "write_apart", side_effect=AssertionError):
        asyncio.run(deliver_from_thread())
    assert OutputRequestLog.objects.count() == 1
    end_threads()


def test_at_the_end_of_a_process_the_work_is_done_here() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    with patch.object(_writers, "_executor", executor):
        assert run_apart(get_ident) == get_ident()
        with pytest.raises(ZeroDivisionError):
            run_apart(lambda: 1 // 0)


def test_a_thread_that_cannot_be_started_is_not_waited_for() -> None:
    with (
        patch.object(leftovers, "_thread", None),
        patch.object(leftovers, "_queue", SimpleQueue()),
        patch.object(leftovers.Thread, "start", side_effect=RuntimeError),
    ):
        leftovers.start()
        assert leftovers._thread is None
        done: list[int] = []
        leftovers.leave_behind(lambda: done.append(1))
        leftovers._finish()
        assert done == [1]
