"""The short way to PostgreSQL: taken where nobody can see the difference, and without one."""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.db import Error, OperationalError, connections, transaction
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from bench.traffic import LOGGER, SyncSite, small_get, small_post
from security import recording
from security.backends.sql import libpq, running
from security.backends.sql.encoding import encoder_of
from security.backends.sql.models import InputRequestLog, RelatedObject
from security.backends.sql.statements import insert, stored_columns
from security.backends.sql.writer import SQLWriter
from security.databases.watchdog import watchdog
from security.records import InputRequestRecord
from security.references import ObjectReference

pytestmark = pytest.mark.django_db(transaction=True)

TABLE = InputRequestLog._meta.db_table


@pytest.fixture
def connection() -> Any:
    """Give the connection itself: `django.db.connection` stands for it."""
    connection = connections["default"]
    connection.ensure_connection()
    return connection


@pytest.fixture
def is_postgresql(connection: Any) -> bool:
    return bool(connection.vendor == "postgresql")


def test_it_is_taken_on_postgresql_alone(connection: Any, is_postgresql: bool) -> None:
    assert libpq.can_execute(connection) is is_postgresql


def without_autocommit(connection: Any) -> AbstractContextManager[Any]:
    stack = ExitStack()
    stack.callback(connection.set_autocommit, True)
    connection.set_autocommit(False)
    return stack


@contextmanager
def reading_a_stream(connection: Any) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    rows = connection.connection.cursor().stream("SELECT generate_series(1, 1000)")
    assert next(rows) == (1,)
    yield
    rows.close()


@contextmanager
def in_another_encoding(connection: Any) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute("SET client_encoding TO latin1")
        yield
        cursor.execute("SET client_encoding TO utf8")


@contextmanager
def with_cursors_of_its_own(connection: Any) -> Iterator[None]:
    """Let the backend do something of its own before each statement, as those for tenants do."""
    usual = type(connection)

    class OwnWrapper(usual):  # type: ignore[misc, valid-type]
        def _cursor(self, name: str | None = None) -> Any:
            return super()._cursor(name)

    connection.__class__ = OwnWrapper
    yield
    connection.__class__ = usual


