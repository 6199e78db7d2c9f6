"""Requests through real servers: one complete row each, whatever the client or the process does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import pytest
from django.core.management import call_command

from security.backends.sql.models import InputRequestLog
from security.enums import RequestLogState

from .servers import Server, running, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

every_server = pytest.mark.parametrize("name", ["gunicorn", "gunicorn-sync", "gunicorn-preload", "uvicorn"])


@pytest.fixture(scope="module")
def shared(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Give a server by its name, for all tests that do not end it."""
    with ExitStack() as exits:
        yield cache(lambda name: exits.enter_context(running(name, tmp_path_factory.mktemp(name))))


@pytest.fixture(scope="module")
def counting(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Server]]:
    """Give a server that counts its statements."""

    def start(name: str) -> Server:
        return exits.enter_context(running(name, tmp_path_factory.mktemp(name), counts_statements=True))

    with ExitStack() as exits:
        yield cache(start)


@every_server
@pytest.mark.parametrize("path", ["/echo/", "/echo-async/"])
def test_a_request_gives_one_complete_row(name: str, path: str, shared: Callable[[str], Server]) -> None:
    server = shared(name)
    server.ask("/")
    assert_one_complete_row(server, path)


@every_server
@pytest.mark.parametrize("path", ["/echo/", "/echo-async/"])
def test_a_complete_row_takes_two_statements(name: str, path: str, counting: Callable[[str], Server]) -> None:
    server = counting(name)
    server.ask("/")
    server.new_statements()
    assert_one_complete_row(server, path)
    statements = server.new_statements()
    # The first write of a thread also sets up its connection to MariaDB and SQLite.
    assert len([statement for statement in statements if "security_sql" in statement]) == 2, statements
    assert not [
        statement for statement in statements if statement.upper().startswith("SELECT ") and "security" in statement
    ]


def assert_one_complete_row(server: Server, path: str) -> None:
    answer = server.ask(
        f"{path}?a=1", "POST", b'{"password": "secret"}', {"Content-Type": "application/json", "Cookie": "a=b"}
    )
    assert answer.endswith(b'{"password": "secret"}')
    row = InputRequestLog.objects.get(path=path)
    assert (row.state, row.version, row.response_code) == (RequestLogState.INFO, 2, 200)
    assert row.request_body == row.response_body == '{"password": "[Filtered]"}'
    assert row.request_headers["Cookie"] == "a=[Filtered]"
    assert (row.ip, row.queries, row.view_slug) == ("127.0.0.1", {"a": "1"}, path.strip("/"))


@every_server
def test_an_answer_that_was_seen_has_its_complete_row_though_the_process_is_killed(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as server:
        assert server.ask("/").endswith(b"home")
        server.kill()
    assert InputRequestLog.objects.get().state is RequestLogState.INFO


@pytest.mark.parametrize(("name", "path"), [("gunicorn", "/endless/"), ("uvicorn", "/waits/")])
def test_a_process_that_is_killed_leaves_an_open_row_which_is_settled(name: str, path: str, tmp_path: Path) -> None:
    with running(name, tmp_path) as server, server.connect() as client:
        server.send(client, path)
        wait_until(lambda: InputRequestLog.objects.exists(), "the row of the open request")
        server.kill()
    assert InputRequestLog.objects.get().state is RequestLogState.INCOMPLETE
    call_command("set_log_state", "--minutes=0.00001")
    row = InputRequestLog.objects.get()
    assert (row.state, row.response_code) == (RequestLogState.ERROR, None)
    assert "process ended" in str(row.error_message)


@pytest.mark.parametrize(
    ("name", "path"), [("gunicorn", "/endless/"), ("gunicorn-sync", "/endless/"), ("uvicorn", "/endless-async/")]
)
def test_a_client_that_leaves_in_mid_stream_leaves_a_closed_row(
    name: str, path: str, shared: Callable[[str], Server]
) -> None:
    server = shared(name)
    with server.connect() as client:
        server.send(client, path)
        assert client.recv(1000).startswith(b"HTTP/1.1 200")
    wait_until(lambda: InputRequestLog.objects.exclude(stop=None).exists(), "the end of the stream")
    row = InputRequestLog.objects.get()
    assert (row.state, row.response_code) == (RequestLogState.ABORTED, 200)
    assert "client went away" in str(row.error_message)


def test_a_client_that_leaves_before_its_answer_leaves_a_closed_row(shared: Callable[[str], Server]) -> None:
    server = shared("uvicorn")
    with server.connect() as client:
        server.send(client, "/waits/")
        wait_until(lambda: InputRequestLog.objects.exists(), "the row of the open request")
        assert InputRequestLog.objects.get().state is RequestLogState.INCOMPLETE
    wait_until(lambda: InputRequestLog.objects.exclude(stop=None).exists(), "the end of the request")
    row = InputRequestLog.objects.get()
    assert (row.state, row.response_code) == (RequestLogState.ABORTED, None)


@pytest.mark.parametrize("name", ["gunicorn", "gunicorn-sync"])
def test_a_client_that_leaves_before_its_body_leaves_a_closed_row(name: str, shared: Callable[[str], Server]) -> None:
    server = shared(name)
    with server.connect() as client:
        server.send(client, "/echo/", "POST", b"half", {"Content-Length": "1000"})
    wait_until(lambda: InputRequestLog.objects.exclude(stop=None).exists(), "the end of the request")
    row = InputRequestLog.objects.get()
    assert row.state is RequestLogState.ABORTED


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_a_peer_on_a_unix_socket_is_recorded_without_an_address(name: str, tmp_path: Path) -> None:
    with running(name, tmp_path, address=str(tmp_path / "socket")) as server:
        assert server.ask("/").endswith(b"home")
    assert InputRequestLog.objects.get().ip is None


@every_server
def test_a_chunked_body_is_recorded(name: str, shared: Callable[[str], Server]) -> None:
    with shared(name).connect() as client:
        head = "POST /echo/ HTTP/1.1\r\nHost: testserver\r\nConnection: close\r\nContent-Type: application/json\r\n"
        client.sendall(head.encode() + b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n")
        answer = bytearray()
        while chunk := client.recv(65_536):
            answer += chunk
    row = InputRequestLog.objects.get()
    # Django reads no chunked body through WSGI (its CONTENT_LENGTH is missing): what the view saw is what is recorded.
    seen = b"" if name.startswith("gunicorn") else b"[1,2]"
    assert answer.endswith(b"\r\n\r\n" + seen)
    assert row.request_body == seen.decode()


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_a_host_that_is_not_allowed_is_recorded(name: str, counting: Callable[[str], Server]) -> None:
    server = counting(name)
    server.new_statements()
    assert server.ask("/", headers={"Host": "not_a_host,"}).startswith(b"HTTP/1.1 400")
    assert len([statement for statement in server.new_statements() if "security_sql" in statement]) == 1
    row = InputRequestLog.objects.get()
    assert (row.host, row.response_code, row.state) == ("not_a_host,", 400, RequestLogState.WARNING)
    assert "Invalid HTTP_HOST header" in str(row.error_message)


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_many_requests_at_once_each_have_their_row(name: str, shared: Callable[[str], Server]) -> None:
    server = shared(name)
    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(lambda number: server.ask(f"/orders/{number}/"), range(100)))
    assert all(answer.endswith(b"ordered") for answer in answers)
    rows = InputRequestLog.objects.all()
    assert {row.extra_data["number"] for row in rows} == set(range(100))
    assert {row.state for row in rows} == {RequestLogState.INFO}
