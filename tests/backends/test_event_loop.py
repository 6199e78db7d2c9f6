"""Entries that an event loop stores itself, without a thread (PostgreSQL)."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
from asgiref.sync import ThreadSensitiveContext
from django.contrib.auth.models import Group
from django.db import OperationalError, connection
from django.test import override_settings

from bench.traffic import LOGGER, AsyncSite, small_post
from security import recording
from security.backends.sql import event_loop
from security.backends.sql.event_loop import _Connection, _Pool, close_connections
from security.backends.sql.models import InputRequestLog, RelatedObject
from security.backends.sql.writer import SQLWriter
from security.context import inside
from security.databases.watchdog import HangingError, watchdog
from security.delivery import adeliver, lost_entries, threads, waiting
from security.delivery.threads import end_threads
from security.enums import Event, RequestLogState
from security.records import Entry, InputRequestRecord, OutputRequestRecord
from tests.acceptance.servers import wait_until
from tests.databases.hanging import proxy_to

from .test_outages import logs_at, loss_messages

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.only_on("postgresql")]

Work = Callable[[], Awaitable[Any]]


@pytest.fixture(autouse=True)
def threads_end() -> Iterator[None]:
    yield
    end_threads()


def in_event_loop(work: Work) -> Any:
    """Do some work as under an ASGI server, which each request has a thread of its own from."""

    async def under_server() -> Any:
        async with ThreadSensitiveContext():
            return await work()

    return asyncio.run(under_server())


async def done_opening(pool: _Pool) -> None:
    if pool._opening is not None:
        await asyncio.wait([pool._opening])


async def opened(alias: str = "default", count: int = 1) -> _Pool:
    """Give the pool of the running loop, with some connections open."""
    pool = event_loop._pool_of(alias)
    taken = []
    for _ in range(count):
        assert await pool.take(60) is None
        await done_opening(pool)
        taken.append(await pool.take(60))
    for one in taken:
        assert one is not None
        pool.put_back(one)
    return pool


def first_entry(**fields: Any) -> Entry:
    return recording.begin(InputRequestRecord(host="shop.example", **fields))[0]


def both_entries(**fields: Any) -> tuple[Entry, Entry]:
    record = InputRequestRecord(host="shop.example", **fields)
    (first,) = recording.begin(record)
    (last,) = recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    return first, last


def versions() -> list[int]:
    return sorted(InputRequestLog.objects.values_list("version", flat=True))


@contextmanager
def administrator() -> Iterator[Any]:
    """Give a connection that can be used in an event loop, as Django's cannot."""
    parameters: dict[str, Any] = connection.get_connection_params()
    usual = ("dbname", "user", "password", "host", "port")
    with psycopg.connect(**{name: parameters[name] for name in usual if name in parameters}, autocommit=True) as other:
        yield other


@contextmanager
def locked() -> Iterator[None]:
    """Lock the table of the log."""
    with administrator() as other, other.transaction():
        other.execute(f"LOCK TABLE {InputRequestLog._meta.db_table} IN ACCESS EXCLUSIVE MODE")
        yield


ALL_OTHERS = (
    "FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL(%s) AND backend_type = 'client backend'"
)


def backends() -> list[int]:
    """Give the process ids of the server for connections of others than this thread."""
    connection.ensure_connection()
    with administrator() as other:
        known = [other.info.backend_pid, connection.connection.info.backend_pid]
        return sorted(pid for (pid,) in other.execute(f"SELECT pid {ALL_OTHERS}", [known]))


def end_backends(pids: list[int]) -> None:
    with administrator() as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [pids])


@contextmanager
def no_threads() -> Iterator[None]:
    """Let nothing be done by a thread of the log."""

    def submit(*args: Any) -> Any:
        pytest.fail("A thread was asked.")

    with patch.object(threads._writers, "submit", submit):
        yield


@contextmanager
def statements_noted() -> Iterator[list[str]]:
    """List what event loops send in this block, by its verb."""
    verbs: list[str] = []
    start = _Connection.start

    def noted(self: Any, sql: bytes, *args: Any) -> Any:
        verbs.append(sql.split()[0].decode())
        return start(self, sql, *args)

    with patch.object(_Connection, "start", noted):
        yield verbs


