"""A session that cannot be read to tell who asked: the request goes on, and the next ones do not wait for it again."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event
from typing import Any

import pytest
from asgiref.sync import ThreadSensitiveContext
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.db import OperationalError, connection, connections, transaction
from django.http import HttpRequest
from django.test import Client, RequestFactory, override_settings

from security.backends.sql.models import InputRequestLog
from security.databases.limits import limited
from security.delivery.threads import end_threads
from security.sources.input_requests import client as asking
from security.sources.input_requests.session_reading import SessionReading, session_reading
from tests.acceptance.servers import wait_until
from tests.databases.hanging import proxy_to

pytestmark = pytest.mark.django_db(transaction=True)

# Only PostgreSQL's statements are ended.
only_postgresql = pytest.mark.only_on("postgresql")
ENGINES = [f"django.contrib.sessions.backends.{name}" for name in ("db", "cached_db")]
MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware", "security.middleware.LogMiddleware"]


@pytest.fixture(autouse=True)
def short_time_limit() -> Iterator[None]:
    with override_settings(MIDDLEWARE=MIDDLEWARE, SECURITY_LOG_DB_TIMEOUT=0.3):
        yield


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann")


@contextmanager
def sessions_locked() -> Iterator[None]:
    other: Any = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(f"LOCK TABLE {Session._meta.db_table} IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        other.close()


def within_a_minute(work: Callable[[], Any]) -> Any:
    """Do some work in another thread, so that a lock that it waits for can be released when it does not end."""

    def work_and_close() -> Any:
        try:
            return work()
        finally:
            connections.close_all()

    pool = ThreadPoolExecutor(1)
    try:
        return pool.submit(work_and_close).result(60)
    finally:
        pool.shutdown(wait=False)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "security"]


@only_postgresql
@pytest.mark.parametrize("engine", ENGINES)
def test_a_session_that_is_locked_is_not_waited_for(engine: str, user: User, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with override_settings(SESSION_ENGINE=engine):
        client = Client()
        client.force_login(user)
        cache.clear()
        with sessions_locked():
            answers = within_a_minute(lambda: [client.get("/").content for _ in range(3)])
        assert answers == [b"home"] * 3
        # The second and the third request did not try.
        assert warnings_in(caplog) == ["The session could not be read to tell who asked: OperationalError"]
        assert InputRequestLog.objects.filter(user_id=None).count() == 3


def test_a_session_that_can_be_read_again_is_read(user: User, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client()
    client.force_login(user)
    monkeypatch.setattr(session_reading, "_paused_until", float("inf"))
    client.get("/")
    assert InputRequestLog.objects.get().user_id is None
    monkeypatch.setattr(session_reading, "_paused_until", 0.0)
    client.get("/")
    assert InputRequestLog.objects.filter(user_id=str(user.pk)).count() == 1


@only_postgresql
def test_a_transaction_of_the_site_is_not_spoiled(user: User) -> None:
    client = Client()
    client.force_login(user)
    request = request_of(client)
    with transaction.atomic():
        assert session_reading.user_id(request) == str(user.pk)
        assert User.objects.count() == 1


def is_waited_for() -> bool:
    """Tell whether a statement waits for a lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


@only_postgresql
def test_a_session_that_is_locked_does_not_spoil_a_transaction_of_the_site(user: User) -> None:
    client = Client()
    client.force_login(user)
    request = request_of(client)

    def read_in_transaction() -> tuple[str | None, int]:
        try:
            with transaction.atomic():
                return session_reading.user_id(request), User.objects.count()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool, ExitStack() as lock:
        lock.enter_context(sessions_locked())
        reading = pool.submit(read_in_transaction)
        wait_until(is_waited_for, "the reading of the session")
        # What began later and has the same time limit is ended.
        with pytest.raises(OperationalError), limited(connection, 0.3), connection.cursor() as cursor:
            cursor.execute("SELECT pg_sleep(60)")
        lock.close()
        assert reading.result(60) == (str(user.pk), 1)


@only_postgresql
def test_sessions_whose_database_hangs_are_not_waited_for(user: User) -> None:
    client = Client()
    client.force_login(user)
    request = request_of(client)
    settings = connection.settings_dict
    connection.close()
    with proxy_to(settings) as proxy:
        connection.settings_dict = {**settings, "HOST": "127.0.0.1", "PORT": str(proxy.port)}
        try:
            assert session_reading.user_id(request) == str(user.pk)
            proxy.hang()
            assert session_reading.user_id(request) is None
            assert connection.connection is None
            # Nor is a new connection.
            assert session_reading.user_id(request) is None
        finally:
            connection.close()
            connection.settings_dict = settings
    assert session_reading.is_paused()
    assert session_reading.user_id(request) == str(user.pk)


async def test_under_an_asgi_server_it_is_left_alone_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    stuck, reading = Event(), SessionReading()
    monkeypatch.setattr(asking, "session_user_id", lambda request: stuck.wait(60) and None)
    async with ThreadSensitiveContext():
        try:
            assert await reading.auser_id(RequestFactory().get("/")) is None
            assert reading.is_paused()
        finally:
            stuck.set()
    end_threads()


def test_what_fails_at_once_is_tried_again_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("security.sources.input_requests.session_reading.monotonic", lambda: 7.0)
    monkeypatch.setattr(asking, "session_user_id", lambda request: 1 // 0)
    reading = SessionReading()
    assert reading.user_id(RequestFactory().get("/")) is None
    assert not reading.is_paused()


def test_what_fails_at_once_ends_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    now, seconds = [7.0], [1.0, 0.0]

    def fail(request: HttpRequest) -> None:
        now[0] += seconds.pop(0)
        raise OperationalError

    monkeypatch.setattr("security.sources.input_requests.session_reading.monotonic", lambda: now[0])
    monkeypatch.setattr(asking, "session_user_id", fail)
    reading = SessionReading()
    for _ in range(2):
        assert reading.user_id(RequestFactory().get("/")) is None
        assert reading.is_paused()


def request_of(client: Client) -> HttpRequest:
    request = RequestFactory().get("/")
    request.COOKIES["sessionid"] = client.cookies["sessionid"].value
    return request
