"""Logs that a test looks at (published section "Testing backend")."""

from .capture import CapturedLogs, capture_security_logs

__all__ = ["CapturedLogs", "capture_security_logs"]