@contextmanager
def with_another_cursor(connection: Any) -> Iterator[None]:
    """Replace the method of this one connection, as Django's tests do where no database may be used."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(connection, "cursor", connection.cursor)
        yield


@contextmanager
def with_cursors_of_the_driver(connection: Any) -> Iterator[None]:
    if connection.vendor != "postgresql":
        yield
        return
    usual = connection.connection.cursor_factory
    connection.connection.cursor_factory = type("OwnCursor", (usual,), {})
    yield
    connection.connection.cursor_factory = usual


@pytest.mark.parametrize(
    "seen",
    [
        lambda connection: transaction.atomic(),
        without_autocommit,
        lambda connection: connection.execute_wrapper(lambda execute, *args: execute(*args)),
        CaptureQueriesContext,
        reading_a_stream,
        lambda connection: connection.connection.pipeline() if connection.vendor == "postgresql" else nullcontext(),
        in_another_encoding,
        with_cursors_of_its_own,
        with_another_cursor,
        with_cursors_of_the_driver,
    ],
    ids=[
        *("transaction", "no autocommit", "wrapper", "queries logged", "stream", "pipeline", "encoding"),
        *("backend of its own", "another cursor", "cursor of the driver"),
    ],
)
def test_it_is_not_taken_where_the_site_would_see_it(
    connection: Any, is_postgresql: bool, seen: Callable[[Any], AbstractContextManager[Any]]
) -> None:
    with seen(connection):
        assert not libpq.can_execute(connection)
    assert libpq.can_execute(connection) is is_postgresql


def test_it_is_not_taken_before_there_is_a_connection(connection: Any) -> None:
    connection.close()
    assert not libpq.can_execute(connection)
    SQLWriter().write(recording.begin(InputRequestRecord()))
    assert InputRequestLog.objects.count() == 1


def test_it_is_forbidden_where_the_database_is(connection: Any, django_db_blocker: Any) -> None:
    with django_db_blocker.block(), pytest.raises(RuntimeError, match="Database access not allowed"):
        libpq.execute(connection, "SELECT 1", [])


def test_notifications_for_the_site_arrive(connection: Any, is_postgresql: bool) -> None:
    if not is_postgresql:
        return
    seen: list[str] = []
    connection.connection.add_notify_handler(lambda notify: seen.append(notify.payload))
    with connection.cursor() as cursor:
        cursor.execute("LISTEN jobs")
    with closing(connection.copy()) as other, other.cursor() as cursor:
        cursor.execute("NOTIFY jobs, 'job 1'")
    SQLWriter().write(recording.begin(InputRequestRecord()))
    assert seen == ["job 1"]
    connection.close()


class AlarmError(Exception):
    pass


def test_a_signal_is_handled_while_it_waits(connection: Any, is_postgresql: bool) -> None:
    def ring(*args: object) -> None:
        raise AlarmError

    if not is_postgresql:
        return
    (entry,) = recording.begin(InputRequestRecord())
    handler = signal.signal(signal.SIGALRM, ring)
    try:
        with (
            closing(connection.copy()) as other,
            other.cursor() as cursor,
            override_settings(SECURITY_LOG_DB_TIMEOUT=60),
        ):
            cursor.execute(f"BEGIN; LOCK TABLE {TABLE}")
            signal.setitimer(signal.ITIMER_REAL, 0.2)
            with pytest.raises(AlarmError):
                SQLWriter().write([entry])
    finally:
        signal.signal(signal.SIGALRM, handler)
    # Whoever has the connection next waits for nobody.
    assert not connection.connection.lock.locked()
    connection.close()


def test_it_waits_for_nobody_who_uses_the_connection(connection: Any, is_postgresql: bool) -> None:
    if is_postgresql:
        with connection.connection.lock:
            assert libpq.execute(connection, "SELECT 1", []) is None


def test_what_it_does_not_know_is_left_to_the_driver(connection: Any) -> None:
    assert libpq.execute(connection, f"UPDATE {TABLE} SET slug = %s", [b"bytes"]) is None


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


# What `-0.0` is as a literal is another question than what it is as a value.
numbers = st.floats().map(lambda number: number + 0.0)


@given(texts, texts, numbers, st.sampled_from([None, True, False]), st.integers(-(2**15), 2**15 - 1))
def test_it_stores_what_the_driver_stores(text: str, name: str, time: float, flag: bool | None, code: int) -> None:
    connection = connections["default"]
    values = {"request_body": text, "queries": {name: text}, "time": time, "is_secure": flag, "response_code": code}
    stored = []
    for run in (running._execute, through_cursor):
        (entry,) = recording.begin(InputRequestRecord())
        parameters = encoder_of(InputRequestLog, stored_columns).parameters({**entry.values, **values}, connection)
        try:
            assert run(connection, insert(connection, InputRequestLog, 1), parameters) == 1
        except Error as error:  # other databases take no NaN, and none of them a number out of range
            stored.append([type(error)])
            continue
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT {', '.join(values)} FROM {TABLE} WHERE id = %s",
                [parameters[0]],
            )
            stored.append([str(value) for value in cursor.fetchone()])
    assert stored[0] == stored[1]


def through_cursor(connection: Any, sql: str, parameters: Any) -> int:
    return running._with_cursor(connection, sql, parameters, lambda cursor: int(cursor.rowcount))


@pytest.mark.parametrize(
    "sql",
    [
        f"INSERT INTO {TABLE} (id) VALUES (%s)",
        f"UPDATE {TABLE} SET ip = %s WHERE nothing = 1",
        "UPDATE nowhere SET ip = %s",
        "This is %s no SQL",
    ],
)
def test_it_raises_what_django_raises(connection: Any, is_postgresql: bool, sql: str) -> None:
    raised = []
    for run in (libpq.execute if is_postgresql else through_cursor, through_cursor):
        with pytest.raises(Error) as error:
            run(connection, sql, ["01a2235f489d704c9bd9db9a52d88b7c"])
        # The line that is quoted below it has the value in one, and its number in the other.
        raised.append((type(error.value), type(error.value.__cause__), str(error.value).splitlines()[0]))
    assert raised[0] == raised[1]


def test_it_raises_an_error_of_the_site_s_own_as_one_of_the_database(connection: Any, is_postgresql: bool) -> None:
    sql = "DO $$ BEGIN RAISE EXCEPTION 'no logs here' USING ERRCODE = 'ZZ001'; END $$"
    if is_postgresql:
        for run in (libpq.execute, through_cursor):
            with pytest.raises(Error, match="no logs here") as error:
                run(connection, sql, [])
            assert type(error.value).__name__ == "DatabaseError"


def test_a_batch_is_stored_with_its_relations() -> None:
    group = ObjectReference("default", "auth.group", "1")
    records = [InputRequestRecord(path=f"/{number}", slug="x" * number or None) for number in range(3)]
    records[1].related_objects = (group,)
    SQLWriter().write([entry for record in records for entry in recording.begin(record)])
    assert {*InputRequestLog.objects.values_list("path", "slug")} == {("/0", None), ("/1", "x"), ("/2", "xx")}
    assert [relation.object_pk for relation in RelatedObject.objects.all()] == ["1"]


def test_a_connection_that_is_broken_is_an_error_of_django_s(connection: Any, is_postgresql: bool) -> None:
    if is_postgresql:
        connection.connection.pgconn.finish()
        with pytest.raises(OperationalError):
            libpq.execute(connection, "SELECT %s", ["x"])
        connection.close()


def test_a_text_with_nul_is_refused_and_not_cut(connection: Any) -> None:
    with pytest.raises(ValueError, match="NUL"):
        libpq.execute(connection, "SELECT %s", ["a\0b"])


@pytest.mark.urls("bench.site")
@pytest.mark.parametrize("small", [small_get, small_post])
def test_a_request_is_two_statements_on_the_wire(
    connection: Any, is_postgresql: bool, small: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The connection is kept from request to request, so that it can be listened to.
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", None)
    connection.close()
    site, question = SyncSite(LOGGER), small("/small/")
    site.ask(question)
    if not is_postgresql:
        return
    pgconn = connection.connection.pgconn
    with (tmp_path / "wire").open("w") as file:
        pgconn.trace(file.fileno())
        try:
            site.ask(question)
        finally:
            pgconn.untrace()
    messages = [line.split("\t")[3] for line in (tmp_path / "wire").read_text().splitlines() if "\tF\t" in line]
    assert messages == ["Parse", "Bind", "Describe", "Execute", "Sync"] * 2


def test_a_connection_that_is_let_go_is_watched_no_more(connection: Any, is_postgresql: bool) -> None:
    SQLWriter().write(recording.begin(InputRequestRecord()))
    gc.collect()
    before = len(watchdog._watches)
    connection.close()
    gc.collect()
    assert len(watchdog._watches) == before - is_postgresql
