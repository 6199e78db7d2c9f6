"""Private database servers, started for one test process and gone with it."""

from __future__ import annotations

import json
import os
from importlib import import_module
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper

HANDED_DOWN = "DATABASE_CONNECTION"


def connection(name: str) -> dict[str, Any]:
    """Start a server of that name and return how Django reaches it; a child process shares its parent's."""
    if parents := os.environ.get(HANDED_DOWN):
        settings: dict[str, Any] = json.loads(parents)
    else:
        settings = import_module(f"tests.databases.{name}").start()
    return settings


def environment_of_child(connection: BaseDatabaseWrapper) -> dict[str, str]:
    """Return the environment in which a process that a test starts works in that test's own database."""
    keys = ("ENGINE", "NAME", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS", "ATOMIC_REQUESTS")
    settings = {key: connection.settings_dict[key] for key in keys}
    return {**os.environ, HANDED_DOWN: json.dumps(settings)}
