"""Ends a statement that waits too long, without a statement of its own.

PostgreSQL waits for a locked table for ever unless it is told not to, and telling it costs a statement for each write
or changes the site's own connection. One thread of the process looks after all writes instead, and cancels those whose
time has passed, as `Connection.cancel` of the driver allows from another thread. A server that hangs hears of no
cancellation either: then the connection to it is shut down.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from threading import Condition, Event, RLock, Thread
from time import monotonic
from typing import Any, Final
from weakref import WeakKeyDictionary, WeakSet, ref

from django.db import OperationalError

# How often the thread looks, in seconds: to look now and then costs less than to be woken for each write.
_INTERVAL: Final = 0.25
# After as many looks without a write the thread sleeps until the next one.
_IDLE_LOOKS: Final = 40
# How long a server may take for a cancellation, and a statement to end after its time has passed, in seconds.
_CANCEL_SECONDS: Final = 1.0
_PATIENCE: Final = 2.0

# Of PostgreSQL's protocol: may this connection be encrypted? A server answers each with a byte, and at once.
_SSL_REQUEST: Final = b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
# `PQTRANS_ACTIVE`: a statement is under way.
_ACTIVE: Final = 1


class HangingError(OperationalError):
    """The database did not answer, nor heed a cancellation; the connection to it is of no more use."""

    def __init__(self) -> None:
        super().__init__("The database does not answer; the connection to it was shut down.")


class Watch:
    """Looks after one connection: it is kept from write to write, and limits one at a time."""

    __slots__ = (
        "__weakref__",
        "_cancellation",
        "_cancelled",
        "_connection",
        "_lock",
        "deadline",
        "has_hung_up",
        "may_hang_up",
    )

    def __init__(self, driver_connection: Any) -> None:
        self.deadline: float | None = None
        self.may_hang_up = True
        # Who used the connection has to close it then, and to open another one.
        self.has_hung_up = False
        self._cancelled: float | None = None
        self._cancellation: Event | None = None
        self._connection = ref(driver_connection)
        # A signal handler can write in the middle of another write's steps.
        self._lock = RLock()

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        self.deadline = None
        # Its connection is not shut down after this.
        with self._lock:
            cancellation = self._cancellation
        if cancellation is not None:
            self._outlive(cancellation, error)

    def let_go(self) -> Event | None:
        """Do as the end of a block, and wait for nothing.

        Gives what is set when a cancellation is over, if one began or the connection was shut down: it may be used no
        more, as its next statement could be hit.
        """
        self.deadline = None
        with self._lock:
            cancellation, self._cancellation = self._cancellation, None
        return cancellation

    def take_overdue(self, now: float) -> float | None:
        """Give the deadline that has passed, once."""
        deadline = self.deadline
        if deadline is None or deadline > now or deadline == self._cancelled:
            return None
        self._cancelled = deadline
        return deadline

    def put_off(self) -> None:
        """Let the deadline that was taken be taken once more."""
        self._cancelled = None

    def cancel(self, deadline: float) -> None:
        """Cancel the write that was to end at `deadline`, unless it has ended."""
        with self._lock:
            if self.deadline != deadline:
                return
            self._cancellation = cancellation = Event()
        try:
            _cancel(self._connection())
        finally:
            cancellation.set()

    def hang_up(self, now: float) -> None:
        """Shut the connection down if its write goes on though it was cancelled; waits for nothing."""
        deadline = self.deadline
        if deadline is None or deadline + _PATIENCE > now:
            return
        # Whoever holds the lock may be waiting for the watchdog.
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self.deadline == deadline:
                # An exception of a signal handler can end a write between any two steps; it is looked at once.
                self.deadline = None
                if self.may_hang_up and _shut_down(self._connection()):
                    self.has_hung_up = True
                    self._cancellation = self._cancellation or Event()
        finally:
            self._lock.release()

    def _outlive(self, cancellation: Event, error: BaseException | None) -> None:
        """Wait while the own cancellation is under way, so that it can hit no later statement of the site."""
        self._cancellation = None
        if not self.has_hung_up and not cancellation.wait(_PATIENCE if self.may_hang_up else None):
            # There will be no later statement.
            self.has_hung_up = True
        if self.has_hung_up and isinstance(error, Exception):
            raise HangingError from error


class Watchdog:
    """Cancels the statements that it watches when their time has passed, at most `_INTERVAL` later."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._condition = Condition(self._lock)
        self._watches: WeakKeyDictionary[Any, Watch] = WeakKeyDictionary()
        self._more_watches: WeakSet[Watch] = WeakSet()
        self._thread: Thread | None = None
        self._is_asleep = True

    def watching(self, driver_connection: Any, seconds: float, *, may_hang_up: bool = True) -> Watch:
        """Cancel what `driver_connection` does in the block of what this gives, once `seconds` have passed.

        Where that is of no use, the connection is shut down, if it may be: the block ends with a `HangingError`.
        """
        watch = self._watches.get(driver_connection)
        if watch is None or watch.deadline is not None:
            watch = self._add(driver_connection)
        watch.may_hang_up = may_hang_up
        watch.deadline = monotonic() + seconds
        # The deadline comes first: a thread that is falling asleep sees either it, or this question too late to sleep.
        if self._is_asleep:
            self._wake()
        return watch

    def _add(self, driver_connection: Any) -> Watch:
        watch = Watch(driver_connection)
        # The lock of the condition itself: it is taken in one step, which no signal handler can fall into.
        with self._lock:
            if self._watches.setdefault(driver_connection, watch) is not watch:
                # Another write of the same connection is under way, in another thread or around a signal handler.
                self._more_watches.add(watch)
        return watch

    def _wake(self) -> None:
        # It counts as awake once it is: where a signal handler or a lack of threads ends this, it is tried again.
        with self._lock, suppress(RuntimeError):
            if self._thread is not None and self._thread.is_alive():
                self._condition.notify()
            else:
                thread = Thread(target=self._run, name="security-log-watchdog", daemon=True)
                thread.start()
                self._thread = thread
            self._is_asleep = False

    def _run(self) -> None:
        try:
            self._look_after_writes()
        finally:
            self._is_asleep = True

    def _look_after_writes(self) -> None:
        looks_without_write = 0
        with self._condition:
            while True:
                self._is_asleep = looks_without_write >= _IDLE_LOOKS
                watches = [*self._watches.values(), *self._more_watches]
                if any(watch.deadline is not None for watch in watches):
                    looks_without_write = 0
                    self._is_asleep = False
                else:
                    looks_without_write += 1
                now = monotonic()
                for watch in watches:
                    deadline = watch.take_overdue(now)
                    if deadline is not None:
                        self._start_to_cancel(watch, deadline)
                    watch.hang_up(now)
                watches.clear()
                if self._condition.wait(None if self._is_asleep else _INTERVAL):
                    looks_without_write = 0

    def _start_to_cancel(self, watch: Watch, deadline: float) -> None:
        try:
            # A server that hangs takes its time to answer this too; the other writes do not wait for it.
            Thread(target=watch.cancel, args=[deadline], name="security-log-cancel", daemon=True).start()
        except RuntimeError:
            # There are too many threads just now.
            watch.put_off()


