"""A log database that is locked, down or full: the site goes on, and the loss is counted and said once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any
from unittest.mock import patch

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.test import AsyncClient, Client, override_settings

from security import recording
from security.backends.sql.checks import check_characters
from security.backends.sql.models import InputRequestLog
from security.backends.sql.writer import SQLWriter
from security.databases.watchdog import Watchdog
from security.delivery import health, lost_entries
from security.enums import Event as LogEvent
from security.records import InputRequestRecord
from tests.acceptance.servers import wait_until

MULTIPLE = "security.backends.sql.db_router.MultipleDBSecurityLoggerRouter"
TABLE = InputRequestLog._meta.db_table
LOCKS = {
    "postgresql": ["BEGIN", f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE"],
    "mysql": [f"LOCK TABLES {TABLE} WRITE"],
    "sqlite": ["BEGIN EXCLUSIVE"],
}


def loss_messages(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "security"]


@contextmanager
def table_locked() -> Iterator[None]:
    """Lock the table of the log from another connection."""
    other: Any = connection.copy()
    try:
        with other.cursor() as cursor:
            for statement in LOCKS[connection.vendor]:
                cursor.execute(statement)
            yield
    finally:
        other.close()


def nowhere(directory: Path) -> dict[str, str]:
    """Give settings under which there is no database."""
    place = str(directory / "nowhere" / "database")
    return {"NAME": place} if connection.vendor == "sqlite" else {"HOST": place}


@contextmanager
def logs_at(**settings: Any) -> Iterator[Any]:
    """Let the alias for logs mean another database for a while."""
    before, settings_before = connections["log"], connections.settings["log"]
    connections.settings["log"] = {**connections.settings["default"], **settings}
    connections["log"] = connections.create_connection("log")
    try:
        with override_settings(DATABASE_ROUTERS=[MULTIPLE], SECURITY_LOG_DB_NAME="log"):
            yield connections["log"]
    finally:
        connections["log"].close()
        connections["log"], connections.settings["log"] = before, settings_before


@pytest.mark.django_db(transaction=True)
@override_settings(SECURITY_LOG_DB_TIMEOUT=0.3)
def test_a_locked_log_does_not_stop_the_site(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    # SQLite waits as long as the site's own `timeout` says.
    connection.close()
    connection.settings_dict["OPTIONS"] = {**connection.settings_dict["OPTIONS"]}
    if connection.vendor == "sqlite":
        connection.settings_dict["OPTIONS"]["timeout"] = 0.3
    client = Client()
    client.get("/")
    with table_locked():
        for _ in range(3):
            assert client.get("/").content == b"home"
    assert lost_entries() == {"sql": 6}
    (message,) = loss_messages(caplog)
    assert "OperationalError" in message
    assert InputRequestLog.objects.count() == 1
    # The connection of the site is as good as before.
    Group.objects.create(name="after")
    connection.close()
    connection.settings_dict["OPTIONS"].pop("timeout", None)


@pytest.mark.django_db(transaction=True)
@override_settings(SECURITY_LOG_DB_TIMEOUT=0.3)
def test_a_locked_log_does_not_spoil_an_open_transaction() -> None:
    with transaction.atomic():
        Group.objects.create(name="before")
        if connection.vendor == "sqlite":
            # A lock of SQLite is one of the whole database, and the site's own transaction has it.
            SQLWriter().write(recording.begin(InputRequestRecord()))
        else:
            with table_locked(), pytest.raises(OperationalError, match=r"(?i)cancel|lock"):
                SQLWriter().write(recording.begin(InputRequestRecord()))
        Group.objects.create(name="after")
    assert Group.objects.count() == 2


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_log_that_is_down_does_not_stop_the_site(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with logs_at(**nowhere(tmp_path)):
        client = Client()
        for _ in range(3):
            assert client.get("/").content == b"home"
    assert lost_entries() == {"sql": 6}
    (message,) = loss_messages(caplog)
    assert "OperationalError" in message


@pytest.mark.django_db
@pytest.mark.parametrize(("alias", "error"), [("logs", "ConnectionDoesNotExist"), (None, "ImproperlyConfigured")])
@pytest.mark.parametrize("is_async", [False, True])
def test_a_router_that_names_no_database_loses_entries_and_says_so_once(
    alias: str | None, error: str, is_async: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(DATABASE_ROUTERS=[MULTIPLE], SECURITY_LOG_DB_NAME=alias):
        for _ in range(3):
            response = async_to_sync(AsyncClient().get)("/async/") if is_async else Client().get("/")
            assert response.status_code == 200
    assert lost_entries() == {"sql": 6}
    (message,) = caplog.records
    assert error in message.getMessage()
    assert message.exc_info is None


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
@override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_a_loss_that_is_raised_is_answered_with_djangos_page_for_it() -> None:
    client = Client(raise_request_exception=False)
    with table_missing(connection), override_settings(DEBUG=True):
        response = client.get("/")
    assert response.status_code == 500
    assert "manage.py migrate" in response.content.decode()


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_log_that_comes_back_is_written_again(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.WARNING)
    with logs_at(**nowhere(tmp_path)):
        Client().get("/")
    health.health_of("sql")._paused_until = 0
    Client().get("/")
    assert InputRequestLog.objects.count() == 1
    assert "stores again; it lost 2 log entries in all" in loss_messages(caplog)[-1]


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_log_that_is_full_does_not_stop_the_site(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    name = str(tmp_path / "full.sqlite3")
    with logs_at(ENGINE="django.db.backends.sqlite3", NAME=name, OPTIONS={}, HOST="", PORT="", USER="") as full:
        call_command("migrate", database="log", verbosity=0)
        with full.cursor() as cursor:
            cursor.execute("PRAGMA max_page_count = 1")  # as many as there are
        client = Client()
        for _ in range(100):
            assert client.get("/", headers={"x-long": "x" * 4000}).content == b"home"
        stored = InputRequestLog.objects.count()
    assert 0 < lost_entries()["sql"] <= 200
    assert stored < 100
    assert "full" in loss_messages(caplog)[0]


@pytest.fixture(params=["latin1", "utf8mb3", "utf8mb4"])
def charset(request: pytest.FixtureRequest) -> Iterator[str]:
    """Have a database with tables of the logs in a character set, at the alias for logs."""
    if connection.vendor != "mysql":
        # Others have one for all tables.
        yield "utf8mb4"
        return
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE narrow CHARACTER SET {request.param}")
    try:
        with logs_at(NAME="narrow"):
            yield request.param
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DROP DATABASE narrow")


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_character_set_that_takes_no_emoji_is_said_before_and_after_the_tables_are_made(charset: str) -> None:
    for _ in range(2):
        said = [f"{message.id} {message.msg}" for message in check_characters(databases=["default", "log"])]
        assert len(said) == (charset != "utf8mb4")
        assert all(one.startswith("security_logger.W014") and f"in {charset}:" in one for one in said)
        call_command("migrate", database="log", verbosity=0)


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_what_a_character_set_does_not_take_is_stored_in_ascii(charset: str) -> None:
    call_command("migrate", database="log", verbosity=0)
    records = [InputRequestRecord(path=path) for path in ("/plain/", "/č/", "/\N{GRINNING FACE}/")]
    SQLWriter().write([entry for record in records for entry in recording.begin(record)])
    alone = InputRequestRecord(path="/\N{GRINNING FACE}/")
    SQLWriter().write(recording.begin(alone))
    alone.slug = "\N{GRINNING FACE}"
    SQLWriter().write(recording.complete(alone, LogEvent.FINISHED))
    stored = [(log.path, log.slug) for log in InputRequestLog.objects.order_by("id")]
    face = "\N{GRINNING FACE}" if charset == "utf8mb4" else "\\U0001f600"
    czech = "\\u010d" if charset == "latin1" else "č"
    assert stored == [("/plain/", None), (f"/{czech}/", None), (f"/{face}/", None), (f"/{face}/", face)]


@contextmanager
def table_missing(database: Any) -> Iterator[None]:
    """Have no table for requests at a connection for a while."""

    def rename(old: str, new: str) -> None:
        with database.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")

    rename(TABLE, "elsewhere")
    try:
        yield
    finally:
        rename("elsewhere", TABLE)


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
@pytest.mark.parametrize(
    ("alias", "routers", "command"),
    [("default", [], "(Run 'manage.py migrate'.)"), ("log", [MULTIPLE], "(Run 'manage.py migrate --database log'.)")],
)
def test_a_table_that_is_missing_is_said_with_what_makes_it(
    alias: str, routers: list[str], command: str, caplog: pytest.LogCaptureFixture
) -> None:
    with override_settings(DATABASE_ROUTERS=routers, SECURITY_LOG_DB_NAME=alias), table_missing(connections[alias]):
        assert Client().get("/").content == b"home"
    assert all(message.endswith(command) for message in loss_messages(caplog)), loss_messages(caplog)
    assert lost_entries() == {"sql": 2}


def end_connection() -> None:
    """Let the server close the connection of the site, where it has a server."""
    driver_connection: Any = connection.connection
    with closing(connection.copy()) as other, other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_terminate_backend(%s)", [driver_connection.info.backend_pid])
        elif connection.vendor == "mysql":
            cursor.execute("KILL %s", [driver_connection.thread_id()])


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    client = Client()
    client.get("/")
    end_connection()
    client.get("/")
    assert InputRequestLog.objects.count() == 2
    assert lost_entries() == {}


@pytest.mark.only_on("postgresql")
@pytest.mark.django_db(transaction=True)
def test_a_transaction_that_the_server_ended_says_so_to_the_site_when_it_is_committed() -> None:
    with pytest.raises(OperationalError), transaction.atomic():  # noqa: PT012
        Group.objects.create(name="lost")
        end_connection()
        with pytest.raises(OperationalError):
            SQLWriter().write(recording.begin(InputRequestRecord()))
    assert Group.objects.count() == 0


class SlowToCancel:
    """A connection to a server that hangs; it is let go when the test says so."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer, self.answered = Event(), Event(), 0

    def cancel(self) -> None:
        self.is_asked.set()
        assert self.may_answer.wait(10)
        self.answered += 1


