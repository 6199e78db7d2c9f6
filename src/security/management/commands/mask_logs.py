"""`manage.py mask_logs`: today's rules for what is stored already."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError

from security.backends.base import Rewritable
from security.backends.registry import installed_backends
from security.config import Settings, settings
from security.recording import remask
from security.records import RECORD_TYPES


class Command(BaseCommand):
    """Masks stored logs again."""

    help = (
        "Applies today's masking rules to logs that are stored already, in batches, oldest first. "
        "It can be stopped at any time; each line says with which --after it goes on."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        kinds = [str(kind) for kind in RECORD_TYPES]
        parser.add_argument(
            "--type", nargs="+", choices=kinds, default=kinds, help="The kinds of logs; all by default."
        )
        parser.add_argument("--backend", help="The backend; by default each that can be rewritten.")
        parser.add_argument("--batch-size", type=int, default=500, help="How many logs are read at once.")
        parser.add_argument("--after", help="Go on behind this log, written as 'kind|id'.")
        parser.add_argument("--dry-run", action="store_true", help="Only tell how many logs would change.")

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.HIDE_SENSITIVE_DATA:
            raise CommandError(f"{Settings.HIDE_SENSITIVE_DATA.name} is False: there is nothing to hide. Remove it.")
        if options["batch_size"] < 1:
            raise CommandError("--batch-size must be 1 or more.")
        kinds = [kind for kind in RECORD_TYPES if kind in options["type"]]
        after = None
        if options["after"]:
            first, after = _place(options["after"])
            if first not in kinds:
                raise CommandError(f"--after names the kind {first}, which --type leaves out.")
            kinds = kinds[kinds.index(first) :]
        seen = 0
        for name, backend in _rewritable(options["backend"]).items():
            for position, kind in enumerate(kinds):
                seen += self.mask(name, backend, kind, after if position == 0 else None, options)
        if not seen:
            self.stdout.write("Nothing to look at.")

    def mask(self, name: str, backend: Rewritable, kind: str, after: UUID | None, options: dict[str, Any]) -> int:
        """Mask all logs of a kind behind `after`, and give how many were looked at."""
        total = backend.count_stored(kind, after)
        seen = changed = 0
        while batch := backend.read_stored(kind, after, options["batch_size"]):
            changes = [(stored, fields) for stored in batch if (fields := remask(kind, stored.values))]
            changed += len(changes) if options["dry_run"] else backend.rewrite_stored(kind, changes)
            seen += len(batch)
            after = batch[-1].id
            verb = "would change" if options["dry_run"] else "changed"
            looked_at = f"{name}: {kind}: {seen} of {max(total, seen)} looked at"
            self.stdout.write(f"{looked_at}, {changed} {verb}; go on with --after '{kind}|{after}'")
        return seen


def _place(text: str) -> tuple[str, UUID]:
    kind, _, log_id = text.partition("|")
    try:
        return RECORD_TYPES[kind].kind, UUID(log_id)
    except (KeyError, ValueError):
        raise CommandError(
            f"--after is {text!r}; write a kind and an id, as in 'input-request|019a8c8e-5b7c-7c10-8000-000000000000'."
        ) from None


def _rewritable(chosen: str | None) -> dict[str, Rewritable]:
    found = {name: backend.rewriter for name, backend in installed_backends().items() if backend.rewriter is not None}
    if chosen is not None and chosen not in found:
        raise CommandError(
            f"--backend is {chosen!r}; the backends that can be rewritten are {', '.join(found) or 'none'}."
        )
    if not found:
        raise CommandError("No installed backend can be rewritten. Add 'security.backends.sql' to INSTALLED_APPS.")
    return {name: backend for name, backend in found.items() if chosen in (None, name)}
