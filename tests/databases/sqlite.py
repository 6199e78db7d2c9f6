"""SQLite in a file, which threads and other processes can share, as they cannot a database in memory."""

from __future__ import annotations

import os
import tempfile
from typing import Any


def start() -> dict[str, Any]:
    # Nothing is created here: Django makes the test database, and removes it.
    path = f"{tempfile.gettempdir()}/security-{os.getpid()}"
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": f"{path}.sqlite3",
        # Readers do not block the writer, and nothing here has to outlive a power cut.
        "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"},
        "TEST": {"NAME": f"{path}-test.sqlite3"},
    }
