"""What is stored, and told to others, while a block runs: every column of every table, every message, every capture."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.apps import apps
from django.db import connection, models
from django.test import override_settings

from security.backends.sql.models import LOG_MODELS
from security.backends.testing import CapturedLogs, capture_security_logs
from security.enums import LoggerName
from security.records import FIELDS, Entry

from .secrets import found_in

EVERYTHING = override_settings(
    SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=[
        *("application/json", "application/xml", "text/xml", "text/csv", "text/html", "text/plain"),
        *("application/x-www-form-urlencoded", "multipart/form-data"),
    ],
    SECURITY_LOG_REQUEST_BODY_LENGTH=None,
    SECURITY_LOG_RESPONSE_BODY_LENGTH=None,
    SECURITY_BACKENDS=["sql", "logging"],
)
# A time, a number and an id of our own hold no text from outside.
_WITHOUT_TEXT = (
    *(models.UUIDField, models.DateTimeField, models.IntegerField, models.FloatField, models.BooleanField),
    models.AutoField,
)
# Random digits, and those of a time, can be those of a secret.
_RANDOM = re.compile(
    r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b|\b0x[0-9a-f]+\b|\b\d{4}-\d\d-\d\dT[\d:.]+\+00:00|\b\d\.\d{6,}"
)
# What `logging` itself puts into each record, which is the program's own.
_OF_LOGGING = frozenset(vars(logging.makeLogRecord({}))) - {"msg", "args", "exc_info", "exc_text", "stack_info"}


@dataclass(slots=True)
class Place:
    """A row, a captured entry or a message: its texts by the names of their fields."""

    where: str
    texts: dict[str, str]
    id: str = ""
    slug: str | None = None
    parent: str | None = None
    """What the record began in, as 'kind|id'."""

    def shows(self, secret: str, name: str) -> str | None:
        """Tell which piece of a secret can be read in a field."""
        found = found_in(_RANDOM.sub("", self.texts.get(name, "")), secret)
        return None if found is None else f"{self.where}.{name}: {found}"


def shown_in(places: Iterable[Place], secret: str) -> Iterator[str]:
    """Tell of each field in which a secret can be read."""
    places = list(places)
    # What several backends tell is the same, and mostly there is nothing.
    texts = dict.fromkeys(text for place in places for text in place.texts.values())
    if found_in(_RANDOM.sub("", "\n".join(texts)), secret) is not None:
        yield from filter(None, (place.shows(secret, name) for place in places for name in place.texts))


@dataclass(slots=True)
class Everything:
    """All that was stored by the three backends, and all that the loggers of the library said."""

    captured: CapturedLogs
    messages: list[logging.LogRecord] = field(default_factory=list)

    def places(self) -> Iterator[Place]:
        yield from rows()
        for kind in LoggerName:
            for entry in _entries(self.captured, kind):
                where = f"testing {kind} {entry.event}"
                yield Place(where, _texts_of(entry), str(entry.id), entry.slug, entry.parent_log)
        yield from map(_place_of, self.messages)


def _entries(captured: CapturedLogs, kind: LoggerName) -> list[Entry]:
    prefix = kind.replace("-", "_")
    return [entry for name, entries in captured._lists.items() if name.startswith(prefix) for entry in entries]


def _texts_of(entry: Entry) -> dict[str, str]:
    names = (name for name in FIELDS[entry.kind] if name != "related_objects")
    values = ((name, entry.values[name]) for name in names)
    return {name: _text_of(value) for name, value in values if isinstance(value, (str, dict, list, tuple))}


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _place_of(message: logging.LogRecord) -> Place:
    attributes = {name: value for name, value in vars(message).items() if name not in _OF_LOGGING}
    entry = attributes.pop("security_entry", {})
    texts = {"message": logging.Formatter().format(message)}
    texts |= {name: str(value) for name, value in attributes.items()}
    # Its times are texts here, and none from outside.
    texts |= {f"entry {name}": _text_of(value) for name, value in entry.items() if name not in ("start", "stop")}
    return Place(f"logging {message.name}", texts, entry.get("id", ""), entry.get("slug"), entry.get("parent_log"))


def rows() -> Iterator[Place]:
    """Give the rows of all tables of the log as the database has them, column by column."""
    kinds = {model: kind for kind, model in LOG_MODELS.items()}
    for model in apps.get_app_config("security_sql").get_models():
        columns = [column for column in model._meta.concrete_fields if not isinstance(column, _WITHOUT_TEXT)]
        named = [column.column for column in (model._meta.pk, *columns)]
        names = ", ".join(map(connection.ops.quote_name, named))
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {names} FROM {connection.ops.quote_name(model._meta.db_table)}")
            for key, *row in cursor.fetchall():
                values = {column.name: value for column, value in zip(columns, row, strict=True)}
                texts = {name: _text_of(value) for name, value in values.items() if value is not None}
                where = f"sql {kinds.get(model, model.__name__)}"
                yield Place(where, texts, str(key), values.get("slug"), values.get("parent_log"))


class _Messages(logging.Handler):
    def __init__(self, messages: list[logging.LogRecord]) -> None:
        super().__init__(logging.DEBUG)
        self._messages = messages

    def emit(self, record: logging.LogRecord) -> None:
        self._messages.append(record)


@contextmanager
def everything_stored() -> Iterator[Everything]:
    """Have all backends store all there is, in full, and give it."""
    logger = logging.getLogger("security")
    with EVERYTHING, capture_security_logs() as captured:
        everything = Everything(captured)
        handler, before = _Messages(everything.messages), (logger.level, logger.propagate)
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
        # Nobody else has to write them.
        logger.propagate = False
        try:
            yield everything
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before[0])
            logger.propagate = before[1]
