"""Entries that an event loop stores itself, without a thread (PostgreSQL)."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from typing import Any, ClassVar
from unittest.mock import patch
from uuid import UUID

import psycopg
import pytest
import uvloop
from asgiref.sync import ThreadSensitiveContext
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import OperationalError, connection
from django.db.models import Model
from django.test import override_settings

from bench.traffic import LOGGER, AsyncSite, small_post
from security import enums, recording
from security.backends.base import Writer
from security.backends.sql import event_loop, loop_connection
from security.backends.sql.event_loop import _Pool, close_connections
from security.backends.sql.loop_connection import LoopConnection
from security.backends.sql.models import InputRequestLog, RelatedObject
from security.backends.sql.writer import SQLWriter
from security.context import inside
from security.databases.watchdog import HangingError, watchdog
from security.delivery import adeliver, lost_entries, threads, waiting
from security.delivery.threads import end_threads
from security.enums import RequestLogState
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


@pytest.fixture
def short_patience(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(loop_connection, "_PATIENCE", 0.0)
    monkeypatch.setattr(event_loop, "_INTERVAL", 0.01)
    with override_settings(SECURITY_LOG_DB_TIMEOUT=0.05):
        yield


factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {}


@pytest.fixture(autouse=True, params=["asyncio", "uvloop"])
def every_sort(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run each test in each sort of event loop, none of which may be told of an exception that nobody handled."""
    new_loop = uvloop.new_event_loop if request.param == "uvloop" else asyncio.new_event_loop
    unhandled: list[str] = []

    def loop() -> asyncio.AbstractEventLoop:
        new: asyncio.AbstractEventLoop = new_loop()
        new.set_exception_handler(lambda _, context: unhandled.append(repr(context)))
        return new

    monkeypatch.setitem(factories, "loop", loop)
    yield
    assert unhandled == []


def in_event_loop(work: Work) -> Any:
    """Do some work as under an ASGI server, which each request has a thread of its own from."""

    async def under_server() -> Any:
        async with ThreadSensitiveContext():
            return await work()

    with asyncio.Runner(loop_factory=factories["loop"]) as runner:
        return runner.run(under_server())


def pool_of(alias: str = "default") -> _Pool:
    pool = event_loop._pool_of(alias)
    assert pool is not None
    return pool


async def done_opening(pool: _Pool) -> None:
    if pool._opening is not None:
        await asyncio.wait([pool._opening])


async def opened(alias: str = "default", count: int = 1) -> _Pool:
    """Give the pool of the running loop, with some connections open."""
    pool = pool_of(alias)
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
    (last,) = recording.complete(record, enums.Event.FINISHED, state=RequestLogState.INFO)
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


def backends_known_to(other: Any) -> list[int]:
    return [pid for (pid,) in other.execute(f"SELECT pid {ALL_OTHERS}", [[other.info.backend_pid]])]


def rows_known_to(other: Any) -> int:
    return int(other.execute(f"SELECT count(*) FROM {InputRequestLog._meta.db_table}").fetchone()[0])


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
    start = LoopConnection.start

    def noted(self: Any, sql: bytes, *args: Any) -> Any:
        verbs.append(sql.split()[0].decode())
        return start(self, sql, *args)

    with patch.object(LoopConnection, "start", noted):
        yield verbs


def test_a_request_is_stored_without_a_thread_by_two_statements() -> None:
    with override_settings(ROOT_URLCONF="bench.site"):
        site, question = AsyncSite(LOGGER), small_post("/asmall/")

        async def ask() -> None:
            await site._ask_all(question, 1, 200)
            await done_opening(pool_of())
            with no_threads(), statements_noted() as statements:
                await site._ask_all(question, 3, 200)
            assert statements == ["INSERT", "UPDATE"] * 3

        in_event_loop(ask)
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
        pool = await opened()
        with no_threads(), statements_noted() as statements:
            await adeliver([first, last])
        assert statements == ["INSERT"]
        # Nothing is cancelled on the connection later.
        assert [watchdog._watches[one._driver_connection].deadline for one in pool._idle] == [None]

    in_event_loop(store)
    assert versions() == [2]


