"""Running statements of our own from an event loop, without a thread (PostgreSQL with psycopg 3).

A thread costs a request under an ASGI server more than all else that the log does: each statement wakes it, and it
wakes the event loop again. Here the loop itself waits for the database, with a few connections that nobody else uses.
What goes wrong on them is left to the threads, which know what to do about it: storing an entry twice changes nothing.
"""

from __future__ import annotations

import asyncio
import os
from asyncio import AbstractEventLoop, Future
from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from django.db import connections

from security.databases.limits import open_in_time
from security.databases.watchdog import HangingError, Watch, watchdog

from . import libpq

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# As many statements of one event loop are under way at an alias at once.
_MOST_CONNECTIONS: Final = 4


class _Connection:
    """A connection that an event loop serves: one statement at a time."""

    def __init__(self, wrapper: BaseDatabaseWrapper, pool: _Pool) -> None:
        self.wrapper = wrapper
        self._pool = pool
        self._driver_connection: Any = wrapper.connection
        self._pgconn: Any = self._driver_connection.pgconn
        self._socket: int = self._pgconn.socket
        self._watch: Watch | None = None
        self._outcome: Future[Any] | None = None
        self._result: Any = None

    def serve(self) -> None:
        """Have the running loop look at what the server sends, be it that it hangs up."""
        self._pool.loop.add_reader(self._socket, self._read)

    def start(self, sql: bytes, values: Sequence[bytes | None], seconds: float) -> Future[Any]:
        """Begin a statement; gives its result once it is there.

        It goes on where nobody waits for it any more.
        """
        self._outcome = outcome = self._pool.loop.create_future()
        self._watch = watchdog.watching(self._driver_connection, seconds)
        try:
            self._pgconn.send_query_params(sql, values)
            if self._pgconn.flush():
                self._pool.loop.add_writer(self._socket, self._send)
        except Exception as error:  # the connection is lost
            self._end(error)
        return outcome

    def close(self) -> None:
        """Close the connection, for good."""
        if not self._pool.loop.is_closed():
            self._pool.loop.remove_reader(self._socket)
            self._pool.loop.remove_writer(self._socket)
        self._driver_connection.close()

    def _send(self) -> None:
        try:
            if self._pgconn.flush():
                return
        except Exception as error:  # the connection is lost
            self._end(error)
        else:
            self._pool.loop.remove_writer(self._socket)

    def _read(self) -> None:
        try:
            self._pgconn.consume_input()
            while not self._pgconn.is_busy():
                result = self._pgconn.get_result()
                if result is None:
                    self._end(None)
                    return
                self._result = result
        except Exception as error:  # the connection is lost
            self._end(error)

    def _end(self, error: Exception | None) -> None:
        """End the statement, if one is under way; `error` says that the connection is of no more use."""
        outcome, self._outcome = self._outcome, None
        watch, self._watch = self._watch, None
        result, self._result = self._result, None
        was_cancelled = watch is not None and watch.let_go()
        if was_cancelled and result is None:
            error = HangingError()
        if outcome is not None and not outcome.done():
            if error is None:
                outcome.set_result(result)
            else:
                outcome.set_exception(error)
        # A cancellation that is under way could hit the next statement.
        if error is not None or was_cancelled:
            self._pool.drop(self)
        elif outcome is not None:
            self._pool.put_back(self)


