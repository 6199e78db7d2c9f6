"""A connection that is in the middle of what Django does not know of: nobody waits for ever, nothing is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from threading import Timer
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.contrib.sessions.backends.db import SessionStore
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, StreamingHttpResponse
from django.test import Client, override_settings
from django.urls import path

from security import recording
from security.backends.sql.models import CommandLog, InputRequestLog, OutputRequestLog
from security.backends.sql.running import run
from security.context import inside
from security.databases.at_rest import BusyError
from security.delivery import deliver, lost_entries, threads
from security.delivery.threads import run_apart
from security.enums import Event, RequestLogState
from security.records import CommandRecord, OutputRequestRecord
from security.sources.input_requests import client

only_postgresql = pytest.mark.only_on("postgresql")

urlpatterns: list[Any] = []


def call() -> None:
    record = OutputRequestRecord(path="/")
    deliver(recording.begin(record))
    deliver(recording.complete(record, Event.FINISHED, state=RequestLogState.INFO))


@contextmanager
def copying() -> Iterator[None]:
    with connection.cursor() as cursor, cursor.copy("COPY (SELECT generate_series(1, 9)) TO STDOUT") as copy:
        copy.read()
        yield
        while copy.read():
            pass


@contextmanager
def streaming() -> Iterator[None]:
    with connection.cursor() as cursor:
        rows = cursor.stream("SELECT generate_series(1, 9)")
        next(rows)
        yield
        assert len(list(rows)) == 8


@contextmanager
def in_pipeline() -> Iterator[None]:
    connection.ensure_connection()
    driver: Any = connection.connection
    with driver.pipeline():
        yield


@contextmanager
def begun_by_the_driver() -> Iterator[None]:
    connection.ensure_connection()
    driver: Any = connection.connection
    with driver.transaction(force_rollback=True):
        yield


@contextmanager
def begun_by_a_statement() -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        yield
        cursor.execute("ROLLBACK")


Middle = Callable[[], AbstractContextManager[None]]

in_the_middle = pytest.mark.parametrize(
    "middle",
    [
        *(pytest.param(m, marks=only_postgresql) for m in (copying, streaming, in_pipeline, begun_by_the_driver)),
        # The driver of MariaDB does not tell of a transaction that a statement began.
        pytest.param(begun_by_a_statement, marks=pytest.mark.only_on("sqlite", "postgresql")),
    ],
)


@pytest.mark.django_db(transaction=True)
@in_the_middle
def test_what_ends_in_the_middle_is_stored_when_its_request_or_command_ends(middle: Middle) -> None:
    command = CommandRecord(name="import")
    deliver(recording.begin(command))
    with inside(command):
        with middle():
            if middle is begun_by_a_statement:
                Group.objects.create(name="rolled back")
            call()
        assert OutputRequestLog.objects.count() == 0
    deliver(recording.complete(command, Event.FINISHED))
    assert OutputRequestLog.objects.get().state is RequestLogState.INFO
    assert CommandLog.objects.get().version == 2
    assert Group.objects.count() == 0
    assert lost_entries() == {}


@pytest.mark.django_db(transaction=True)
@only_postgresql
@in_the_middle
def test_what_ends_where_nothing_is_open_is_stored_on_a_connection_of_its_own(middle: Middle) -> None:
    with middle():
        call()
    assert OutputRequestLog.objects.get().state is RequestLogState.INFO
    assert lost_entries() == {}


@pytest.mark.django_db(transaction=True)
@only_postgresql
def test_where_no_thread_can_be_had_the_transaction_of_the_site_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any) -> None:
        raise RuntimeError("can't start new thread")

    threads._writers.end()
    monkeypatch.setattr(ThreadPoolExecutor, "submit", refuse)
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        Group.objects.create(name="kept")
        call()
        cursor.execute("COMMIT")
    assert Group.objects.get().name == "kept"
    assert OutputRequestLog.objects.get().state is RequestLogState.INFO


class Copied:
    """What a response is made of that copies rows out until it is closed."""

    def __init__(self) -> None:
        self._copying = copying()
        self._copying.__enter__()
        self._chunks = iter((b"1", b"2"))

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks

    def close(self) -> None:
        self._copying.__exit__(None, None, None)


@pytest.mark.django_db(transaction=True)
@only_postgresql
@override_settings(ROOT_URLCONF=__name__)
def test_a_response_that_copies_rows_until_it_is_closed_is_complete_and_so_is_its_row() -> None:
    response = Client().get("/copied/")
    assert b"".join(response) == b"12"
    response.close()
    log = InputRequestLog.objects.get()
    assert (log.state, log.version) == (RequestLogState.INFO, 2)


@only_postgresql
@pytest.mark.django_db
@override_settings(SECURITY_LOG_DB_TIMEOUT=0.1)
def test_where_a_test_has_the_only_connection_it_is_a_loss_and_no_wait() -> None:
    with copying():
        call()
    assert lost_entries() == {"sql": 2}
    assert OutputRequestLog.objects.count() == 0


@only_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_statement_waits_for_that_of_another_thread(settings: Any) -> None:
    settings.SECURITY_LOG_DB_TIMEOUT = 30
    connection.ensure_connection()
    driver: Any = connection.connection
    driver.lock.acquire()
    timer = Timer(0.05, driver.lock.release)
    timer.start()
    assert run(connections["default"], "UPDATE auth_group SET name = name WHERE id = %s", ["-1"]) == 0
    timer.join()
    driver.lock.acquire()
    settings.SECURITY_LOG_DB_TIMEOUT = 0.01
    with pytest.raises(BusyError):
        run(connections["default"], "UPDATE auth_group SET name = name WHERE id = %s", ["-1"])
    driver.lock.release()


@only_postgresql
@pytest.mark.django_db(transaction=True)
@override_settings(SECURITY_LOG_DB_TIMEOUT=0.1)
def test_a_session_is_not_read_on_a_connection_that_is_busy() -> None:
    store = SessionStore()
    store["a"] = 1
    store.save()
    request = HttpRequest()
    request.COOKIES["sessionid"] = str(store.session_key)
    assert client.session_user_id(request) is None
    with copying(), pytest.raises(BusyError):
        client.session_user_id(request)


@pytest.fixture
def pooled(monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """Let the only alias take its connections from a pool of one."""
    connection.close()
    options = {**connection.settings_dict["OPTIONS"], "pool": {"min_size": 0, "max_size": 1, "timeout": 0.5}}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", options)
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    one = connections["default"]
    yield one
    one.close()
    one.close_pool()  # type: ignore[attr-defined]


@only_postgresql
@pytest.mark.django_db(transaction=True)
def test_a_connection_that_the_log_takes_from_a_pool_is_given_back(pooled: BaseDatabaseWrapper) -> None:
    call()
    assert pooled.connection is None
    with ThreadPoolExecutor(1) as threads:
        threads.submit(run_apart, call).result()
    store = SessionStore("none")
    client._bound_reading(store)
    assert store._get_session_from_db() is None
    assert pooled.connection is None
    # That of the site stays the site's.
    assert OutputRequestLog.objects.count() == 2
    taken = pooled.connection
    call()
    assert pooled.connection is taken is not None
    assert OutputRequestLog.objects.count() == 3
    assert lost_entries() == {}


def copied(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(Copied())


urlpatterns += [path("copied/", copied)]
