"""A log database that takes connections and does not answer: the site goes on, and the loss is counted and named."""

from __future__ import annotations

from collections.abc import Iterator
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import OperationalError, connection, transaction
from django.test import Client, override_settings

from security import recording
from security.backends.sql.models import InputRequestLog
from security.backends.sql.writer import SQLWriter
from security.databases.limits import limited, open_in_time
from security.databases.watchdog import _SSL_REQUEST, HangingError, Watchdog, _answers
from security.delivery import lost_entries
from security.records import InputRequestRecord
from tests.acceptance.servers import wait_until
from tests.databases.hanging import Proxy, proxy_to, silent_port

from .test_outages import logs_at, loss_messages, table_locked

pytestmark = [
    # Only PostgreSQL's statements are ended.
    pytest.mark.only_on("postgresql"),
]
on_two_databases = pytest.mark.django_db(transaction=True, databases=["default", "log"])


@pytest.fixture(autouse=True)
def short_time_limit() -> Iterator[None]:
    with override_settings(SECURITY_LOG_DB_TIMEOUT=0.3):
        yield


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with proxy_to(connection.settings_dict) as proxy:
        yield proxy


def behind(proxy: Proxy) -> dict[str, str]:
    return {"HOST": "127.0.0.1", "PORT": str(proxy.port)}


@on_two_databases
def test_a_log_that_never_answers_does_not_stop_the_site(caplog: pytest.LogCaptureFixture) -> None:
    with silent_port() as port, logs_at(HOST="127.0.0.1", PORT=str(port)) as log:
        settings, options = log.settings_dict, {**log.settings_dict["OPTIONS"]}
        for _ in range(3):
            assert Client().get("/").content == b"home"
        # The site's own settings are as they were.
        assert log.settings_dict is settings
        assert settings["OPTIONS"] == options
    assert lost_entries() == {"sql": 6}
    (message,) = loss_messages(caplog)
    assert "timeout expired" in message


@on_two_databases
@pytest.mark.parametrize("way", ["libpq", "cursor"])
def test_a_log_that_stops_answering_does_not_stop_the_site(
    way: str, proxy: Proxy, caplog: pytest.LogCaptureFixture
) -> None:
    with logs_at(**behind(proxy), CONN_MAX_AGE=None, CONN_HEALTH_CHECKS=way == "cursor") as log:
        log.force_debug_cursor = way == "cursor"
        assert Client().get("/").content == b"home"
        assert InputRequestLog.objects.using("default").count() == 1
        proxy.hang()
        for _ in range(3):
            assert Client().get("/").content == b"home"
        assert proxy.kept_something.is_set()
        assert log.connection is None
    assert lost_entries() == {"sql": 6}
    (message,) = loss_messages(caplog)
    assert "HangingError: The database does not answer" in message


@on_two_databases
def test_a_connection_in_a_transaction_of_the_site_is_cancelled_and_never_shut_down(proxy: Proxy) -> None:
    watchdog = Watchdog()
    with logs_at(**behind(proxy)) as log:
        log.ensure_connection()
        with watchdog.watching(log.connection, 0.01, may_hang_up=False) as watch:
            wait_until(lambda: watch.deadline is None, "the end of the watchdog's patience")
            assert not watch.has_hung_up
        with transaction.atomic(using="log"), table_locked(), pytest.raises(OperationalError, match="cancel"):
            SQLWriter().write(recording.begin(InputRequestRecord()))
        assert log.is_usable()


@on_two_databases
def test_a_connection_at_rest_is_not_shut_down(proxy: Proxy) -> None:
    # An exception of a signal handler can end a write without its watch.
    watchdog = Watchdog()
    with logs_at(**behind(proxy)) as log:
        log.ensure_connection()
        watch = watchdog.watching(log.connection, 0.01)
        wait_until(lambda: watch.deadline is None, "the end of the watchdog's patience")
        assert not watch.has_hung_up
        assert log.is_usable()


