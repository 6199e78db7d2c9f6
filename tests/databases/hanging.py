"""Servers in front of PostgreSQL that hang: a port that never answers, and a proxy that stops forwarding."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Lock, Thread
from typing import Any


@contextmanager
def silent_port() -> Iterator[int]:
    """Give a port that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        yield server.getsockname()[1]


class Proxy:
    """Forwards TCP connections to a PostgreSQL on its socket, until it is told to keep what comes."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self._target = f"{settings['HOST']}/.s.PGSQL.{settings.get('PORT') or 5432}"
        self._server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._sockets: list[socket.socket] = []
        self._lock = Lock()
        self._is_hanging = False
        self._nonsense = b""
        self.port: int = self._server.getsockname()[1]
        self.kept_something = Event()

    def hang(self) -> None:
        """Forward nothing from now on, and leave all connections open."""
        with self._lock:
            self._is_hanging = True

    def answer_nonsense(self) -> None:
        """Give one answer that is none of PostgreSQL's: a message longer than any."""
        self._nonsense = b"Z\x00\x7f\xff\xff"

    def reset(self, last_words: bytes) -> None:
        """Say something to all clients, and reset their connections."""
        with self._lock:
            for one in self._sockets:
                if one.family == socket.AF_INET:
                    one.sendall(last_words)
                    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    # Whoever reads from it holds it open.
                    one.shutdown(socket.SHUT_RD)
                    one.close()

    def start(self) -> None:
        Thread(target=self._accept, daemon=True).start()

    def end(self) -> None:
        self._server.close()
        with self._lock:
            for one in self._sockets:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
                one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                server = socket.socket(socket.AF_UNIX)
                with self._lock:
                    self._sockets += (client, server)
                server.connect(self._target)
                for source, sink in ((client, server), (server, client)):
                    Thread(target=self._forward, args=[source, sink], daemon=True).start()

    def _forward(self, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                with self._lock:
                    if not self._is_hanging:
                        if self._nonsense and source.family == socket.AF_UNIX:
                            data, self._nonsense = self._nonsense, b""
                        sink.sendall(data)
                        continue
                self.kept_something.set()
            with self._lock:
                if not self._is_hanging:
                    sink.shutdown(socket.SHUT_WR)


@contextmanager
def proxy_to(settings: dict[str, Any]) -> Iterator[Proxy]:
    """Give a proxy in front of the database of a test."""
    proxy = Proxy(settings)
    proxy.start()
    try:
        yield proxy
    finally:
        proxy.end()
