"""The threads of the log under an ASGI server: what is stuck in one holds up no other."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue
from threading import Barrier, Event, get_ident
from unittest.mock import patch

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import DatabaseError, connection

from security.backends.sql.models import OutputRequestLog
from security.backends.sql.writer import SQLWriter
from security.context import bind
from security.delivery import adeliver, arun_blocking, arun_reading, leftovers
from security.delivery.threads import (
    NotDoneInTimeError,
    _writers,
    arun_for,
    end_threads,
    is_own_thread,
    run_apart,
    run_for,
)
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


async def test_work_that_is_stuck_is_waited_for_no_longer_and_goes_on() -> None:
    stuck, done = Event(), Event()

    def work() -> None:
        assert stuck.wait(60)
        done.set()

    async with ThreadSensitiveContext():
        try:
            given_up = await asyncio.gather(*(arun_for(0.05, work) for _ in range(6)), return_exceptions=True)
            assert [type(error) for error in given_up] == [NotDoneInTimeError] * 6
            # Four have begun; the others never will.
            assert sorted(error.work is None for error in given_up) == [False] * 4 + [True] * 2
            # All threads are stuck: nobody waits for the time to pass.
            with pytest.raises(NotDoneInTimeError):
                await arun_for(3600, work)
        finally:
            stuck.set()
        await asyncio.gather(*(asyncio.wrap_future(error.work) for error in given_up if error.work is not None))
        assert done.is_set()
        assert await arun_for(60, lambda: "written") == "written"
    end_threads()


async def test_synchronous_code_waits_no_longer_either() -> None:
    stuck = Event()

    def time_out() -> None:
        raise TimeoutError("of the work's own")

    def ask() -> None:
        assert run_for(60, lambda: "written") == "written"
        with pytest.raises(TimeoutError, match="of the work's own"):
            run_for(60, time_out)
        with pytest.raises(NotDoneInTimeError) as raised:
            run_for(0.05, stuck.wait, 60)
        stuck.set()
        assert raised.value.work.result(60)

    async with ThreadSensitiveContext():
        await sync_to_async(ask)()
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


async def test_a_caller_that_is_cancelled_does_not_stop_the_work(caplog: pytest.LogCaptureFixture) -> None:
    began, may_end, done = Event(), Event(), Event()

    def work() -> None:
        began.set()
        assert may_end.wait(60)
        done.set()

    async with ThreadSensitiveContext():
        caller = asyncio.create_task(arun_blocking(work))
        assert await arun_blocking(began.wait, 60)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        assert not done.is_set()
        may_end.set()
        assert await arun_blocking(done.wait, 60)
        # What the work told its caller has arrived as well.
        await asyncio.sleep(0)
    end_threads()
    assert caplog.records == []


def test_a_loop_that_is_closed_before_the_work_has_ended_is_told_nothing(caplog: pytest.LogCaptureFixture) -> None:
    may_end, done = Event(), Event()

    def work() -> None:
        assert may_end.wait(60)
        done.set()

    async def leave_early() -> None:
        async with ThreadSensitiveContext():
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(arun_blocking(work), 0.01)

    asyncio.run(leave_early())
    may_end.set()
    # This waits for the thread's last step.
    end_threads()
    assert done.is_set()
    assert caplog.records == []


async def test_at_the_end_of_a_process_a_coroutine_has_its_work_done_here() -> None:
    executor = ThreadPoolExecutor(1)
    executor.shutdown()
    async with ThreadSensitiveContext():
        with patch.object(_writers, "_executor", executor):
            assert await arun_blocking(get_ident) == get_ident()
            with pytest.raises(ZeroDivisionError):
                await arun_blocking(lambda: 1 // 0)


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


# Python warns of every fork of a process that has a thread.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_was_forked_starts_threads_of_its_own() -> None:
    assert run_apart(is_own_thread)
    child = os.fork()
    if child == 0:
        # This ends a child that waits for a thread that only its parent has.
        signal.alarm(60)
        os._exit(0 if run_apart(is_own_thread) else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    end_threads()


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