def test_a_request_is_stored_without_a_thread_by_two_statements() -> None:
    with override_settings(ROOT_URLCONF="bench.site"):
        site, question = AsyncSite(LOGGER), small_post("/asmall/")

        async def ask() -> None:
            await site._ask_all(question, 1, 200)
            await done_opening(event_loop._pool_of("default"))
            with no_threads(), statements_noted() as statements:
                await site._ask_all(question, 3, 200)
            assert statements == ["INSERT", "UPDATE"] * 3

        asyncio.run(ask())
    assert versions() == [2] * 4


def test_the_row_holds_what_a_thread_would_store() -> None:
    fields: dict[str, Any] = {"path": "/ä😀/", "queries": {"q": ["1", "2"]}, "is_secure": True, "ip": None}
    threads_own, loops_own = both_entries(**fields), both_entries(**fields)

    async def store() -> None:
        await opened()
        for entry in loops_own:
            assert await SQLWriter().awrite([entry])

    in_event_loop(store)
    for entry in threads_own:
        SQLWriter().write([entry])
    rows = InputRequestLog.objects.values()
    one, other = (rows.get(pk=entries[0].id) for entries in (threads_own, loops_own))
    for name in ("id", "start", "stop", "time"):
        assert type(one.pop(name)) is type(other.pop(name))
    assert one == other


def test_a_request_that_reached_no_view_is_stored_without_a_thread_by_one_statement() -> None:
    first, last = both_entries()

    async def store() -> None:
        await opened()
        with no_threads(), statements_noted() as statements:
            await adeliver([first, last])
        assert statements == ["INSERT"]

    in_event_loop(store)
    assert versions() == [2]


def test_entries_of_several_records_are_stored_by_a_thread_in_one_statement() -> None:
    async def store() -> None:
        await opened()
        assert not await SQLWriter().awrite([first_entry(), first_entry()])
        await adeliver([first_entry(), first_entry()])

    in_event_loop(store)
    assert versions() == [1, 1]


def test_other_work_of_the_loop_goes_on_while_the_log_is_locked() -> None:
    first = first_entry()
    went_on: list[bool] = []

    async def store() -> None:
        await opened()
        writing = asyncio.ensure_future(SQLWriter().awrite([first]))
        with locked():
            await asyncio.sleep(0)
            went_on.append(not writing.done())
        assert await writing

    in_event_loop(store)
    assert went_on == [True]
    assert versions() == [1]


@override_settings(SECURITY_LOG_DB_TIMEOUT=0.1)
def test_a_statement_that_waits_too_long_is_cancelled_and_its_connection_used_no_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def store() -> None:
        pool = await opened()
        with locked(), no_threads():
            await adeliver([first_entry()])
        assert not pool._idle
        assert not pool._busy

    in_event_loop(store)
    assert lost_entries() == {"sql": 1}
    (message,) = loss_messages(caplog)
    assert "canceling statement" in message
    wait_until(lambda: not backends(), "the end of its connection")
    assert versions() == []


@override_settings(SECURITY_LOG_DB_TIMEOUT=0.1)
@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_server_that_hangs_does_not_stop_the_loop(caplog: pytest.LogCaptureFixture) -> None:
    async def store() -> None:
        pool = await opened("log")
        proxy.hang()
        with no_threads():
            await adeliver([first_entry()])
            await adeliver([first_entry()])
        assert not pool._busy

    with proxy_to(connection.settings_dict) as proxy, logs_at(HOST="127.0.0.1", PORT=str(proxy.port)):
        in_event_loop(store)
    assert lost_entries() == {"sql": 2}
    (message,) = loss_messages(caplog)
    assert HangingError.__name__ in message


def test_a_connection_that_the_server_closed_at_rest_is_dropped_and_another_one_opened() -> None:
    drop = _Pool.drop

    async def store() -> None:
        pool = await opened()
        dropped = asyncio.Event()
        with patch.object(_Pool, "drop", lambda *args: [drop(*args), dropped.set()]):
            end_backends([one._pgconn.backend_pid for one in pool._idle])
            await dropped.wait()
        assert not pool._idle
        await adeliver([first_entry()])
        await done_opening(pool)
        with no_threads():
            await adeliver([first_entry()])

    in_event_loop(store)
    assert versions() == [1, 1]
    assert lost_entries() == {}


def test_a_connection_that_breaks_during_a_statement_loses_nothing() -> None:
    async def store() -> None:
        pool = await opened()
        with locked():
            writing = asyncio.ensure_future(adeliver([first_entry()]))
            await asyncio.sleep(0)
            end_backends([one._pgconn.backend_pid for one in pool._busy])
        await writing

    in_event_loop(store)
    assert versions() == [1]
    assert lost_entries() == {}


