"""Tells whom a set of validators would have stopped, from the log, before they are put to use."""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from security.backends.registry import history
from security.config import settings
from security.throttling.policy import default_validators
from security.throttling.replay import Client, Replay


class Command(BaseCommand):
    """`throttling_check shop.throttling --days 7`."""

    help = (
        "Replays the log of input requests against validators, as if they had been the default ones, and prints whom "
        "they would have stopped."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "module",
            nargs="?",
            help="the module with a tuple default_validators, for example shop.throttling; by default the one of "
            "SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH",
        )
        parser.add_argument("--days", type=_days, default=timedelta(days=7), help="how far to look back (default: 7)")
        parser.add_argument("--show", type=int, default=20, help="how many clients to list (default: 20)")

    def handle(self, *args: Any, **options: Any) -> None:
        end = timezone.now()
        start = end - options["days"]
        try:
            replay = Replay(default_validators(options["module"] or settings.DEFAULT_THROTTLING_VALIDATORS_PATH))
            past = history()
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from error
        for request in past.input_requests(start, end):
            replay.add(request)
        self._report(replay, options["show"])

    def _report(self, replay: Replay, show: int) -> None:
        for validator in replay.left_out:
            self.stdout.write(f"Left out, as the log does not hold what it looks at: {validator!r}")
        stopped = replay.stopped
        requests = sum(client.requests for client in replay.clients.values())
        self.stdout.write(
            f"Replayed {requests} requests of {len(replay.clients)} clients "
            f"against {', '.join(map(repr, replay.counted)) or 'no validator'}."
        )
        self.stdout.write(
            f"Stopped: {sum(client.stopped for client in stopped)} requests of {len(stopped)} clients, "
            f"{sum(client.looks_innocent for client in stopped)} of which look innocent "
            "(a user logged in, no login failed, hardly an error)."
        )
        for client in stopped[:show]:
            self.stdout.write(_line(client))
        if len(stopped) > show:
            self.stdout.write(f"  and {len(stopped) - show} more")


def _line(client: Client) -> str:
    validators = ", ".join(f"{validator!r} {count} times" for validator, count in client.stopped_by.items())
    innocent = ", looks innocent" if client.looks_innocent else ""
    first, last = (
        "" if moment is None else f"{timezone.localtime(moment):%Y-%m-%d %H:%M:%S}"
        for moment in (client.first_stop, client.last_stop)
    )
    return f"  {client.name}: {client.stopped} of {client.requests}, {first} to {last}, by {validators}{innocent}"


def _days(text: str) -> timedelta:
    try:
        days = timedelta(days=float(text))
    except (ValueError, OverflowError) as error:
        raise ArgumentTypeError(f"{text!r} is no number of days: write for example 7 or 0.5.") from error
    if not timedelta() < days < timedelta(days=36_500):
        raise ArgumentTypeError(f"{text!r} is no number of days to look back: write for example 7 or 0.5.")
    return days
