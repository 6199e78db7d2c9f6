"""One run of a command: its record from its beginning to its end, whatever the end is."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any

from security.context import inside
from security.delivery import deliver
from security.enums import CommandState, Event
from security.faults import log_fault
from security.recording import begin, complete, make_entry
from security.records import CommandRecord
from security.tracebacks import traceback_of

from .output import OutputCapture
from .termination import Terminations


class RecordedRun:
    """Records the command that runs in its block, and lets every exception pass as it is."""

    def __init__(
        self,
        name: str,
        words: Sequence[str],
        streams: Iterable[Any] = (),
        *,
        is_executed_from_command_line: bool = False,
    ) -> None:
        self.record = CommandRecord(name=name, input=words, is_executed_from_command_line=is_executed_from_command_line)
        self._streams = [sys.stdout, sys.stderr, *streams]
        self._capture = OutputCapture(self._flush, everywhere=is_executed_from_command_line)
        self._terminations = Terminations(self._note_output, self._terminate) if is_executed_from_command_line else None
        self._scope: AbstractContextManager[None] = inside(self.record)
        self._owner = os.getpid()

    def __enter__(self) -> None:
        # What storing the beginning prints is none of the command's output, so the capture opens after it.
        _guarded(lambda: deliver(begin(self.record)))
        self._scope.__enter__()
        _guarded(lambda: self._capture.open(self._streams))
        if self._terminations is not None:
            _guarded(self._terminations.open)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._terminations is not None:
            _guarded(self._terminations.close)
        _guarded(self._capture.close)
        self._scope.__exit__(None, None, None)
        # A child that the command forked may run to the end of this block, too; the record is its parent's.
        if os.getpid() == self._owner:
            _guarded(lambda: self._end(error))

    def _end(self, error: BaseException | None) -> None:
        # Whatever goes wrong with the output, the end of the command is recorded.
        _guarded(self._note_output)
        cause = _cause_of(error)
        if cause is None:
            deliver(complete(self.record, Event.FINISHED))
            return
        state = CommandState.TERMINATED if isinstance(cause, KeyboardInterrupt) else None
        deliver(complete(self.record, Event.ERROR, state=state, error_message=traceback_of(cause)))

    def _note_output(self) -> None:
        self.record.output = self._capture.text

    def _flush(self) -> None:
        """Store the output as far as it is."""

        def store() -> None:
            self._note_output()
            deliver(make_entry(self.record, Event.OUTPUT_UPDATED))

        _guarded(store)

    def _terminate(self, reason: str) -> None:
        deliver(complete(self.record, Event.ERROR, state=CommandState.TERMINATED, error_message=reason))


def _cause_of(error: BaseException | None) -> BaseException | None:
    """Tell why a command failed; None if it did not."""
    if not isinstance(error, SystemExit):
        return error
    if error.code in (None, 0):
        return None
    # Django and many commands turn an error, or Ctrl-C, into an exit; what they turned is its context.
    return error.__context__ or error


def _guarded(work: Any) -> None:
    """Keep a fault of the logger from becoming the command's."""
    try:
        work()
    except Exception:
        log_fault("A command could not be recorded in full; it goes on.")
