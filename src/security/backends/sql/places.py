"""Where a database is: whether the settings of two aliases name the same one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any


def is_in_memory(settings: Mapping[str, Any]) -> bool:
    """Tell whether a database is one of SQLite without a file."""
    name = str(settings["NAME"])
    return "sqlite" in settings["ENGINE"] and (name in ("", ":memory:") or "mode=memory" in name)


def file_of(name: object) -> str:
    """Give the file of a SQLite database, however it is written."""
    return _absolute(str(name))


def name_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what tells a database from the others of its server."""
    engine, name, options = settings["ENGINE"], settings["NAME"], settings.get("OPTIONS") or {}
    if "sqlite" in engine:
        return (engine, file_of(name))
    # A schema of PostgreSQL has tables of its own, and its own notes of what was migrated.
    started_with = str(options.get("options", ""))
    schema = started_with if "search_path" in started_with else ""
    return (engine, str(name), schema, str(options.get("service", "")))


def place_of(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what tells a database from all others."""
    return (*name_of(settings), str(settings.get("HOST", "")), str(settings.get("PORT", "")))


@lru_cache(maxsize=64)
def _absolute(name: str) -> str:
    return name if name.startswith("file:") else os.path.realpath(name)
