"""The app of the logging backend."""

from __future__ import annotations

from typing import ClassVar

from security.backends.base import SecurityBackend

from .writer import LoggingWriter


class SecurityLoggingBackend(SecurityBackend):
    """Writes logs to the standard `logging` module."""

    name = "security.backends.logging"
    label = "security_logging"
    verbose_name = "Security log by logging"
    backend_name: ClassVar[str] = "logging"
    writer = LoggingWriter()
