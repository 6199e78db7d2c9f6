"""Commands that are recorded (published section "Commands log")."""

from security.sources.commands import call_command, execute_from_command_line

__all__ = ["call_command", "execute_from_command_line"]
