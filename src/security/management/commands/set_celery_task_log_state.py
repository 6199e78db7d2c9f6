"""Settles the logs of Celery's tasks whose end nobody recorded (published section "Commands")."""

from __future__ import annotations

from collections import Counter
from enum import IntEnum
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.backends.registry import task_logs
from security.sources.task_states import Settling


class Command(BaseCommand):
    help = (
        "Settle the logs of tasks: those that were not started in their time fail, those that expired expire, those of "
        "a lost worker fail, and those whose run has ended end as it did. It can run beside workers at any time."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--timeout", type=float, default=2.0, help="Seconds to wait for the workers' answers (by default 2)."
        )
        parser.add_argument(
            "--no-workers",
            action="store_true",
            help="No worker is up: every active run that began long enough ago is lost. Without it, such runs are left "
            "alone if no worker answers.",
        )

    def handle(self, *, timeout: float, no_workers: bool, **options: Any) -> None:
        backends = task_logs()
        if not backends:
            raise CommandError(
                "No backend in use can close logs of tasks. Add 'security.backends.sql' to INSTALLED_APPS."
            )
        left_alone = 0
        counts: Counter[tuple[str, IntEnum]] = Counter()
        for logs in backends:
            settling = Settling(logs, set if no_workers else lambda: self._running_tasks(timeout))
            settling.settle_all()
            left_alone += settling.left_alone
            counts += settling.counts
        for (kind, state), count in sorted(counts.items()):
            self.stdout.write(f"{kind}: {count} {state.name.lower()}")
        if not counts:
            self.stdout.write("Nothing to settle.")
        if left_alone:
            self.stderr.write(
                f"{left_alone} active runs were left alone, as no worker answered. If none is up, run this command "
                "with --no-workers."
            )

    def _running_tasks(self, timeout: float) -> set[str] | None:
        try:
            from security.sources.celery.running import running_tasks

            return running_tasks(timeout)
        except Exception as error:
            # Celery is not installed, or its broker is not there: whatever it is, nothing is known of the workers.
            self.stderr.write(f"The workers could not be asked: {type(error).__name__}: {error}")
            return None
