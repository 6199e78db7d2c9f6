"""A connection that an event loop serves: it sends a statement, and is told by the loop when there is an answer."""

from __future__ import annotations

import os
import select
from asyncio import AbstractEventLoop, Future
from collections.abc import Sequence
from contextlib import suppress
from threading import Event
from typing import TYPE_CHECKING, Any, Final, Protocol

from security.databases.watchdog import HangingError, Watch, watchdog

from . import libpq

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# How long the watchdog may take to end a statement whose time has passed, or a cancellation to end: longer than its own
# patience and a look before and after it.
_PATIENCE: Final = 4.0


class Keeper(Protocol):
    """Whoever keeps connections, and is told what becomes of their statements."""

    loop: AbstractEventLoop

    def look_after_statements(self) -> None:
        """Have `end_overdue` called now and then, as a statement is under way."""

    def put_back(self, connection: LoopConnection) -> None:
        """Take back a connection whose statement has ended."""

    def drop(self, connection: LoopConnection, cancellation: Event | None = None) -> None:
        """Close a connection that is of no more use."""


class LoopConnection:
    """A connection that an event loop serves: one statement at a time."""

    def __init__(self, wrapper: BaseDatabaseWrapper, pool: Keeper) -> None:
        self.wrapper = wrapper
        self._pool = pool
        self._driver_connection: Any = wrapper.connection
        self._pgconn: Any = self._driver_connection.pgconn
        # libpq closes its own where it notices a loss, and the number can be that of a socket of the site's at once.
        self._descriptor = os.dup(self._pgconn.socket)
        self._is_closed = False
        self._outcome: Future[Any] | None = None
        self._result: Any = None
        self._watch: Watch | None = None
        self._deadline = 0.0

    def serve(self) -> None:
        """Have the loop look at what the server sends, be it that it hangs up."""
        self._pool.loop.add_reader(self._descriptor, self._read)

    def is_at_rest(self) -> bool:
        """Tell whether a statement could begin."""
        return not self._is_closed and self._outcome is None and libpq.is_at_rest(self._pgconn)

    def start(self, sql: bytes, values: Sequence[bytes | None], seconds: float) -> Future[Any]:
        """Begin a statement; gives its result once it is there.

        It goes on where nobody waits for it any more.
        """
        loop = self._pool.loop
        self._outcome = outcome = loop.create_future()
        self._watch = watchdog.watching(self._driver_connection, seconds)
        self._deadline = loop.time() + seconds + _PATIENCE
        self._pool.look_after_statements()
        try:
            self._pgconn.send_query_params(sql, values)
            if self._pgconn.flush():
                loop.add_writer(self._descriptor, self._send)
        except Exception as error:  # the connection is lost
            self._end(error)
        return outcome

    def end_overdue(self, now: float) -> None:
        """End a statement that nothing else ended: a loop can miss what a socket says."""
        if self._outcome is None or now <= self._deadline:
            return
        # Where the site kept the loop busy, the end may be there, and the loop looks at its timers first.
        self._read()
        if self._outcome is not None:
            self._end(HangingError())

    def close(self, cancellation: Event | None = None) -> None:
        """Close the connection for good, once a cancellation that is under way has left it alone."""
        if self._is_closed:
            # The number of the descriptor can be another one's by now.
            return
        self._is_closed = True
        if not self._pool.loop.is_closed():
            with suppress(NotImplementedError):
                self._pool.loop.remove_writer(self._descriptor)
                self._pool.loop.remove_reader(self._descriptor)
        os.close(self._descriptor)
        if cancellation is not None and not cancellation.is_set():
            with suppress(RuntimeError):
                # RuntimeError: there are too many threads just now.
                self._pool.loop.run_in_executor(None, _close_after, cancellation, self._driver_connection)
                return
        self._driver_connection.close()

    def _send(self) -> None:
        if self._is_closed:
            return
        try:
            if not self._pgconn.flush():
                self._pool.loop.remove_writer(self._descriptor)
        except Exception as error:  # the connection is lost
            self._end(error)

    def _read(self) -> None:
        if self._is_closed:
            return
        try:
            while True:
                self._pgconn.consume_input()
                has_ended = False
                while not has_ended and not self._pgconn.is_busy():
                    result = self._pgconn.get_result()
                    has_ended = result is None
                    self._result = result or self._result
                # uvloop says only once that a connection is lost, although its last words are to be read first.
                if not _can_be_read(self._descriptor):
                    break
        except Exception as error:  # the connection is lost
            self._end(error)
        else:
            if has_ended:
                self._end(None)

    def _end(self, error: Exception | None) -> None:
        """End the statement, if one is under way; `error` says that the connection is of no more use."""
        outcome, self._outcome = self._outcome, None
        watch, self._watch = self._watch, None
        result, self._result = self._result, None
        cancellation = None if watch is None else watch.let_go()
        if cancellation is not None:
            error = HangingError()
        if outcome is not None and not outcome.done():
            # What the server said before it was lost counts.
            if result is not None or error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)
        # A cancellation that is under way could hit the next statement; and some errors say that the server is no more
        # what it was.
        is_as_before = error is None and (result is None or libpq.has_succeeded(result))
        if not is_as_before:
            self._pool.drop(self, cancellation)
        elif outcome is not None:
            self._pool.put_back(self)


def _can_be_read(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))


def _close_after(cancellation: Event, driver_connection: Any) -> None:
    cancellation.wait(_PATIENCE)
    driver_connection.close()