def test_a_caller_that_is_cancelled_has_its_entry_stored() -> None:
    first = first_entry()

    async def store() -> None:
        await opened()
        with locked():
            writing = asyncio.ensure_future(adeliver([first]))
            await asyncio.sleep(0)
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing

    in_event_loop(store)
    wait_until(lambda: versions() == [1], "the row of the entry")
    assert lost_entries() == {}


def test_many_at_once_share_four_connections() -> None:
    records = [both_entries() for _ in range(30)]
    most: list[tuple[int, int]] = []

    async def one(first: Entry, last: Entry) -> None:
        assert await SQLWriter().awrite([first])
        assert await SQLWriter().awrite([last])

    async def store() -> None:
        pool = await opened(count=4)
        with no_threads(), locked():
            asked = [asyncio.ensure_future(one(*entries)) for entries in records]
            await asyncio.sleep(0)
            most.append((len(pool._busy), len(pool._line)))
        await asyncio.gather(*asked)
        assert (len(pool._idle), len(pool._busy), len(pool._line)) == (4, 0, 0)

    in_event_loop(store)
    assert most == [(4, 26)]
    assert versions() == [2] * 30


def test_who_waited_longest_is_next() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        places = [asyncio.ensure_future(pool.take(60)) for _ in range(2)]
        await asyncio.sleep(0)
        assert taken[0] is not None
        pool.put_back(taken[0])
        assert await places[0] is taken[0]
        assert not places[1].done()
        pool.put_back(taken[0])
        assert await places[1] is taken[0]

    in_event_loop(store)


def test_who_waits_in_line_for_too_long_is_sent_to_a_thread() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        with override_settings(SECURITY_LOG_DB_TIMEOUT=0.01):
            assert not await SQLWriter().awrite([first_entry()])
        # The place in the line is nobody's.
        for one in taken:
            assert one is not None
            pool.put_back(one)
        assert len(pool._idle) == 4

    in_event_loop(store)


def test_who_is_cancelled_in_line_keeps_no_connection() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        waiting_for = [asyncio.ensure_future(pool.take(60)) for _ in range(2)]
        await asyncio.sleep(0)
        for one in taken:
            assert one is not None
            pool.put_back(one)
        # Each was given one, and does not know it yet.
        for place in waiting_for:
            place.cancel()
        await asyncio.wait(waiting_for)
        assert (len(pool._idle), len(pool._busy)) == (4, 0)

    in_event_loop(store)


def test_who_waits_for_the_last_connection_is_not_left_in_line_when_it_breaks() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        place = asyncio.ensure_future(pool.take(3600))
        await asyncio.sleep(0)
        for one in taken:
            assert one is not None
            pool.drop(one)
        assert await place is None

    in_event_loop(store)


def test_who_waits_gets_the_connection_that_is_opened_in_place_of_a_broken_one() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        place = asyncio.ensure_future(pool.take(3600))
        await asyncio.sleep(0)
        assert taken[0] is not None
        pool.drop(taken[0])
        assert await pool.take(60) is None
        assert await place is not None
        assert len(pool._busy) == 4
        # No more are opened.
        with override_settings(SECURITY_LOG_DB_TIMEOUT=0.01):
            assert not await SQLWriter().awrite([first_entry()])
        assert pool._opening is None

    in_event_loop(store)


def test_who_is_cancelled_in_line_has_its_entry_stored_by_a_thread() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        for _ in range(4):
            await pool.take(60)
        writing = asyncio.ensure_future(adeliver([first_entry()]))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing

    in_event_loop(store)
    wait_until(lambda: versions() == [1], "the row of the entry")


def test_the_next_event_loop_goes_on_with_the_connections_of_a_closed_one() -> None:
    in_event_loop(opened)
    before = backends()
    assert len(before) == 1

    async def store() -> None:
        with no_threads():
            await adeliver([first_entry()])

    in_event_loop(store)
    assert backends() == before
    assert versions() == [1]


def test_an_entry_whose_first_one_was_lost_makes_the_row_whole() -> None:
    _, last = both_entries()

    async def store() -> None:
        await opened()
        await adeliver([last])

    in_event_loop(store)
    assert versions() == [2]


