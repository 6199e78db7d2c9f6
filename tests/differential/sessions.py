"""Sessions in files; each has expired, and each thing that is done to it is noted."""

from __future__ import annotations

from typing import Any

from django.contrib.sessions.backends.file import SessionStore as FileSessionStore

from tests.differential.notebook import note


class SessionStore(FileSessionStore):
    """Django's engine for files removes an expired session when it is loaded, and makes another."""

    def load(self) -> Any:
        self.delete()
        self.create()
        return {}

    def create(self) -> None:
        note("a session is created")

    def delete(self, session_key: str | None = None) -> None:
        note("a session is deleted")
