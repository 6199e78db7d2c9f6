"""MariaDB as the system has it installed, on a socket of its own."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

SECONDS_TO_START = 60


def start() -> dict[str, Any]:
    directory = Path(tempfile.mkdtemp(prefix="mariadb-"))
    data, socket, log = directory / "data", directory / "socket", directory / "log"
    options = ["--no-defaults", f"--datadir={data}"]
    if os.geteuid() == 0:
        # Without it the server refuses to run as root.
        options.append("--user=root")
    create = ["mariadb-install-db", *options, "--auth-root-authentication-method=normal", "--skip-test-db"]
    created = subprocess.run(create, check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if created.returncode != 0:
        raise RuntimeError(f"MariaDB has no system tables:\n{created.stdout}")

    serve = [
        "mariadbd",
        *options,
        f"--socket={socket}",
        "--skip-networking",
        "--character-set-server=utf8mb4",
        # Tests open a connection a thread.
        "--max-connections=300",
        # Nothing here has to outlive a power cut.
        "--innodb-flush-log-at-trx-commit=0",
    ]
    with log.open("wb") as output:
        server = subprocess.Popen(serve, stdout=output, stderr=subprocess.STDOUT)
    atexit.register(stop, server, directory, os.getpid())
    wait_until_ready(server, log)
    return {
        "ENGINE": "django.db.backends.mysql",
        "NAME": "mysql",
        "USER": "root",
        "HOST": str(socket),
        "TEST": {"CHARSET": "utf8mb4"},
    }


def wait_until_ready(server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while "ready for connections" not in log.read_text():
        if server.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"MariaDB did not start:\n{log.read_text()}")
        time.sleep(0.05)


def stop(server: subprocess.Popen[bytes], directory: Path, owner: int) -> None:
    # A forked child inherits the registration, but not the server.
    if os.getpid() == owner:
        server.terminate()
        server.wait()
        shutil.rmtree(directory, ignore_errors=True)