def test_entries_out_of_order_are_left_to_a_thread() -> None:
    first, last = both_entries()

    async def store() -> None:
        await opened()
        assert not await SQLWriter().awrite([last, first])
        await adeliver([last, first])

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


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_connection_that_is_reset_at_rest_while_the_loop_is_busy_is_dropped() -> None:
    drop = _Pool.drop
    dropped = asyncio.Event()

    async def store() -> None:
        pool = await opened("log")
        descriptor = pool._idle[0]._descriptor
        with patch.object(_Pool, "drop", lambda *args: [drop(*args), dropped.set()]):
            proxy.reset(b"E\0\0\0\x1fSFATAL\0VFATAL\0C57P05\0MEnd\0\0")
            # The last words and the reset are both there when the loop looks.
            wait_until(lambda: is_reset(descriptor), "the reset")
            await asyncio.wait_for(dropped.wait(), 10)
        await adeliver([first_entry()])

    with proxy_to(connection.settings_dict) as proxy, logs_at(HOST="127.0.0.1", PORT=str(proxy.port)):
        in_event_loop(store)
    assert versions() == [1]
    assert lost_entries() == {}


def is_reset(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, 0)
    return any(event & select.POLLERR for _, event in poll.poll(0))


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
        assert not pool._line
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


def test_who_is_closed_in_line_keeps_no_connection() -> None:
    async def store() -> None:
        pool = await opened(count=4)
        taken = [await pool.take(60) for _ in range(4)]
        waiting_for: Any = pool.take(60)
        waiting_for.send(None)
        for one in taken:
            assert one is not None
            pool.put_back(one)
        waiting_for.close()
        assert (len(pool._idle), len(pool._busy)) == (4, 0)

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
        await opened()
        for entry in (first, last, first, last):
            await adeliver([entry])

    in_event_loop(store)
    assert versions() == [2]
    assert lost_entries() == {}


def test_what_the_database_refuses_is_named_as_by_a_thread(caplog: pytest.LogCaptureFixture) -> None:
    first = first_entry()
    refused = Entry(first.kind, first.event, {**first.values, "method": "x" * 1000})

    async def store() -> None:
        pool = await opened()
        await adeliver([Entry(first.kind, first.event, {**first.values, "path": "\0"})])
        assert len(pool._idle) == 1
        await adeliver([refused])
        # As a thread does, it asks for another connection where the server had something to say.
        assert not pool._idle
        await adeliver([first])

    in_event_loop(store)
    assert lost_entries() == {"sql": 2}
    assert "DataError" in loss_messages(caplog)[1]
    assert versions() == [1]


def test_relations_and_what_waits_go_along_by_a_thread() -> None:
    group = Group.objects.create(name="ann's")
    outer, inner = InputRequestRecord(), OutputRequestRecord()
    inner.add_related_objects(group)
    (related,) = recording.begin(inner)
    later = Entry(related.kind, related.event, {**related.values, "related_objects": (), "version": 2})

    async def store() -> None:
        await opened()
        assert not await SQLWriter().awrite([related, later])
        await adeliver([related])
        (first,) = recording.begin(outer)
        assert not waiting.goes_along_with([first])
        with inside(outer):
            waiting._room_of_frame(outer)
            assert waiting.goes_along_with([first])
        assert waiting.goes_along_with(recording.complete(outer, enums.Event.FINISHED, state=RequestLogState.INFO))

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
        pool = pool_of()
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
        pool = pool_of("log")
        assert await pool.take(60) is None
        await done_opening(pool)
        assert pool._is_of_no_use

    with logs_at(OPTIONS={**connection.settings_dict["OPTIONS"], "pool": True}):
        in_event_loop(store)


def test_an_event_loop_that_looks_at_no_sockets_leaves_it_to_threads() -> None:
    def serve(*args: Any) -> Any:
        raise NotImplementedError

    async def store() -> None:
        pool = pool_of()
        with patch.object(LoopConnection, "serve", serve):
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


def test_a_connection_that_is_ended_while_the_loop_is_busy_loses_nothing() -> None:
    async def store() -> None:
        pool = await opened()
        process = pool._idle[0]._pgconn.backend_pid
        os.kill(process, signal.SIGSTOP)
        writing = asyncio.ensure_future(adeliver([first_entry()]))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGCONT)
        # Its last words and its end are both there when the loop looks.
        wait_until(lambda: process not in backends_known_to(other), "the end of the connection")
        await asyncio.wait_for(writing, 60)
        assert not pool._busy

    with administrator() as other:
        in_event_loop(store)
    assert versions() == [1]
    assert lost_entries() == {}


