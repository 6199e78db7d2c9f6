"""Logs survive the rollback of the site's transactions, in few statements, on each database."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from threading import Thread
from typing import Any

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import path

from security import recording
from security.backends.sql.counter import SQLCounter
from security.backends.sql.models import CommandLog, InputRequestLog, OutputRequestLog
from security.backends.sql.writer import SQLWriter
from security.backends.testing import capture_security_logs
from security.context import bind, inside
from security.decorators import log_exempt, log_with_data
from security.delivery import deliver, health, lost_entries, waiting
from security.enums import Event, RequestLogState
from security.rates import Limit
from security.records import CommandRecord, OutputRequestRecord
from tests import databases
from tests.acceptance.servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

OUTPUT = OutputRequestLog._meta.db_table


class RolledBackError(Exception):
    pass


def call(name: str = "", *, slug: str | None = None) -> OutputRequestRecord:
    record = OutputRequestRecord(path=f"/{name}", slug=slug)
    deliver(recording.begin(record))
    deliver(recording.complete(record, Event.FINISHED, state=RequestLogState.INFO))
    return record


def fail(*args: Any) -> None:
    raise OperationalError


def paths() -> list[str]:
    return list(OutputRequestLog.objects.order_by("id").values_list("path", flat=True))


def rolled_back(work: Callable[[], Any]) -> None:
    with pytest.raises(RolledBackError), transaction.atomic():  # noqa: PT012
        Group.objects.create(name="rolled back")
        work()
        raise RolledBackError


def many_calls(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Group.objects.get_or_create(name="kept")
        for number in range(50):
            call(str(number))
    return HttpResponse("done")


def failing_calls(request: HttpRequest) -> HttpResponse:
    call("before")
    Group.objects.create(name="rolled back")
    with transaction.atomic():
        Group.objects.create(name="rolled back too")
        call("inside")
        raise RolledBackError


async def failing_calls_async(request: HttpRequest) -> HttpResponse:
    return await sync_to_async(failing_calls)(request)


def stream_of_calls(request: HttpRequest) -> StreamingHttpResponse:
    def rows() -> Iterator[str]:
        for number in range(3):
            rolled_back(lambda: call(str(number)))  # noqa: B023 called at once
            yield str(number)

    return StreamingHttpResponse(rows())


@log_exempt
def exempt_calls(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        call("exempt")
    return HttpResponse("done")


urlpatterns = [
    path("many/", many_calls),
    path("failing/", failing_calls),
    path("failing-async/", failing_calls_async),
    path("stream/", stream_of_calls),
    path("exempt/", exempt_calls),
]
of_calls = override_settings(ROOT_URLCONF=__name__)


def log_statements(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries if "security_sql" in query["sql"]]


@of_calls
def test_all_children_of_a_request_that_end_in_a_transaction_are_one_insert() -> None:
    Client().get("/many/")
    OutputRequestLog.objects.all().delete()
    with CaptureQueriesContext(connection) as queries:
        Client().get("/many/")
    statements = log_statements(queries)
    assert [OUTPUT in statement for statement in statements].count(True) == 1
    assert len(statements) == 3
    assert paths() == [f"/{number}" for number in range(50)]
    parent = InputRequestLog.objects.first()
    assert set(OutputRequestLog.objects.values_list("parent_log", flat=True)) == {parent.reference}  # type: ignore[union-attr]
    assert set(OutputRequestLog.objects.values_list("state", flat=True)) == {RequestLogState.INFO}


@of_calls
@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize("address", ["/failing/", "/failing-async/"])
def test_children_survive_a_request_that_fails_with_and_without_atomic_requests(
    address: str, is_atomic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if address == "/failing-async/":
        # Django refuses ATOMIC_REQUESTS for asynchronous views.
        is_atomic = False
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", is_atomic)
    if address == "/failing-async/":
        client = AsyncClient(raise_request_exception=False)
        assert async_to_sync(client.get)(address).status_code == 500
    else:
        assert Client(raise_request_exception=False).get(address).status_code == 500
    assert paths() == ["/before", "/inside"]
    assert Group.objects.filter(name="rolled back").exists() is not is_atomic
    assert not Group.objects.filter(name="rolled back too").exists()
    assert InputRequestLog.objects.get().version == 2


@of_calls
def test_children_of_a_stream_survive() -> None:
    response = Client().get("/stream/")
    assert b"".join(response) == b"012"
    assert paths() == ["/0", "/1", "/2"]
    assert not Group.objects.exists()


@of_calls
def test_children_of_a_request_that_is_not_recorded_are_kept() -> None:
    Client().get("/exempt/")
    assert paths() == ["/exempt"]


def test_a_scope_keeps_logs_of_nested_blocks_until_the_outermost_one_ends() -> None:
    with log_with_data(slug="outer"):
        with log_with_data(slug="inner"):
            rolled_back(lambda: call("a"))
            with transaction.atomic():
                call("b")
                rolled_back(lambda: call("c"))
        assert paths() == []
        with transaction.atomic():
            call("e")
    assert paths() == ["/a", "/b", "/c", "/e"]
    assert list(OutputRequestLog.objects.order_by("id").values_list("slug", flat=True)) == [*["inner"] * 3, "outer"]


def test_a_scope_writes_what_waited_when_it_ends_with_an_exception() -> None:
    with pytest.raises(RolledBackError), log_with_data(), transaction.atomic():  # noqa: PT012
        Group.objects.create(name="rolled back")
        call("a")
        raise RolledBackError
    assert paths() == ["/a"]
    assert not Group.objects.exists()


def test_the_documented_order_of_decorators_keeps_the_logs() -> None:
    @log_with_data(slug="s")
    @transaction.atomic
    def work() -> None:
        call("a")
        raise RolledBackError

    with pytest.raises(RolledBackError):
        work()
    assert paths() == ["/a"]


def test_an_asynchronous_scope_keeps_logs() -> None:
    def failing() -> None:
        with transaction.atomic():
            call("a")
            raise RolledBackError

    @log_with_data(slug="s")
    async def work() -> None:
        with pytest.raises(RolledBackError):
            await sync_to_async(failing)()

    async_to_sync(work)()
    assert paths() == ["/a"]


@pytest.mark.parametrize("has_scope", [False, True])
def test_synchronous_code_that_blocks_an_event_loop_is_recorded(has_scope: bool) -> None:
    async def work() -> None:
        with log_with_data() if has_scope else nullcontext():
            call("a")
            with log_with_data():
                call("b")

    async_to_sync(work)()
    assert paths() == ["/a", "/b"]


def test_a_generator_keeps_logs_until_it_ends() -> None:
    @log_with_data(slug="s")
    def rows() -> Iterator[int]:
        for number in range(3):
            rolled_back(lambda: call(str(number)))  # noqa: B023 called at once
            yield number

    steps = rows()
    next(steps)
    assert paths() == []
    next(steps)
    steps.close()  # type: ignore[attr-defined]
    assert paths() == ["/0", "/1"]


def test_a_command_is_a_scope_as_well() -> None:
    record = CommandRecord(name="work")
    deliver(recording.begin(record))
    with inside(record):
        rolled_back(lambda: call("a"))
        assert paths() == []
    deliver(recording.complete(record, Event.FINISHED))
    assert paths() == ["/a"]
    assert CommandLog.objects.get().version == 2


def test_a_record_that_is_complete_keeps_nothing_any_more() -> None:
    record = CommandRecord(name="work")
    with inside(record):
        deliver(recording.complete(record, Event.FINISHED))
        with transaction.atomic():
            call("a")
        assert paths() == ["/a"]


def test_a_write_outside_the_transaction_takes_along_what_waits() -> None:
    with log_with_data():
        rolled_back(lambda: call("a"))
        with CaptureQueriesContext(connection) as queries:
            call("b")
        assert len(log_statements(queries)) == 2
        assert paths() == ["/a", "/b"]


@pytest.mark.parametrize("is_over", [False, True])
def test_an_outage_does_not_take_what_waits_with_it(is_over: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = lost_entries().get("sql", 0)
    with log_with_data():
        rolled_back(lambda: call("waits"))
        monkeypatch.setattr(SQLWriter, "write", fail)
        call("lost")
        if not is_over:
            monkeypatch.undo()
            # A backend that failed is left alone for a moment.
            health.health_of("sql")._paused_until = 0
            call("written")
            assert paths() == ["/waits", "/written"]
    monkeypatch.undo()
    assert paths() == ([] if is_over else ["/waits", "/written"])
    # The two entries of one call, and those of the other one if the outage lasts until there is nowhere to wait.
    assert lost_entries()["sql"] - lost == (4 if is_over else 2)


def test_what_waited_is_counted_as_lost_where_its_scope_ended_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail_late(*args: Any) -> None:
        scope.__exit__(None, None, None)
        fail()

    lost = lost_entries().get("sql", 0)
    scope = log_with_data()
    with scope:
        rolled_back(lambda: call("waits"))
        monkeypatch.setattr(SQLWriter, "write", fail_late)
        deliver(recording.begin(OutputRequestRecord(path="/lost")))
    # The two entries of the call that waited, and the one that took them along.
    assert lost_entries()["sql"] - lost == 3
    assert paths() == []


def test_a_child_that_began_before_the_transaction_is_completed_after_it() -> None:
    record = OutputRequestRecord(path="/a")
    with log_with_data():
        deliver(recording.begin(record))
        rolled_back(lambda: deliver(recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)))
        assert OutputRequestLog.objects.get().state is RequestLogState.INCOMPLETE
    assert OutputRequestLog.objects.get().state is RequestLogState.INFO


# Without a scope


def test_without_a_scope_logs_are_written_after_the_commit_with_one_statement() -> None:
    with CaptureQueriesContext(connection) as queries, transaction.atomic():
        Group.objects.create(name="kept")
        call("a")
        rolled_back(lambda: call("b"))
        call("c")
        assert log_statements(queries) == []
    assert len(log_statements(queries)) == 1
    assert paths() == ["/a", "/b", "/c"]


def test_a_savepoint_that_is_rolled_back_does_not_drop_what_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[Any] = []
    monkeypatch.setattr(waiting, "leave_behind", dropped.append)
    with transaction.atomic():
        rolled_back(lambda: call("a"))
        call("b")
    assert dropped == []
    assert paths() == ["/a", "/b"]


def test_without_a_scope_logs_are_written_after_a_rollback() -> None:
    rolled_back(lambda: (call("a"), call("b")))
    wait_until(lambda: paths() == ["/a", "/b"], "the write of what was left behind")
    assert list(Group.objects.all()) == []
    with transaction.atomic():
        call("c")
    assert paths() == ["/a", "/b", "/c"]


def test_where_autocommit_is_off_logs_are_written_after_a_rollback() -> None:
    transaction.set_autocommit(False)
    try:
        Group.objects.create(name="rolled back")
        call("a")
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    wait_until(lambda: paths() == ["/a"], "the write of what was left behind")
    assert list(Group.objects.all()) == []


def test_without_a_scope_logs_are_written_after_a_connection_was_closed_in_mid_transaction() -> None:
    with transaction.atomic():
        call("a")
        connection.close()
        connection.needs_rollback = True
    wait_until(lambda: paths() == ["/a"], "the write of what was left behind")


def test_without_a_scope_logs_survive_a_hook_of_the_site_that_fails() -> None:
    def fail() -> None:
        raise RolledBackError

    with pytest.raises(RolledBackError), transaction.atomic():  # noqa: PT012
        transaction.on_commit(fail)
        call("a")
    wait_until(lambda: paths() == ["/a"], "the write of what was left behind")


def test_a_scope_that_ends_inside_a_transaction_leaves_its_logs_to_the_end_of_that() -> None:
    def scoped() -> None:
        with log_with_data():
            call("a")

    rolled_back(scoped)
    wait_until(lambda: paths() == ["/a"], "the write of what was left behind")
    with transaction.atomic():
        scoped()
    assert len(paths()) == 2


def test_a_scope_that_is_never_closed_loses_nothing() -> None:
    def work() -> None:
        scope = log_with_data()
        scope.__enter__()
        with transaction.atomic():
            call("a")

    try:
        thread = Thread(target=lambda: (work(), connection.close()))
        thread.start()
        thread.join()
        gc.collect()
        wait_until(lambda: paths() == ["/a"], "the write of what was left behind")
    finally:
        connection.close()


def test_a_thread_of_a_pool_is_left_without_a_connection() -> None:
    def work() -> Any:
        try:
            call("pool")
            return connection.connection
        finally:
            connection.close()

    async def pooled() -> Any:
        return await asyncio.to_thread(work)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result() is None
    assert asyncio.run(pooled()) is None
    assert paths() == ["/pool", "/pool"]


def test_a_thread_with_a_connection_keeps_it() -> None:
    def work() -> Any:
        try:
            connection.ensure_connection()
            before = connection.connection
            call("pool")
            return connection.connection is before
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(work).result()
    assert paths() == ["/pool"]


@pytest.mark.parametrize("has_ended", [False, True])
def test_a_bound_thread_is_given_no_connection(has_ended: bool) -> None:
    found: list[Any] = []

    def work() -> None:
        call("a")
        found.append(connection.connection)

    with log_with_data():
        thread = Thread(target=bind(work))
        if not has_ended:
            thread.start()
            thread.join()
            assert paths() == []
    if has_ended:
        thread.start()
        thread.join()
    assert paths() == ["/a"]
    assert found == [None]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_MOST_RECORDS", 10)
    before = lost_entries()
    with log_with_data(), transaction.atomic():
        for number in range(25):
            call(str(number))
            scope: Any = waiting.outermost()
            assert len(scope.waiting._content.entries.get("sql", (None, {}))[1]) < 10
    assert len(paths()) == 25
    assert lost_entries() == before


def test_of_a_record_that_is_written_again_and_again_the_latest_entry_waits() -> None:
    record = CommandRecord(name="work")
    with log_with_data(), transaction.atomic():
        deliver(recording.begin(record))
        for number in range(10):
            record.output += f"{number}\n"
            deliver(recording.make_entry(record, Event.OUTPUT_UPDATED))
        scope: Any = waiting.outermost()
        (waits,) = scope.waiting._content.entries["sql"][1].values()
        assert [entry.version for entry in waits] == [1, 11]
        deliver(recording.complete(record, Event.FINISHED))
    assert (CommandLog.objects.get().version, CommandLog.objects.get().output.count("\n")) == (12, 10)


def test_what_a_later_entry_replaces_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    record = CommandRecord(name="work", output="x" * 1000)
    monkeypatch.setattr(waiting, "_MOST_CHARACTERS", 10_000)
    with log_with_data(), transaction.atomic():
        deliver(recording.begin(record))
        for _ in range(20):
            deliver(recording.make_entry(record, Event.OUTPUT_UPDATED))
        assert not CommandLog.objects.exists()
    assert CommandLog.objects.get().version == 21


@pytest.mark.parametrize("name", ["_MOST_RECORDS", "_MOST_CHARACTERS"])
def test_beyond_the_bound_servers_with_many_writers_keep_the_logs_of_a_rollback(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, name, 1)
    with log_with_data():
        rolled_back(lambda: call("a"))
    # SQLite has one writer, and that is the site.
    assert paths() == ([] if connection.vendor == "sqlite" else ["/a"])


SCRIPT = """
import django
django.setup()
from django.db import transaction
from tests.backends.test_transactions import call
with transaction.atomic():
    call("a")
    raise SystemExit(3)
