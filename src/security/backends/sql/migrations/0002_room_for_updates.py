"""Leaves room for updates in the pages of the logs' tables (PostgreSQL).

A row is written when its thing begins, and updated when it ends. Where its page has room, the update touches no index
(HOT) unless a column with an index changes; in pages that are filled to the last byte some updates would touch all of
them, and write more to the log (WAL).
"""

from __future__ import annotations

from typing import Any

from django.db import migrations, router

_MODELS = ("InputRequestLog", "OutputRequestLog", "CommandLog", "CeleryTaskInvocationLog", "CeleryTaskRunLog")


def leave_room(apps: Any, schema_editor: Any) -> None:
    _alter(apps, schema_editor, "SET (fillfactor = 90)")


def fill(apps: Any, schema_editor: Any) -> None:
    _alter(apps, schema_editor, "RESET (fillfactor)")


def _alter(apps: Any, schema_editor: Any, change: str) -> None:
    connection = schema_editor.connection
    if connection.vendor != "postgresql":
        return
    for name in _MODELS:
        model = apps.get_model("security_sql", name)
        # A site's router can keep the tables of one app in several databases.
        if router.allow_migrate_model(connection.alias, model):
            schema_editor.execute(f"ALTER TABLE {schema_editor.quote_name(model._meta.db_table)} {change}")


class Migration(migrations.Migration):
    dependencies = [("security_sql", "0001_initial")]
    operations = [migrations.RunPython(leave_room, fill)]