def _cancel(driver_connection: Any) -> None:
    try:
        if _can_cancel_in_time(driver_connection):
            driver_connection.cancel_safe(timeout=_CANCEL_SECONDS)
        elif _answers(driver_connection):
            driver_connection.cancel()
    except Exception:  # noqa: S110 the connection is gone, and with it the statement
        pass


def _can_cancel_in_time(driver_connection: Any) -> bool:
    """Tell whether the driver waits for the answer to a cancellation for a limited time (psycopg 3 with libpq 17)."""
    if not hasattr(driver_connection, "cancel_safe"):
        return False
    from psycopg import capabilities

    return capabilities.has_cancel_safe()


def _answers(driver_connection: Any) -> bool:
    """Tell whether the server of a connection answers: an old libpq would wait for it, and all of Python with it."""
    info = getattr(driver_connection, "info", None)
    if info is None:
        return True
    # The names that an address has been given for, or a directory with a socket.
    host, port = getattr(info, "hostaddr", None) or info.host or "localhost", int(info.port)
    try:
        if host.startswith("/"):
            probe = socket.socket(socket.AF_UNIX)
            probe.settimeout(_CANCEL_SECONDS)
            probe.connect(f"{host}/.s.PGSQL.{port}")
        else:
            probe = socket.create_connection((host, port), _CANCEL_SECONDS)
        with probe:
            probe.sendall(_SSL_REQUEST)
            return bool(probe.recv(1))
    except OSError:
        return False


def _shut_down(driver_connection: Any) -> bool:
    """Shut down the socket on which a statement is under way; its owner notices, and closes it."""
    try:
        if int(driver_connection.info.transaction_status) != _ACTIVE:
            return False
        number = driver_connection.fileno()
        with socket.socket(fileno=os.dup(number)) as own:
            # Where libpq closed it meanwhile, the number can be another socket's by now.
            if driver_connection.fileno() != number:
                return False
            own.shutdown(socket.SHUT_RDWR)
    except Exception:  # the connection is gone, and with it the statement
        return False
    return True


watchdog = Watchdog()


def _start_anew() -> None:
    # A forked process has neither the thread nor the writes.
    watchdog.__init__()  # type: ignore[misc]


os.register_at_fork(after_in_child=_start_anew)