def test_a_connection_that_is_ended_while_much_is_sent_loses_nothing() -> None:
    first = first_entry()
    long = Entry(first.kind, first.event, {**first.values, "request_body": "x" * 20_000_000})

    async def store() -> None:
        pool = await opened()
        process = pool._idle[0]._pgconn.backend_pid
        os.kill(process, signal.SIGSTOP)
        writing = asyncio.ensure_future(adeliver([long]))
        await asyncio.sleep(0)
        os.kill(process, signal.SIGTERM)
        os.kill(process, signal.SIGCONT)
        await asyncio.wait_for(writing, 60)
        assert not pool._busy

    in_event_loop(store)
    assert versions() == [1]
    assert lost_entries() == {}


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_connection_that_understands_its_server_no_more_is_dropped() -> None:
    async def store() -> None:
        pool = await opened("log")
        proxy.answer_nonsense()
        await adeliver([first_entry()])
        assert (pool._idle, pool._busy) == ([], set())
        await adeliver([first_entry()])
        await done_opening(pool)
        with no_threads():
            await adeliver([first_entry()])

    with proxy_to(connection.settings_dict) as proxy, logs_at(HOST="127.0.0.1", PORT=str(proxy.port)):
        in_event_loop(store)
    assert versions() == [1, 1, 1]
    assert lost_entries() == {}


@pytest.mark.usefixtures("short_patience")
def test_a_statement_whose_end_the_loop_was_not_told_of_is_looked_at() -> None:
    async def store() -> None:
        pool = await opened()
        pool.loop.remove_reader(pool._idle[0]._descriptor)
        assert await SQLWriter().awrite([first_entry()])

    in_event_loop(store)
    assert versions() == [1]


@pytest.mark.usefixtures("short_patience")
def test_a_statement_that_nothing_ends_is_given_up() -> None:
    async def store() -> None:
        pool = await opened()
        pool.loop.remove_reader(pool._idle[0]._descriptor)
        with patch.object(LoopConnection, "_read", lambda self: None), pytest.raises(HangingError):
            await SQLWriter().awrite([first_entry()])
        assert (pool._idle, pool._busy) == ([], set())

    in_event_loop(store)


def test_a_connection_is_closed_once() -> None:
    async def store() -> None:
        pool = await opened()
        one = await pool.take(60)
        assert one is not None
        pool.drop(one)
        # The site's next files have its number, and those below that are free.
        sites_own = [os.dup(0)]
        while sites_own[-1] < one._descriptor:
            sites_own.append(os.dup(0))
        pool.drop(one)
        for descriptor in sites_own:
            os.close(descriptor)

    in_event_loop(store)


