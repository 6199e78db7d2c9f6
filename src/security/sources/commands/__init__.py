"""Management commands, from the command line and from code."""

from .entry_points import call_command, execute_from_command_line
from .output import OutputCapture

__all__ = ["OutputCapture", "call_command", "execute_from_command_line"]
