"""Ends a write that waits too long, without a statement of its own.

PostgreSQL waits for a locked table for ever unless it is told not to, and telling it costs a statement for each write
or changes the site's own connection. One thread of the process looks after all writes instead, and cancels those whose
time has passed, as `Connection.cancel` of the driver allows from another thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Thread
from time import monotonic
from typing import Any, Final

# How often the thread looks, in seconds: to look now and then costs less than to be woken for each write.
_INTERVAL: Final = 0.25
# After as many looks without a write the thread sleeps until the next one.
_IDLE_LOOKS: Final = 40


class Watchdog:
    """Cancels the statements that it watches when their time has passed, at most `_INTERVAL` later."""

    def __init__(self) -> None:
        self._condition = Condition()
        self._deadlines: dict[object, tuple[float, Any]] = {}
        self._thread: Thread | None = None
        self._looks_without_write = 0

    @contextmanager
    def watching(self, driver_connection: Any, seconds: float) -> Iterator[None]:
        """Cancel what `driver_connection` does in this block once `seconds` have passed."""
        ticket = object()
        with self._condition:
            self._deadlines[ticket] = (monotonic() + seconds, driver_connection)
            self._wake()
        try:
            yield
        finally:
            # Waits while a cancellation is under way, so that it can hit no later statement of the site.
            with self._condition:
                del self._deadlines[ticket]

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._run, name="security-log-watchdog", daemon=True)
            self._thread.start()
        elif self._looks_without_write >= _IDLE_LOOKS:
            self._condition.notify()
        self._looks_without_write = 0

    def _run(self) -> None:
        with self._condition:
            while True:
                for ticket, (deadline, driver_connection) in list(self._deadlines.items()):
                    if deadline <= monotonic():
                        self._deadlines[ticket] = (float("inf"), driver_connection)
                        _cancel(driver_connection)
                self._looks_without_write = 0 if self._deadlines else self._looks_without_write + 1
                self._condition.wait(_INTERVAL if self._looks_without_write < _IDLE_LOOKS else None)


def _cancel(driver_connection: Any) -> None:
    try:
        # psycopg 3 has a variant that waits for the server's answer for a limited time.
        if hasattr(driver_connection, "cancel_safe"):
            driver_connection.cancel_safe(timeout=1.0)
        else:
            driver_connection.cancel()
    except Exception:  # noqa: S110 the connection is gone, and with it the statement
        pass


watchdog = Watchdog()


def _start_anew() -> None:
    # A forked process has neither the thread nor the writes.
    watchdog.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_start_anew)
