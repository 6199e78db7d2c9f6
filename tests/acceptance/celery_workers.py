"""A real broker and real workers, on a unix socket and ended by their own id."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from django.db import connection
from kombu import pools

from tests import databases
from tests.redis import redis_socket
from tests.site import tasks

from .servers import SECONDS_TO_END, wait_until


@dataclass
class Broker:
    """A Redis server for the tasks of one test module."""

    url: str
    client: redis.Redis

    def is_idle(self) -> bool:
        """Tell whether no message waits or is being worked on."""
        return not self.client.llen("celery") and not self.client.hlen("unacked")


@contextmanager
def broker() -> Iterator[Broker]:
    """Run a Redis, and let the site's Celery app use it."""
    with redis_socket() as socket, redis.Redis(unix_socket_path=str(socket)) as client:
        before = tasks.app.conf.broker_url, tasks.app.conf.result_backend
        url = f"redis+socket://{socket}"
        use(url, url)
        yield Broker(url, client)
        use(*before)


def use(broker_url: str, result_backend: str) -> None:
    """Let the site's Celery app close its connections, and use others from now on."""
    app = tasks.app
    backend = app.backend
    app._local, app._backend_cache = threading.local(), None
    # A result that is collected later has nothing to ask a broker that is gone.
    backend.remove_pending_result = lambda result: None
    if isinstance(client := getattr(backend, "client", None), redis.Redis):
        backend.result_consumer.stop()
        client.close()
    app.pool.force_close_all()
    pools.reset()
    app._pool = app.amqp._producer_pool = None
    app.conf.update(broker_url=broker_url, result_backend=result_backend)


@dataclass
class Worker:
    """A running worker and its log."""

    process: subprocess.Popen[bytes]
    log: Path

    def is_ready(self) -> bool:
        if self.process.poll() is not None:
            raise RuntimeError(f"The worker ended:\n{self.log.read_text()}")
        return " ready." in self.log.read_text()

    def kill(self) -> None:
        """End the worker and its children at once, as a lack of memory would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@contextmanager
def worker(
    broker: Broker, directory: Path, *arguments: str, transport: dict[str, Any] | None = None
) -> Iterator[Worker]:
    """Run a worker on the database of the test until the block ends."""
    environment = databases.environment_of_child(connection) | {
        "DJANGO_SETTINGS_MODULE": "tests.site.command_settings",
        "PYTHONPATH": str(Path.cwd()),
        "CELERY_BROKER": broker.url,
        "CELERY_TRANSPORT": json.dumps(transport or {}),
    }
    log = directory / "worker.log"
    options = ["--loglevel", "INFO", "--without-gossip", "--without-mingle", "--without-heartbeat", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "tests.site.tasks", "worker", *options],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = Worker(process, log)
    try:
        wait_until(running.is_ready, "the worker's start")
        yield running
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(SECONDS_TO_END)
            except subprocess.TimeoutExpired:
                running.kill()
