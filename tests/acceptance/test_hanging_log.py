"""Real servers whose log database takes connections and does not answer: the answer comes, and the loss is counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from security.backends.sql.models import InputRequestLog
from tests.databases.hanging import proxy_to, silent_port

from .servers import Server, running

pytestmark = [
    pytest.mark.django_db(transaction=True),
    # Only PostgreSQL's statements are ended.
    pytest.mark.only_on("postgresql"),
]

every_server = pytest.mark.parametrize("name", ["gunicorn", "gunicorn-sync", "uvicorn"])
with_and_without_throttling = pytest.mark.parametrize("throttling", ["on", "off"])


@contextmanager
def site_with_log_at(port: int, name: str, throttling: str, directory: Path) -> Iterator[Server]:
    variables = {"LOG_PORT": str(port), "THROTTLING": throttling}
    with running(name, directory, settings="tests.site.log_apart_settings", variables=variables) as server:
        yield server


def lost(server: Server) -> int:
    _, _, body = server.ask("/lost/").partition(b"\r\n\r\n")
    count: int = json.loads(body).get("sql", 0)
    return count


@every_server
@with_and_without_throttling
def test_a_site_answers_though_its_log_never_does(name: str, throttling: str, tmp_path: Path) -> None:
    with silent_port() as port, site_with_log_at(port, name, throttling, tmp_path) as server:
        assert server.ask("/").endswith(b"home")
        # The row of the request that asks is lost, too, but not before its answer is made.
        assert lost(server) >= 2
        assert "The backend sql did not store 1 log entries" in server.log.read_text()


@every_server
@with_and_without_throttling
def test_a_site_answers_though_its_log_stops_to(name: str, throttling: str, tmp_path: Path) -> None:
    with (
        proxy_to(connection.settings_dict) as proxy,
        site_with_log_at(proxy.port, name, throttling, tmp_path) as server,
    ):
        assert server.ask("/").endswith(b"home")
        assert InputRequestLog.objects.count() == 1
        proxy.hang()
        with ThreadPoolExecutor(8) as clients:
            answers = list(clients.map(lambda _: server.ask("/async/"), range(16)))
        assert all(answer.endswith(b"home") for answer in answers)
        assert proxy.kept_something.is_set()
        assert lost(server) >= 32
        assert "The backend sql did not store" in server.log.read_text()
