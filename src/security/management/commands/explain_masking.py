"""`manage.py explain_masking FILE`: which rule hides what in a body."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError

from security.body import decoded_body, media_type
from security.config import Settings, settings
from security.masking import Finding, mask_body

_SHOWN: Final = 60


class Command(BaseCommand):
    """Explains the masking of one body."""

    help = "Shows which rule hides what in a message body, so that you can tune the rules."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", help="The file with the body; - is the standard input.")
        parser.add_argument(
            "--content-type", default="", help="The Content-Type header that the body would come with, e.g. text/xml."
        )
        parser.add_argument("--show-values", action="store_true", help="Show what is hidden: this prints secrets.")
        parser.add_argument("--no-body", action="store_true", help="Leave out the masked body.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.HIDE_SENSITIVE_DATA:
            raise CommandError(f"{Settings.HIDE_SENSITIVE_DATA.name} is False: nothing is hidden. Remove it.")
        content = _content(options["file"])
        claimed = options["content_type"]
        if claimed and "/" not in claimed:
            raise CommandError(f"--content-type is {claimed!r}; write a type and a subtype, as in application/json.")
        kind = media_type(claimed)
        findings: list[Finding] = []
        masked = mask_body(decoded_body(content, kind), kind.name, findings)
        for (rule, shown), count in _counted(findings, show_values=options["show_values"]).items():
            times = f" ({count} times)" if count > 1 else ""
            self.stdout.write(f"{rule}: {shown}{times}")
        if not findings:
            self.stdout.write("No rule hides anything.")
        if claimed and not kind.is_stored:
            setting = Settings.LOG_RESPONSE_BODY_CONTENT_TYPES.name
            self.stdout.write(f"A body of the type {kind.name} is not stored: {setting} leaves it out.")
        if not options["no_body"]:
            self.stdout.write(f"\n{masked}")


def _content(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}. Give the path of a file, or -.") from None


def _counted(findings: list[Finding], *, show_values: bool) -> Counter[tuple[str, str]]:
    return Counter(
        (finding.rule, _shown(finding.hidden) if show_values else _size(finding.hidden)) for finding in findings
    )


def _size(hidden: str) -> str:
    return f"{len(hidden)} characters"


def _shown(hidden: str) -> str:
    shown = ascii(hidden)[1:-1]
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}… ({_size(hidden)})"