class _Pool:
    """The connections of one event loop to one alias."""

    def __init__(self, alias: str, loop: AbstractEventLoop) -> None:
        self.alias = alias
        self.loop = loop
        self._idle: list[_Connection] = []
        self._busy: set[_Connection] = set()
        self._line: deque[Future[_Connection | None]] = deque()
        self._opening: Future[BaseDatabaseWrapper | None] | None = None
        # Set where what the site does with its connections could not do it with these.
        self._is_of_no_use = False

    def adopt(self, loop: AbstractEventLoop) -> None:
        """Go on with another loop, as the one before is closed."""
        for connection in self._busy:
            connection.close()
        self.loop = loop
        self._busy.clear()
        self._line.clear()
        self._opening = None
        for connection in self._idle:
            connection.serve()

    async def take(self, seconds: float) -> _Connection | None:
        """Give a connection, after some seconds at most; None where a thread has to do without."""
        if self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            return connection
        if self._is_of_no_use:
            return None
        if len(self._busy) < _MOST_CONNECTIONS:
            # Opening one blocks, and is not waited for. One at a time: where it is stuck, it is one thread that is.
            if self._opening is None:
                self._opening = self.loop.run_in_executor(None, self._open, seconds)
                self._opening.add_done_callback(self._admit)
            return None
        return await self._next_in_line(seconds)

    async def _next_in_line(self, seconds: float) -> _Connection | None:
        place: Future[_Connection | None] = self.loop.create_future()
        self._line.append(place)
        timer = self.loop.call_later(seconds, _leave_line, place)
        try:
            return await place
        except asyncio.CancelledError:
            given = place.result() if place.done() and not place.cancelled() else None
            if given is not None:
                self.put_back(given)
            raise
        finally:
            timer.cancel()

    def put_back(self, connection: _Connection) -> None:
        """Let the next in line have a connection."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(connection)
                return
        self._busy.discard(connection)
        self._idle.append(connection)

    def drop(self, connection: _Connection) -> None:
        """Close a connection that is of no more use."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        connection.close()
        while self._line and not self._busy:
            _leave_line(self._line.popleft())

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._idle, *self._busy):
            connection.close()

    def _open(self, seconds: float) -> BaseDatabaseWrapper | None:
        """Open a connection as Django does; None where it would be of no use."""
        wrapper: BaseDatabaseWrapper = connections.create_connection(self.alias)
        # What a pool gives is wanted back soon.
        if wrapper.vendor != "postgresql" or "pool" in wrapper.settings_dict["OPTIONS"]:
            return None
        open_in_time(wrapper, seconds)
        if libpq.can_execute(wrapper):
            return wrapper
        wrapper.close()
        return None

    def _admit(self, opened: Future[BaseDatabaseWrapper | None]) -> None:
        self._opening = None
        if opened.cancelled() or opened.exception() is not None:
            # A thread that writes says what is wrong.
            return
        wrapper = opened.result()
        if wrapper is None:
            self._is_of_no_use = True
            return
        connection = _Connection(wrapper, self)
        try:
            connection.serve()
        except NotImplementedError:
            # Not every event loop looks at sockets.
            self._is_of_no_use = True
            wrapper.connection.close()
            return
        self._busy.add(connection)
        self.put_back(connection)


_pools: Final[list[_Pool]] = []
_pools_lock = Lock()


async def run(
    alias: str, statement: Callable[[BaseDatabaseWrapper], tuple[str, Sequence[Any]]], seconds: float
) -> int | None:
    """Run a statement in the running event loop, and give the number of rows that it found.

    None where a thread has to do it; that is also where all connections are busy for some seconds. A statement that
    takes longer is cancelled. Raises the errors of Django's cursors.
    """
    pool = _pool_of(alias)
    connection = await pool.take(seconds)
    if connection is None:
        return None
    wrapper = connection.wrapper
    try:
        sql, parameters = statement(wrapper)
        values = libpq.as_sent(parameters)
        can_execute = libpq.can_execute(wrapper)
    except Exception:
        pool.put_back(connection)
        raise
    if values is None or not can_execute:
        pool.put_back(connection)
        return None
    with wrapper.wrap_database_errors:
        return libpq.rows_found(wrapper, await connection.start(libpq.with_dollars(sql), values, seconds))


def close_connections() -> None:
    """Close the connections of all event loops, none of which may be running; the next statements open new ones."""
    with _pools_lock:
        for pool in _pools:
            pool.close()
        _pools.clear()


def _pool_of(alias: str) -> _Pool:
    loop = asyncio.get_running_loop()
    for pool in _pools:
        if pool.loop is loop and pool.alias == alias:
            return pool
    with _pools_lock:
        for pool in _pools:
            if pool.alias == alias and pool.loop.is_closed():
                pool.adopt(loop)
                return pool
        _pools.append(pool := _Pool(alias, loop))
        return pool


def _leave_line(place: Future[_Connection | None]) -> None:
    if not place.done():
        place.set_result(None)


def _start_anew() -> None:
    # The connections are the parent's; the driver leaves them as they are.
    global _pools_lock
    _pools.clear()
    _pools_lock = Lock()


os.register_at_fork(after_in_child=_start_anew)
