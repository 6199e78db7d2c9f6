"""The threads of the log under an ASGI server: what is stuck in one holds up no other."""

from __future__ import annotations

import asyncio
from threading import Event

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.db import DatabaseError, connection

from security.delivery import arun_blocking, arun_reading
from security.delivery.threads import end_threads


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