def test_an_entry_that_is_stored_already_changes_nothing() -> None:
    first, last = both_entries()

    async def store() -> None:
        pool = await opened()
        for entry in (first, last, first, last):
            await adeliver([entry])
        # Nothing is cancelled on it later.
        assert [watchdog._watches[one._driver_connection].deadline for one in pool._idle] == [None]

    in_event_loop(store)
    assert versions() == [2]
    assert lost_entries() == {}


def test_what_the_database_refuses_is_named_as_by_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    first = first_entry()
    refused = Entry(first.kind, first.event, {**first.values, "method": "x" * 1000})

    async def store() -> None:
        pool = await opened()
        await adeliver([refused])
        await adeliver([Entry(first.kind, first.event, {**first.values, "path": "\0"})])
        await adeliver([first])
        assert len(pool._idle) == 1

    in_event_loop(store)
    assert lost_entries() == {"sql": 2}
    assert "DataError" in loss_messages(caplog)[0]
    assert versions() == [1]


def test_relations_and_what_waits_go_along_by_a_thread() -> None:
    group = Group.objects.create(name="ann's")
    outer, inner = InputRequestRecord(), OutputRequestRecord()
    inner.add_related_objects(group)
    (related,) = recording.begin(inner)

    async def store() -> None:
        await opened()
        await adeliver([related])
        (first,) = recording.begin(outer)
        assert not waiting.goes_along_with([first])
        with inside(outer):
            waiting._room_of_frame(outer)
            assert waiting.goes_along_with([first])
        assert waiting.goes_along_with(recording.complete(outer, Event.FINISHED, state=RequestLogState.INFO))

    in_event_loop(store)
    assert RelatedObject.objects.get().log_id == related.id


def test_a_long_text_is_sent_in_pieces() -> None:
    first = first_entry()
    long = Entry(first.kind, first.event, {**first.values, "request_body": "x" * 20_000_000})

    async def store() -> None:
        await opened()
        with no_threads():
            await adeliver([long])

    in_event_loop(store)
    assert len(InputRequestLog.objects.get().request_body) == 20_000_000


def test_where_the_site_looks_at_each_statement_a_thread_stores_them() -> None:
    async def store() -> None:
        pool = event_loop._pool_of("default")
        await adeliver([first_entry()])
        await done_opening(pool)
        assert pool._is_of_no_use
        await adeliver([first_entry()])
        assert pool._opening is None

    async def store_later() -> None:
        close_connections()
        pool = await opened()
        with override_settings(DEBUG=True):
            await adeliver([first_entry()])
            assert len(asked) == 1
        assert len(pool._idle) == 1

    with override_settings(DEBUG=True):
        in_event_loop(store)
    asked: list[str] = []
    with patch.object(SQLWriter, "write", lambda self, entries: asked.append("a thread")):
        in_event_loop(store_later)
    assert versions() == [1, 1]


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_pool_of_the_sites_is_left_to_it() -> None:
    async def store() -> None:
        pool = event_loop._pool_of("log")
        assert await pool.take(60) is None
        await done_opening(pool)
        assert pool._is_of_no_use

    with logs_at(OPTIONS={**connection.settings_dict["OPTIONS"], "pool": True}):
        in_event_loop(store)


def test_an_event_loop_that_looks_at_no_sockets_leaves_it_to_threads() -> None:
    def add_reader(*args: Any) -> Any:
        raise NotImplementedError

    async def store() -> None:
        pool = event_loop._pool_of("default")
        with patch.object(pool.loop, "add_reader", add_reader):
            await adeliver([first_entry()])
            await done_opening(pool)
        assert pool._is_of_no_use
        await adeliver([first_entry()])

    in_event_loop(store)
    assert versions() == [1, 1]
    assert lost_entries() == {}


def test_a_process_that_was_forked_has_connections_of_its_own() -> None:
    in_event_loop(opened)
    before = backends()
    child = os.fork()
    if child == 0:
        os._exit(len(event_loop._pools))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert backends() == before


def test_a_backend_that_is_paused_is_not_asked() -> None:
    asked: list[UUID] = []

    async def awrite(self: Any, entries: Sequence[Entry]) -> bool:
        asked.extend(entry.id for entry in entries)
        raise OperationalError("down")

    async def store() -> None:
        with patch.object(SQLWriter, "awrite", awrite):
            for _ in range(3):
                await adeliver([first_entry()])

    with patch("security.delivery.health.pause_after", lambda seconds: 60):
        in_event_loop(store)
    assert len(asked) == 1
    assert lost_entries() == {"sql": 3}
