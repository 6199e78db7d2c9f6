"""Ends a write that waits too long, without a statement of its own.

PostgreSQL waits for a locked table for ever unless it is told not to, and telling it costs a statement for each write
or changes the site's own connection. One thread of the process looks after all writes instead, and cancels those whose
time has passed, as `Connection.cancel` of the driver allows from another thread.
"""

from __future__ import annotations

import os
from contextlib import suppress
from threading import Condition, Lock, RLock, Thread
from time import monotonic
from typing import Any, Final

# How often the thread looks, in seconds: to look now and then costs less than to be woken for each write.
_INTERVAL: Final = 0.25
# After as many looks without a write the thread sleeps until the next one.
_IDLE_LOOKS: Final = 40


class _Watch:
    """One write that is watched, for as long as its block runs."""

    __slots__ = ("_driver_connection", "_is_over", "_lock", "_watchdog", "deadline")

    def __init__(self, watchdog: Watchdog, driver_connection: Any, seconds: float) -> None:
        self.deadline = monotonic() + seconds
        self._watchdog = watchdog
        self._driver_connection = driver_connection
        self._lock = Lock()
        self._is_over = False

    def __enter__(self) -> None:
        self._watchdog.add(self)

    def __exit__(self, *args: object) -> None:
        self._watchdog.discard(self)
        # Waits while its own cancellation is under way, so that it can hit no later statement of the site.
        with self._lock:
            self._is_over = True

    def cancel(self) -> None:
        with self._lock:
            if not self._is_over:
                _cancel(self._driver_connection)


class Watchdog:
    """Cancels the statements that it watches when their time has passed, at most `_INTERVAL` later."""

    def __init__(self) -> None:
        # A signal handler or a finalizer can write in the middle of these steps.
        self._lock = RLock()
        self._condition = Condition(self._lock)
        self._watches: set[_Watch] = set()
        self._thread: Thread | None = None
        self._looks_without_write = 0

    def watching(self, driver_connection: Any, seconds: float) -> _Watch:
        """Cancel what `driver_connection` does in the block of what this gives, once `seconds` have passed."""
        return _Watch(self, driver_connection, seconds)

    def add(self, watch: _Watch) -> None:
        # The lock of the condition: to take it by itself costs a call less.
        with self._lock:
            self._watches.add(watch)
            self._wake()

    def discard(self, watch: _Watch) -> None:
        with self._lock:
            self._watches.discard(watch)

    def _wake(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            # At the end of a process no thread can be started any more; what is written then has no limit.
            with suppress(RuntimeError):
                thread = Thread(target=self._run, name="security-log-watchdog", daemon=True)
                thread.start()
                self._thread = thread
        elif self._looks_without_write >= _IDLE_LOOKS:
            self._condition.notify()
        self._looks_without_write = 0

    def _run(self) -> None:
        with self._condition:
            while True:
                now = monotonic()
                for watch in [watch for watch in self._watches if watch.deadline <= now]:
                    self._watches.discard(watch)
                    # A server that hangs takes its time to answer this as well; the other writes do not wait for it.
                    Thread(target=watch.cancel, name="security-log-cancel", daemon=True).start()
                self._looks_without_write = 0 if self._watches else self._looks_without_write + 1
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