def test_the_watchdog_cancels_what_takes_too_long_and_nothing_else() -> None:
    watchdog, quick, slow = Watchdog(), SlowToCancel(), SlowToCancel()
    slow.may_answer.set()
    with watchdog.watching(quick, 3600):
        with watchdog.watching(slow, 0.01):
            assert slow.is_asked.wait(10)
        assert not quick.is_asked.is_set()
    # The block of the slow one ended only when its cancellation had.
    assert slow.answered == 1


def test_a_write_that_has_ended_is_cancelled_no_more() -> None:
    watchdog, ended = Watchdog(), SlowToCancel()
    ended.may_answer.set()
    with watchdog.watching(ended, 3600) as watch:
        deadline = watch.deadline
    # The thread that cancels was a little late.
    watch.cancel(deadline)
    with watchdog.watching(ended, 3600):
        watch.cancel(deadline)
        assert ended.answered == 0
        watch.cancel(watch.deadline)
        assert ended.answered == 1


def test_a_write_is_cancelled_once() -> None:
    watchdog, slow = Watchdog(), SlowToCancel()
    with watchdog.watching(slow, 5) as watch:
        late = watch.deadline + 1
        assert watch.take_overdue(watch.deadline - 1) is None
        assert watch.take_overdue(late) == watch.deadline
        assert watch.take_overdue(late) is None
    with watchdog.watching(slow, 5):
        assert watch.take_overdue(late + 10) == watch.deadline


