"""The app of the SQL backend."""

from __future__ import annotations

from typing import ClassVar

from security.backends.base import SecurityBackend

from . import APP_LABEL


class SecuritySQLBackend(SecurityBackend):
    """Writes logs to a database, and finds them again."""

    name = "security.backends.sql"
    label = APP_LABEL
    verbose_name = "Security log"
    backend_name: ClassVar[str] = "sql"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        super().ready()
        # The models can be imported now that the apps are loaded; a fault of theirs shows here, and not in a request.
        from .checks import register_checks
        from .counter import SQLCounter
        from .history import SQLHistory
        from .open_logs import SQLOpenLogs
        from .reader import SQLReader
        from .rewriter import SQLRewriter
        from .writer import SQLWriter

        register_checks()
        self.writer = SQLWriter()
        self.reader = SQLReader()
        self.counter = SQLCounter()
        self.history = SQLHistory()
        self.rewriter = SQLRewriter()
        self.open_logs = self.task_logs = SQLOpenLogs()
