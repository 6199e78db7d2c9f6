"""Management commands."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum

from security.enums import CommandState, Event, LoggerName
from security.fields import CommandLine, Name, Plain, Text, stored

from .base import Loss, Record, Transition


@dataclass(slots=True, kw_only=True, eq=False)
class CommandRecord(Record):
    """A management command."""

    kind = LoggerName.COMMAND
    logger_name = "security.command"
    thread_is_tended = True
    subject = 'Command "{id}" with name "{name}"'
    transitions = {
        Event.STARTED: Transition(CommandState.ACTIVE),
        Event.OUTPUT_UPDATED: Transition(CommandState.ACTIVE, level=logging.DEBUG),
        Event.FINISHED: Transition(CommandState.SUCCEEDED, is_final=True),
        Event.ERROR: Transition(CommandState.FAILED, is_final=True, level=logging.ERROR),
    }

    loss = Loss(CommandState.TERMINATED, timedelta(hours=24))

    name: str = stored(Name(255), default="", settled=True)
    input: Sequence[str] | str = stored(CommandLine(10_000), default="", settled=True)
    """The words behind the name of the command; they are stored as a shell would be given them."""
    output: str = stored(Text(100_000), default="")
    is_executed_from_command_line: bool = stored(Plain(), default=False, settled=True)
    state: IntEnum = stored(Plain(), default=CommandState.ACTIVE)