@on_two_databases
def test_a_write_that_has_ended_is_not_shut_down(proxy: Proxy) -> None:
    watchdog = Watchdog()
    with logs_at(**behind(proxy)) as log:
        log.ensure_connection()
        with watchdog.watching(log.connection, 3600) as watch:
            deadline = watch.deadline
        log.connection.pgconn.send_query(b"SELECT 1")
        watch.hang_up(deadline + 3600)
        with watchdog.watching(log.connection, 7200) as again:
            assert again is watch
            watch.hang_up(deadline + 3600)
        assert not watch.has_hung_up
        log.close()


@on_two_databases
def test_a_hanging_connection_is_closed_and_the_next_one_is_as_good_as_any(proxy: Proxy) -> None:
    with logs_at(**behind(proxy)) as log:
        log.ensure_connection()
        proxy.hang()
        with pytest.raises(HangingError), limited(log, 0.01), log.cursor() as cursor:
            cursor.execute("SELECT 1")
        assert log.connection is None
        log.settings_dict = {**log.settings_dict, **{key: connection.settings_dict[key] for key in ("HOST", "PORT")}}
        with limited(log, 60):
            assert log.is_usable()


def test_a_cancellation_that_hangs_ends_the_use_of_its_connection() -> None:
    class NeverCancelled:
        is_asked, may_end = Event(), Event()

        def cancel(self) -> None:
            self.is_asked.set()
            self.may_end.wait(60)

    never, watchdog = NeverCancelled(), Watchdog()
    with watchdog.watching(never, 0.01) as watch:
        assert never.is_asked.wait(60)
    # The statement ended, but the cancellation could hit the next one.
    assert watch.has_hung_up
    never.may_end.set()


@on_two_databases
def test_whether_a_server_answers_is_found_out_in_time() -> None:
    def at(host: str, port: str | int) -> Any:
        return SimpleNamespace(info=SimpleNamespace(host=host, port=port))

    connection.ensure_connection()
    info: Any = connection.connection.info  # type: ignore[union-attr]
    assert _answers(at(info.host, info.port))
    with proxy_to(connection.settings_dict) as proxy:
        assert _answers(at("127.0.0.1", proxy.port))
    with silent_port() as port:
        assert not _answers(at("127.0.0.1", port))
    assert not _answers(at("127.0.0.1", port))
    assert len(_SSL_REQUEST) == 8


@on_two_databases
def test_the_sites_own_bound_on_connecting_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []

    def connect(self: Any) -> None:
        seen.append(self.settings_dict["OPTIONS"].get("connect_timeout"))

    with silent_port() as port, logs_at(HOST="127.0.0.1", PORT=str(port)) as log:
        monkeypatch.setattr(type(log), "ensure_connection", connect)
        own = log.settings_dict
        open_in_time(log, 2.5)
        log.settings_dict = {**own, "OPTIONS": {"connect_timeout": 7}}
        open_in_time(log, 2.5)
        log.settings_dict = {**own, "OPTIONS": {"pool": True}}
        open_in_time(log, 2.5)
        monkeypatch.setenv("PGCONNECT_TIMEOUT", "5")
        log.settings_dict = own
        open_in_time(log, 2.5)
    assert seen == [3, 7, None, None]


@pytest.mark.django_db(transaction=True)
def test_the_shared_connection_of_a_site_that_hangs_is_closed_for_it(proxy: Proxy) -> None:
    settings = connection.settings_dict
    connection.close()
    connection.settings_dict = {**settings, **behind(proxy)}
    try:
        assert Client().get("/").content == b"home"
        proxy.hang()
        assert Client().get("/").content == b"home"
    finally:
        connection.close()
        connection.settings_dict = settings
    # With Django's own word: a statement of the site opens another connection.
    Group.objects.create(name="after")
    assert lost_entries() == {"sql": 2}
