"""Writes down each SQL statement of a server process, for a test that counts them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.db.backends.signals import connection_created

VARIABLE = "STATEMENTS_FILE"


def write_down(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
    with Path(os.environ[VARIABLE]).open("a") as file:
        file.write(sql.replace("\n", " ") + "\n")
    return execute(sql, params, many, context)


def watch(connection: Any, **kwargs: Any) -> None:
    if write_down not in connection.execute_wrappers:
        connection.execute_wrappers.append(write_down)


if VARIABLE in os.environ:
    connection_created.connect(watch)
