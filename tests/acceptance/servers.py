"""Real servers in front of the site under test, on loopback or on a unix socket, ended by their own id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from django.db import connection

from tests import databases
from tests.site.statements import VARIABLE

# Long enough for a machine that does much else.
SECONDS = 60.0
# What does not end by then is killed.
SECONDS_TO_END = 20.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Look until a condition holds; fail when it has not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true"
        time.sleep(0.01)


@dataclass
class Server:
    """A running server."""

    process: subprocess.Popen[bytes]
    address: str | tuple[str, int]
    log: Path
    statements_file: Path
    known: int = field(default=0)

    def connect(self) -> socket.socket:
        family = socket.AF_UNIX if isinstance(self.address, str) else socket.AF_INET
        client = socket.socket(family)
        client.settimeout(SECONDS)
        try:
            client.connect(self.address)
        except OSError:
            client.close()
            raise
        return client

    def ask(self, path: str, method: str = "GET", body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
        """Send one request and give the whole answer, head and body."""
        with self.connect() as client:
            self.send(client, path, method, body, headers)
            answer = bytearray()
            while chunk := client.recv(65_536):
                answer += chunk
        return bytes(answer)

    def send(
        self,
        client: socket.socket,
        path: str,
        method: str = "GET",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        usual = {"Host": "testserver", "Connection": "close", "Content-Length": str(len(body))}
        lines = [f"{method} {path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in {**usual, **(headers or {})}.items()]
        client.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def accepts(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"The server ended:\n{self.log.read_text()}")
        try:
            self.connect().close()
        except OSError:
            return False
        return True

    def new_statements(self) -> list[str]:
        """Give the statements of this server since the last call."""
        lines = self.statements_file.read_text().splitlines() if self.statements_file.exists() else []
        new, self.known = lines[self.known :], len(lines)
        return new

    def kill(self) -> None:
        """End the server and its workers at once, as a lack of memory would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def commands(address: str | tuple[str, int]) -> dict[str, list[str]]:
    """Give the commands that start each server at an address."""
    bind = f"unix:{address}" if isinstance(address, str) else f"{address[0]}:{address[1]}"
    gunicorn = ["gunicorn", "--bind", bind, "--no-control-socket", "tests.site.wsgi"]
    host = ["--uds", address] if isinstance(address, str) else ["--host", address[0], "--port", str(address[1])]
    return {
        "gunicorn": [*gunicorn, "--worker-class", "gthread", "--threads", "4"],
        "gunicorn-workers": [*gunicorn, "--worker-class", "gthread", "--workers", "2", "--threads", "8"],
        "gunicorn-sync": gunicorn,
        "gunicorn-preload": [*gunicorn, "--preload", "--workers", "2"],
        "uvicorn": ["uvicorn", *host, "--lifespan", "off", "tests.site.asgi:application"],
    }


@contextmanager
def running(
    name: str,
    directory: Path,
    *,
    address: str | tuple[str, int] | None = None,
    settings: str = "tests.settings",
    variables: dict[str, str] | None = None,
    counts_statements: bool = False,
) -> Iterator[Server]:
    """Run a server on the database of the test until the block ends.

    To count the statements of a server has them all go through Django's cursors.
    """
    address = address if address is not None else ("127.0.0.1", free_port())
    statements = directory / "statements"
    environment = databases.environment_of_child(connection) | {
        **({VARIABLE: str(statements)} if counts_statements else {}),
        "DJANGO_SETTINGS_MODULE": settings,
        "PYTHONPATH": str(Path.cwd()),
        **(variables or {}),
    }
    log = directory / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *commands(address)[name]],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(process, address, log, statements)
    try:
        wait_until(server.accepts, f"{name}'s start")
        yield server
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                server.kill()
