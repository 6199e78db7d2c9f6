"""A log database that is locked, down or full: the site goes on, and the loss is counted and said once."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db import OperationalError, connection, connections, transaction
from django.test import Client, override_settings

from security import recording
from security.backends.sql.models import InputRequestLog
from security.backends.sql.watchdog import Watchdog
from security.backends.sql.writer import SQLWriter
from security.delivery import health, lost_entries
from security.records import InputRequestRecord

MULTIPLE = "security.backends.sql.db_router.MultipleDBSecurityLoggerRouter"
TABLE = InputRequestLog._meta.db_table
LOCKS = {
    "postgresql": ["BEGIN", f"LOCK TABLE {TABLE} IN ACCESS EXCLUSIVE MODE"],
    "mysql": [f"LOCK TABLES {TABLE} WRITE"],
    "sqlite": ["BEGIN EXCLUSIVE"],
}


@pytest.fixture(autouse=True)
def fresh_health(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "_healths", {})


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


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
def test_a_log_that_comes_back_is_written_again(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.WARNING)
    with logs_at(**nowhere(tmp_path)):
        Client().get("/")
    health.health_of("sql")._paused_until = 0
    Client().get("/")
    assert InputRequestLog.objects.count() == 1
    assert "stores again; it lost 1 more log entries, 2 in all" in loss_messages(caplog)[-1]


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


@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_server_closed_is_opened_again() -> None:
    client = Client()
    client.get("/")
    driver_connection: Any = connection.connection
    with closing(connection.copy()) as other, other.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_terminate_backend(%s)", [driver_connection.info.backend_pid])
        elif connection.vendor == "mysql":
            cursor.execute("KILL %s", [driver_connection.thread_id()])
    client.get("/")
    assert InputRequestLog.objects.count() == 2
    assert lost_entries() == {}


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


def test_a_write_that_has_ended_is_watched_no_more() -> None:
    watchdog, ended = Watchdog(), SlowToCancel()
    ended.may_answer.set()
    watch = watchdog.watching(ended, 3600)
    with watch:
        assert len(watchdog._watches) == 1
    assert not watchdog._watches
    watch.cancel()
    assert ended.answered == 0


def test_a_write_can_begin_in_the_middle_of_the_steps_of_another() -> None:
    # As a signal handler or a finalizer does.
    watchdog = Watchdog()

    def write_in_between() -> None:
        with watchdog._lock, watchdog.watching(SlowToCancel(), 3600):
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
