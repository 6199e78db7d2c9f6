"""Running commands as Django does, recorded (published section "Commands log")."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from django.apps import apps
from django.core import management
from django.core.management.base import BaseCommand
from django.db import connections

from security.config import settings
from security.faults import log_fault
from security.sources.arguments import word_of

from .run import RecordedRun

# It shows what is hidden, to the person who asks.
_NEVER_RECORDED: Final = frozenset(("explain_masking",))


def execute_from_command_line(argv: Sequence[str] | None = None) -> None:
    """Do as Django's function of that name, and record the command."""
    _RecordingUtility(None if argv is None else list(argv)).execute()


def call_command(command_name: str | BaseCommand, *args: Any, **options: Any) -> Any:
    """Do as Django's function of that name, and record the command; what the command returns is returned."""
    name = command_name if isinstance(command_name, str) else type(command_name).__module__.rpartition(".")[2]
    if not _is_recorded(name):
        return management.call_command(command_name, *args, **options)
    streams = [options.get("stdout"), options.get("stderr")]
    if isinstance(command_name, BaseCommand):
        streams += [command_name.stdout, command_name.stderr]
    with RecordedRun(name, _words_of_call(args, options), streams):
        return management.call_command(command_name, *args, **options)


class _RecordingUtility(management.ManagementUtility):
    """Finds the command as Django does, once the site is set up, and records its run."""

    def fetch_command(self, subcommand: str) -> BaseCommand:
        command = super().fetch_command(subcommand)
        # `help x` and the completion of a shell fetch commands that they do not run.
        if self.argv[1:2] == [subcommand] and _is_recorded(subcommand):
            run_from_argv = command.run_from_argv

            def run_recorded(argv: list[str]) -> None:
                streams = (command.stdout, command.stderr)
                try:
                    with RecordedRun(subcommand, argv[2:], streams, is_executed_from_command_line=True):
                        run_from_argv(argv)
                finally:
                    # As Django does when a command ends: the log may have opened its connection again.
                    connections.close_all()

            command.run_from_argv = run_recorded  # type: ignore[method-assign]
        return command


def _is_recorded(name: str) -> bool:
    """Tell whether a command is recorded; none is before the site is set up, or where it cannot be."""
    try:
        return apps.ready and name not in _NEVER_RECORDED and name not in settings.COMMAND_LOG_EXCLUDED_COMMANDS
    except Exception:
        log_fault("It could not be told whether a command is recorded; it goes on.")
        return False


def _words_of_call(args: Sequence[Any], options: dict[str, Any]) -> list[str]:
    """Write the arguments as one would on the command line."""
    words: list[str] = []
    for arg in args:
        words += [word_of(word, str) for word in (arg if isinstance(arg, (list, tuple)) else [arg])]
    words += [
        f"--{name.replace('_', '-')}={word_of(value, str)}"
        for name, value in options.items()
        if name not in ("stdout", "stderr")
    ]
    return words
