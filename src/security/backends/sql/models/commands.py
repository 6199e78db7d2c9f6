"""The table of management commands."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from security.backends.sql.fields import StateField
from security.enums import CommandState, LoggerName

from .base import Ending, Listing, Log


class CommandLog(Log, Ending):
    """A management command."""

    kind = LoggerName.COMMAND
    listing = Listing(
        ("start", "state", "name", "is_executed_from_command_line", "time"), search_fields=("=id", "name")
    )

    name = models.CharField(_("name"), max_length=255)
    input = models.TextField(_("input"), blank=True)
    output = models.TextField(_("output"), blank=True)
    is_executed_from_command_line = models.BooleanField(_("executed from the command line"), default=False)
    state = StateField(CommandState, verbose_name=_("state"), default=CommandState.ACTIVE)

    class Meta(Log.Meta):
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        indexes = (
            # "When did this command last run?"
            models.Index(fields=("name", "start"), name="security_command_name_start"),
            # children_of
            models.Index(fields=("parent_log",), name="security_command_parent"),
        )

    @property
    def summary(self) -> str:
        return self.name
