"""A command that repeats what it was told, wherever a command can."""

from __future__ import annotations

import argparse
import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from security.management import call_command


class Command(BaseCommand):
    help = "Repeats its arguments."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        deeds = ["nothing", "write", "print", "complain", "return", "fail", "refuse", "each"]
        parser.add_argument("deed", choices=deeds)
        parser.add_argument("--password")
        parser.add_argument("words", nargs=argparse.REMAINDER)

    def handle(self, *, deed: str, words: list[str], **options: Any) -> str | None:
        text = " ".join(words)
        match deed:
            case "write":
                self.stdout.write(text)
            case "print":
                print(text)
            case "complain":
                self.stderr.write(text)
            case "return":
                return text
            case "fail":
                raise ValueError(text)
            case "each":
                for word in json.loads(Path(text).read_text()):
                    for way in ("write", "fail"):
                        with suppress(ValueError):
                            call_command("repeat", way, word)
            case "refuse":
                raise CommandError(text)
        return None