def test_a_loop_that_can_look_at_no_more_sockets_is_asked_again_later() -> None:
    def serve(*args: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def store() -> None:
        pool = pool_of()
        with patch.object(LoopConnection, "serve", serve):
            await adeliver([first_entry()])
            await done_opening(pool)
        await adeliver([first_entry()])
        assert pool._opening is None
        pool._opens_again_at = 0
        await opened()

    in_event_loop(store)
    assert versions() == [1, 1]


def test_where_there_are_no_more_descriptors_threads_store_all() -> None:
    def dup(descriptor: int) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    async def store() -> None:
        with patch.object(os, "dup", dup):
            await adeliver([first_entry()])
            await done_opening(pool_of())
        await adeliver([first_entry()])
        assert pool_of()._opening is None

    in_event_loop(store)
    assert versions() == [1, 1]
    wait_until(lambda: len(backends()) <= 4, "the end of the connection")


@pytest.mark.usefixtures("short_patience")
def test_a_site_that_keeps_its_loop_busy_loses_nothing() -> None:
    async def store() -> None:
        await opened()
        began, writing = monotonic(), asyncio.ensure_future(adeliver([first_entry()]))
        await asyncio.sleep(0)
        wait_until(lambda: rows_known_to(other) == 1, "the row")
        # The timer is due as well.
        wait_until(lambda: monotonic() > began + 0.1, "the time of the statement to pass")
        await writing

    with administrator() as other:
        in_event_loop(store)
    assert lost_entries() == {}


def test_what_is_not_whole_is_closed_and_given_to_nobody() -> None:
    async def store() -> None:
        pool = await opened()
        one = await pool.take(60)
        assert one is not None
        one._driver_connection.close()
        pool.put_back(one)
        assert (pool._idle, pool._busy) == ([], set())
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(one._descriptor)

    in_event_loop(store)


def test_a_connection_is_closed_after_the_cancellation_that_uses_it() -> None:
    async def store() -> None:
        pool = await opened()
        one, cancellation = await pool.take(60), Event()
        assert one is not None
        pool.drop(one, cancellation)
        assert not one._driver_connection.closed
        cancellation.set()
        await asyncio.to_thread(wait_until, lambda: one._driver_connection.closed, "the end of the connection")

    in_event_loop(store)


def test_what_was_busy_when_its_loop_was_closed_is_closed_by_the_next_one() -> None:
    busy = in_event_loop(opened_and_taken)

    async def store() -> None:
        assert pool_of()._idle == []

    in_event_loop(store)
    assert busy._driver_connection.closed


async def opened_and_taken() -> Any:
    return await (await opened()).take(60)


def test_who_is_cancelled_has_all_backends_told() -> None:
    class Other(Writer):
        got: ClassVar[list[UUID]] = []

        def write(self, entries: Sequence[Entry]) -> None:
            self.got.extend(entry.id for entry in entries)

    other, sql, first = Other(), SQLWriter(), first_entry()

    async def store() -> None:
        await opened()
        for targets in ([("other", other), ("sql", sql)], [("sql", sql), ("other", other)]):
            with locked(), patch("security.delivery.inline.writers", return_value=targets):
                writing = asyncio.ensure_future(adeliver([first]))
                await asyncio.sleep(0)
                writing.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await writing

    in_event_loop(store)
    wait_until(lambda: other.got == [first.id] * 2, "the other backend's entries")
    wait_until(lambda: versions() == [1], "the row of the entry")


@pytest.mark.parametrize("raises", [False, True])
def test_who_is_cancelled_while_all_threads_are_stuck_is_counted_as_lost(raises: bool) -> None:
    async def store() -> None:
        pool = await opened(count=4)
        for _ in range(4):
            await pool.take(60)
        writing = asyncio.ensure_future(adeliver([first_entry()]))
        await asyncio.sleep(0)
        stuck: set[Any] = {object() for _ in range(4)}
        with patch.object(threads._writers, "_given_up", stuck):
            writing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await writing

    with override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=raises):
        in_event_loop(store)
    assert lost_entries() == {"sql": 1}


class RouterThatAsks:
    """A router of a site that asks a database, as no event loop may."""

    def db_for_write(self, model: type[Model], **hints: Any) -> None:
        ContentType.objects.using("default").filter(pk=1).exists()


def test_what_only_a_thread_may_do_is_left_to_one() -> None:
    async def store() -> None:
        await adeliver([first_entry()])

    with override_settings(DATABASE_ROUTERS=[f"{__name__}.RouterThatAsks"]):
        in_event_loop(store)
    assert versions() == [1]
    assert lost_entries() == {}


def test_where_no_more_threads_start_those_that_run_store_all() -> None:
    def start(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def store() -> None:
        with override_settings(DEBUG=True):
            await asyncio.gather(*(adeliver([first_entry()]) for _ in range(16)))
        close_connections()
        with patch.object(Thread, "start", start):
            await adeliver([first_entry()])

    in_event_loop(store)
    assert len(versions()) == 17
    assert lost_entries() == {}


def test_another_loop_that_runs_meanwhile_leaves_it_to_threads() -> None:
    async def store() -> None:
        await opened()
        assert await asyncio.to_thread(in_event_loop, store_in_thread) is None

    async def store_in_thread() -> _Pool | None:
        await adeliver([first_entry()])
        return event_loop._pool_of("default")

    in_event_loop(store)
    assert versions() == [1]


def test_a_connection_that_cannot_be_opened_is_not_tried_for_each_entry() -> None:
    tried: list[str] = []

    def refuse(self: _Pool, seconds: float) -> None:
        tried.append(self.alias)
        raise OperationalError("too many connections")

    async def store() -> None:
        for _ in range(3):
            await adeliver([first_entry()])
            await done_opening(pool_of())
        pool_of()._opens_again_at = 0
        await adeliver([first_entry()])
        await done_opening(pool_of())

    with patch.object(_Pool, "_open", refuse):
        in_event_loop(store)
    assert tried == ["default"] * 2
    assert versions() == [1] * 4