def test_a_watchdog_that_fell_asleep_wakes_for_the_next_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.databases.watchdog._IDLE_LOOKS", 0)
    monkeypatch.setattr("security.databases.watchdog._INTERVAL", 0.01)
    watchdog = Watchdog()
    for _ in range(3):
        slow = SlowToCancel()
        slow.may_answer.set()
        with watchdog.watching(slow, 0.01):
            assert slow.is_asked.wait(10)
        wait_until(lambda: watchdog._is_asleep, "the sleep of the watchdog")


def test_a_watchdog_whose_thread_could_not_start_starts_it_for_the_next_write() -> None:
    watchdog, slow = Watchdog(), SlowToCancel()
    slow.may_answer.set()
    with patch.object(Thread, "start", side_effect=RuntimeError("can't start new thread")), watchdog.watching(slow, 60):
        pass
    with watchdog.watching(slow, 0.01):
        assert slow.is_asked.wait(10)


def test_a_cancellation_that_could_not_start_is_started_at_the_next_look() -> None:
    watchdog, slow = Watchdog(), SlowToCancel()
    slow.may_answer.set()
    start, refused = Thread.start, []

    def start_unless_first(thread: Thread) -> None:
        if thread.name == "security-log-cancel" and not refused:
            refused.append(thread)
            raise RuntimeError("can't start new thread")
        start(thread)

    with patch.object(Thread, "start", start_unless_first), watchdog.watching(slow, 0.01):
        assert slow.is_asked.wait(10)
    assert refused


def test_two_writes_of_one_connection_are_watched_each() -> None:
    watchdog, shared = Watchdog(), SlowToCancel()
    shared.may_answer.set()
    with watchdog.watching(shared, 0.01) as outer:
        with watchdog.watching(shared, 3600) as inner:
            assert inner is not outer
        assert outer.deadline is not None or shared.answered == 1
        assert shared.is_asked.wait(10)


def test_a_write_can_begin_in_the_middle_of_the_steps_of_another() -> None:
    # As a signal handler does.
    watchdog, other = Watchdog(), SlowToCancel()

    def write_in_between() -> None:
        with watchdog._lock, watchdog.watching(other, 3600) as watch, watch._lock, watchdog.watching(other, 3600):
            pass

    thread = Thread(target=write_in_between, daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_a_cancellation_that_hangs_holds_up_no_other_write() -> None:
    watchdog, hanging = Watchdog(), [SlowToCancel(), SlowToCancel()]
    with ExitStack() as open_writes:
        for connection_to_cancel in hanging:
            open_writes.enter_context(watchdog.watching(connection_to_cancel, 0.01))
        assert all(one.is_asked.wait(10) for one in hanging)
        with watchdog.watching(SlowToCancel(), 3600):
            assert [one.answered for one in hanging] == [0, 0]
        for one in hanging:
            one.may_answer.set()
    assert [one.answered for one in hanging] == [1, 1]
