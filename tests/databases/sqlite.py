"""SQLite in a file, which threads and other processes can share, as they cannot a database in memory."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from pathlib import Path
from typing import Any


def start() -> dict[str, Any]:
    directory = Path(tempfile.mkdtemp(prefix="sqlite-"))
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(directory / "site.sqlite3"),
        # Readers do not block the writer, and nothing here has to outlive a power cut.
        "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"},
        "TEST": {"NAME": str(directory / "test.sqlite3")},
    }
