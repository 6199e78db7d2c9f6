"""Signals that end a process at once, noted before they do.

The process dies of the signal just as it would have: no `finally` runs, and its parent sees the signal as the cause.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextvars import copy_context
from threading import Thread, current_thread, main_thread
from types import FrameType
from typing import Final

from security.config import settings

_SIGNALS: Final = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGBREAK") if hasattr(signal, name)
)


class Terminations:
    """Calls `note` with the reason when a signal is about to end this process, and `prepare` before it.

    `note` is called in a thread of its own, `prepare` in the main thread, whose locks no other thread can take then.
    A signal that the command handles itself, or that it ignores, is left to it.
    """

    def __init__(self, prepare: Callable[[], None], note: Callable[[str], None]) -> None:
        self._prepare = prepare
        self._note = note
        self._owner = os.getpid()
        self._taken: list[signal.Signals] = []

    def open(self) -> None:
        if current_thread() is not main_thread():
            return
        for number in _SIGNALS:
            if signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._end_process)
                self._taken.append(number)

    def close(self) -> None:
        for number in self._taken:
            if signal.getsignal(number) == self._end_process:
                signal.signal(number, signal.SIG_DFL)
        self._taken = []

    def _end_process(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() == self._owner:
            # The main thread may be in the middle of a statement: another thread has a connection of its own. A log
            # that cannot be reached in its time does not keep the process alive.
            self._prepare()
            reason = f"The process was ended by the signal {signal.Signals(number).name}."
            thread = Thread(target=copy_context().run, args=(self._note, reason), daemon=True)
            thread.start()
            thread.join(settings.LOG_DB_TIMEOUT + 1)
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
