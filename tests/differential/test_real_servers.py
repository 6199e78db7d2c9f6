"""What a client of a real server receives is the same, byte for byte, without and with the middleware."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from security.backends.sql.models import InputRequestLog
from tests.acceptance.servers import Server, running

pytestmark = pytest.mark.django_db(transaction=True)


def chunked(target: str, *chunks: bytes, headers: str = "", end: bytes = b"0\r\n\r\n") -> bytes:
    head = f"POST {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n{headers}\r\n"
    return head.encode() + b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks) + end


def plain(target: str, method: str = "GET", body: bytes = b"", headers: str = "", length: int | None = None) -> bytes:
    length = len(body) if length is None else length
    head = f"{method} {target} HTTP/1.1\r\nHost: shop\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n"
    return head.encode() + body


FORM = "Content-Type: application/x-www-form-urlencoded\r\n"
JSON = "Content-Type: application/json\r\n"
# What a client sends, by what it is an example of; a server, not a test client, makes a request of it. All of it is
# read: a server that closes on unread bytes resets the connection, and the client may lose the answer.
REQUESTS = {
    "a page": plain("/sync/?do=headers,META"),
    "a body": plain("/sync/?do=body", "POST", b'{"password": "secret"}', JSON),
    "a form": plain("/sync/?do=POST", "POST", b"a=1&password=secret", FORM),
    "a body of 1 MB": plain("/sync/?do=read-7,read", "POST", b"x" * 1_000_000, JSON),
    "a chunked body": chunked("/sync/?do=body", b"[1,", b"2]", headers=JSON),
    "a chunked body that is read by parts": chunked("/sync/?do=read-7,read", b"one", b"two" * 100),
    "a chunked form": chunked("/sync/?do=POST", b"a=1&", b"b=2", headers=FORM),
    "a chunked body with a trailer": chunked("/sync/?do=body", b"x", end=b"0\r\nX-Trailer: 1\r\n\r\n"),
    "a broken chunk": chunked("/sync/?do=body", end=b"zz\r\n"),
    "a stream": plain("/sync/?answer=stream"),
    "an asynchronous stream": plain("/async/?answer=stream-async"),
    "a stream that breaks": plain("/sync/?answer=stream-broken"),
    "a file": plain("/sync/?answer=file"),
    "a file of the disk": plain("/sync/?answer=own-file"),
    "HEAD": plain("/sync/?answer=text", "HEAD"),
    "cookies": plain("/sync/?answer=cookies"),
    "no content": plain("/sync/?answer=empty"),
    "an error": plain("/sync/?raise=value-error"),
    "not found": plain("/nowhere/"),
    "a host that is none": plain("/sync/").replace(b"Host: shop", b"Host: a_b,"),
    "a method of its own": plain("/sync/?do=method", "BREW"),
    "a path with a NUL": plain("/7/a%00b"),
}


def answers(server: Server) -> dict[str, bytes]:
    received = {}
    for name, request in REQUESTS.items():
        with server.connect() as client:
            client.sendall(request)
            answer = bytearray()
            while chunk := client.recv(65_536):
                answer += chunk
        received[name] = without_what_differs_anyway(bytes(answer))
    return received


def without_what_differs_anyway(answer: bytes) -> bytes:
    """Leave out the time, and the ports and objects of one process, which the view `META` shows."""
    answer = re.sub(rb"(?i)\r\ndate: [^\r]*", b"", answer)
    return re.sub(rb"'(SERVER_PORT|REMOTE_PORT|DATABASE_CONNECTION|STATEMENTS_FILE)': '[^']*'", b"", answer)


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_a_client_receives_the_same(name: str, tmp_path: Path) -> None:
    received = {}
    for settings in ("settings_without_logger", "settings"):
        with running(name, tmp_path, settings=f"tests.differential.{settings}") as server:
            received[settings] = answers(server)
        # The comparison says nothing unless one of the sites was recorded, and the other was not.
        assert InputRequestLog.objects.exists() == (settings == "settings")
    assert received["settings"] == received["settings_without_logger"]
    assert all(b"HTTP/1.1" in answer for answer in received["settings"].values() if answer)
