"""What the site under comparison writes down while it answers, in the order in which it happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_notes: list[tuple[str, Any]] = []


def note(what: str, value: Any = None) -> None:
    _notes.append((what, value))


def take() -> list[tuple[str, Any]]:
    """Give all notes and begin a new page."""
    taken, _notes[:] = list(_notes), []
    return taken


def outcome(work: Callable[[], Any]) -> Any:
    """Do something and say what came of it, an exception among it."""
    try:
        return describe(work())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def describe(value: Any) -> Any:
    """Give a value in a form that two runs can be compared by."""
    if isinstance(value, (bytes, str, int, float, bool, type(None))):
        return value
    if hasattr(value, "lists"):
        return [(name, [describe(item) for item in items]) for name, items in value.lists()]
    if hasattr(value, "chunks"):
        return (type(value).__name__, value.name, value.content_type, value.size)
    if isinstance(value, dict):
        return {str(name): describe(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [describe(item) for item in value]
    return str(value)
