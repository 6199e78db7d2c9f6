"""Settles the logs of requests and commands whose process was killed; `set_celery_task_log_state` does so for tasks."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from enum import IntEnum
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.backends.registry import open_logs
from security.sources.lost_records import kinds_that_are_lost, settle_lost

_MOST_DAYS: Final = 36_500
_MOST_MINUTES: Final = 60 * 24 * _MOST_DAYS


class Command(BaseCommand):
    help = (
        "Settle the logs of requests and commands that were begun and not ended, because their process was killed: "
        "requests after an hour as errors, commands after a day as terminated. It can run at any time; what a process "
        "that lives after all says later is stored over it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--minutes", type=float, help="Settle what is open for longer than this, whatever it is (a number above 0)."
        )
        parser.add_argument("--days", type=float, default=7.0, help="Look as many days back (by default 7).")

    def handle(self, *, minutes: float | None, days: float, **options: Any) -> None:
        if minutes is not None and not 0 < minutes <= _MOST_MINUTES:
            raise CommandError(f"--minutes is a number above 0 and at most {_MOST_MINUTES}, not {minutes:g}.")
        if not 0 < days <= _MOST_DAYS:
            raise CommandError(f"--days is a number above 0 and at most {_MOST_DAYS}, not {days:g}.")
        after = None if minutes is None else timedelta(minutes=minutes)
        longest = after or max(loss.after for loss in kinds_that_are_lost().values())
        if timedelta(days=days) <= longest:
            raise CommandError(f"What began in {days:g} days is not open for longer than {longest}: raise --days.")
        backends = open_logs()
        if not backends:
            raise CommandError("No backend in use can close logs. Add 'security.backends.sql' to INSTALLED_APPS.")
        counts: Counter[tuple[str, IntEnum]] = Counter()
        for logs in backends:
            counts += settle_lost(logs, after=after, since=timedelta(days=days))
        for (kind, state), count in sorted(counts.items()):
            self.stdout.write(f"{kind}: {count} {state.name.lower()}")
        if not counts:
            self.stdout.write("Nothing to settle.")