"""


def test_a_process_that_ends_with_a_rollback_writes_what_it_leaves_behind() -> None:
    environment = databases.environment_of_child(connection) | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    connection.close()
    process = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, check=False)
    assert (process.returncode, paths()) == (3, ["/a"])


# Where nothing waits


def test_backends_in_memory_are_not_kept_waiting() -> None:
    with capture_security_logs() as logs, log_with_data(), transaction.atomic():
        call("a")
        assert [entry.version for entry in logs.output_request] == [2]
    assert len(logs.output_request_started) == len(logs.output_request_finished) == 1


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_with_an_alias_of_their_own_logs_are_written_at_once() -> None:
    router = "security.backends.sql.db_router.MirrorSecurityLoggerRouter"
    elsewhere = override_settings(DATABASE_ROUTERS=[router], SECURITY_LOG_DB_NAME="log")
    with elsewhere, log_with_data(), transaction.atomic():
        call("a")
        # SQLite's one writer is the transaction.
        assert OutputRequestLog.objects.count() == (0 if connection.vendor == "sqlite" else 1)
    assert paths() == ["/a"]


@pytest.fixture
def mirrored() -> Iterator[None]:
    router = "security.backends.sql.db_router.MirrorSecurityLoggerRouter"
    with override_settings(DATABASE_ROUTERS=[router], SECURITY_LOG_DB_NAME="log"):
        yield


@pytest.mark.usefixtures("mirrored")
@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_logs_at_a_second_alias_of_one_file_wait_for_no_lock() -> None:
    with log_with_data(), transaction.atomic():
        Group.objects.create(name="written")
        call("kept")
    rolled_back(lambda: call("without a scope"))
    wait_until(lambda: len(paths()) == 2, "the write after the rollback")
    with transaction.atomic():
        Group.objects.create(name="written too")
        call("committed")
    assert paths() == ["/kept", "/without a scope", "/committed"]
    assert lost_entries() == {}


@pytest.mark.usefixtures("mirrored")
@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_beyond_the_bound_logs_at_a_second_alias_of_one_file_share_its_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting, "_MOST_RECORDS", 2)
    with log_with_data(), transaction.atomic():
        Group.objects.create(name="written")
        for name in "abc":
            call(name)
    assert paths() == ["/a", "/b", "/c"]
    assert lost_entries() == {}


@pytest.mark.usefixtures("mirrored")
@pytest.mark.django_db(databases=["default", "log"])
def test_in_a_test_with_a_transaction_of_its_own_a_second_alias_of_one_file_locks_nobody_out() -> None:
    call("a")
    Group.objects.create(name="written")
    call("b")
    assert paths() == ["/a", "/b"]
    assert lost_entries() == {}


@pytest.mark.usefixtures("mirrored")
@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_requests_are_counted_at_a_second_alias_of_one_file_while_its_transaction_is_open() -> None:
    limit = Limit("key", 60_000, 1)
    with transaction.atomic():
        Group.objects.create(name="written")
        assert not SQLCounter().count([limit], 1_000_000).full
        assert SQLCounter().can_be_rolled_back() is (connection.vendor == "sqlite")


@pytest.mark.django_db
def test_in_a_test_with_a_transaction_of_its_own_logs_are_seen_when_the_block_ends() -> None:
    with log_with_data(), transaction.atomic():
        call("a")
        assert paths() == []
    assert paths() == ["/a"]
    with transaction.atomic():
        call("b")
    assert paths() == ["/a", "/b"]


# Python warns of every fork of a process that has a thread.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_writes_what_it_leaves_behind() -> None:
    rolled_back(lambda: call("parent"))
    wait_until(lambda: len(paths()) == 1, "the write of the parent")
    connection.close()
    pid = os.fork()
    if pid == 0:
        try:
            rolled_back(lambda: call("child"))
            wait_until(lambda: len(paths()) == 2, "the write of the child")
            connection.close()
        except BaseException:
            os._exit(1)
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert paths() == ["/parent", "/child"]
