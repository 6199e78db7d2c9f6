"""SQLite in a file, which threads and other processes can share, as they cannot a database in memory."""

from __future__ import annotations

import atexit
import os
import tempfile
from pathlib import Path
from typing import Any


def start() -> dict[str, Any]:
    # Nothing is created here, since type checking reads the settings too, and ends without its exit handlers.
    directory, name = Path(tempfile.gettempdir()), f"security-{os.getpid()}"
    atexit.register(remove, directory, name)
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(directory / f"{name}.sqlite3"),
        # Readers do not block the writer, and nothing here has to outlive a power cut.
        "OPTIONS": {"init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"},
        "TEST": {"NAME": str(directory / f"{name}-test.sqlite3")},
    }


def remove(directory: Path, name: str) -> None:
    """Remove the databases, and the journals that a thread's open connection keeps."""
    for file in directory.glob(f"{name}[-.]*"):
        file.unlink(missing_ok=True)
