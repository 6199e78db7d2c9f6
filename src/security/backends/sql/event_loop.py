"""Running statements of our own from an event loop, without a thread (PostgreSQL with psycopg 3).

A thread costs a request under an ASGI server more: each statement wakes it, and it wakes the event loop again. Here the
loop itself waits for the database, with a few connections that nobody else uses.
What goes wrong on them is left to the threads, which know what to do about it: storing an entry twice changes nothing.
"""

from __future__ import annotations

import asyncio
import os
import select
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Final

from django.db import connections

from security.databases.limits import open_in_time

from . import libpq
from .loop_connection import LoopConnection

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

# As many statements are under way at an alias at once.
_MOST_CONNECTIONS: Final = 4
# How long a connection that could not be opened is not tried again, in seconds.
_PAUSE: Final = 10.0
# How often the statements under way are looked at.
_INTERVAL: Final = 1.0


class _Pool:
    """The connections of one event loop to one alias."""

    def __init__(self, alias: str, loop: AbstractEventLoop) -> None:
        self.alias = alias
        self.loop = loop
        self._idle: list[LoopConnection] = []
        self._busy: set[LoopConnection] = set()
        self._line: deque[Future[LoopConnection | None]] = deque()
        self._opening: Future[BaseDatabaseWrapper | None] | None = None
        self._opens_again_at = 0.0
        self._timer: TimerHandle | None = None
        # Set, for as long as the loop runs, where the site has something done with its connections that could not be
        # done with these, as with DEBUG, and where the loop looks at no sockets.
        self._is_of_no_use = False

    def adopt(self, loop: AbstractEventLoop) -> None:
        """Go on with another loop, as the one before is closed."""
        # The connections look at the loop of their pool, which is still that one.
        for connection in self._busy:
            connection.close()
        idle = self._idle
        self.__init__(self.alias, loop)  # type: ignore[misc]
        self._idle = [connection for connection in idle if self._serves(connection)]

    async def take(self, seconds: float) -> LoopConnection | None:
        """Give a connection, after some seconds at most; None where a thread has to do without."""
        if self._idle:
            connection = self._idle.pop()
            self._busy.add(connection)
            return connection
        if self._is_of_no_use:
            return None
        if len(self._busy) == _MOST_CONNECTIONS:
            return await self._next_in_line(seconds)
        # Opening one blocks, and is not waited for. One at a time: where it is stuck, it is one thread that is, of the
        # loop's own executor, as the log's threads are there to write.
        if self._opening is None and self.loop.time() >= self._opens_again_at:
            self._opening = self.loop.run_in_executor(None, self._open, seconds)
            self._opening.add_done_callback(self._admit)
        return None

    async def _next_in_line(self, seconds: float) -> LoopConnection | None:
        place: Future[LoopConnection | None] = self.loop.create_future()
        self._line.append(place)
        timer = self.loop.call_later(seconds, _leave_line, place)
        try:
            return await place
        except BaseException:  # cancelled, or closed
            given = place.result() if place.done() and not place.cancelled() else None
            if given is not None:
                self.put_back(given)
            raise
        finally:
            timer.cancel()
            with suppress(ValueError):
                self._line.remove(place)

    def put_back(self, connection: LoopConnection) -> None:
        """Let the next in line have a connection."""
        if not connection.is_at_rest():
            self.drop(connection)
            return
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(connection)
                return
        self._busy.discard(connection)
        self._idle.append(connection)

    def drop(self, connection: LoopConnection, cancellation: Event | None = None) -> None:
        """Close a connection that is of no more use."""
        self._busy.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        # Whoever is busy puts a connection back; where nobody is, a thread is sooner than the next connection.
        while self._line and not self._busy:
            _leave_line(self._line.popleft())
        connection.close(cancellation)

    def close(self) -> None:
        """Close all connections."""
        for connection in (*self._idle, *self._busy):
            connection.close()

    def look_after_statements(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(_INTERVAL, self._look)

    def _look(self) -> None:
        self._timer = None
        for connection in tuple(self._busy):
            connection.end_overdue(self.loop.time())
        if self._busy:
            self.look_after_statements()

    def _open(self, seconds: float) -> BaseDatabaseWrapper | None:
        """Open a connection as Django does; None where it would be of no use."""
        wrapper: BaseDatabaseWrapper = connections.create_connection(self.alias)
        # What a pool gives is wanted back soon. Windows has neither this look at a socket nor descriptors of sockets.
        is_suited = wrapper.vendor == "postgresql" and "pool" not in wrapper.settings_dict["OPTIONS"]
        if not is_suited or not hasattr(select, "poll"):
            return None
        open_in_time(wrapper, seconds)
        if libpq.can_execute(wrapper):
            return wrapper
        wrapper.close()
        return None

    def _admit(self, opened: Future[BaseDatabaseWrapper | None]) -> None:
        self._opening = None
        # A thread that writes says what is wrong.
        self._opens_again_at = self.loop.time() + _PAUSE
        if opened.cancelled() or opened.exception() is not None:
            return
        wrapper = opened.result()
        if wrapper is None:
            self._is_of_no_use = True
            return
        try:
            connection = LoopConnection(wrapper, self)
        except OSError:
            # There are no more descriptors.
            wrapper.connection.close()
            return
        if self._serves(connection):
            self._opens_again_at = 0.0
            self._busy.add(connection)
            self.put_back(connection)

    def _serves(self, connection: LoopConnection) -> bool:
        try:
            connection.serve()
        except Exception as error:  # the loop can look at no more sockets, or at none
            self._is_of_no_use = self._is_of_no_use or isinstance(error, NotImplementedError)
            connection.close()
            return False
        return True


# One for each alias, that of one event loop: loops that a site runs in its threads come and go.
_pools: Final[dict[str, _Pool]] = {}
_pools_lock = Lock()


async def run(
    alias: str, statement: Callable[[BaseDatabaseWrapper], tuple[str, Sequence[Any]]], seconds: float
) -> int | None:
    """Run a statement in the running event loop, and give the number of rows that it found.

    None where a thread has to do it; that is also where all connections are busy for some seconds. A statement that
    takes longer is cancelled. Raises the errors of Django's cursors.
    """
    pool = _pool_of(alias)
    connection = None if pool is None else await pool.take(seconds)
    if pool is None or connection is None:
        return None
    wrapper = connection.wrapper
    try:
        sql, parameters = statement(wrapper)
        values = libpq.as_sent(parameters)
        can_execute = libpq.can_execute(wrapper)
    except BaseException:
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
        for pool in _pools.values():
            pool.close()
        _pools.clear()


def _pool_of(alias: str) -> _Pool | None:
    """Give the pool of the running loop; None where another loop has it."""
    loop = asyncio.get_running_loop()
    pool = _pools.get(alias)
    if pool is None or pool.loop is not loop:
        with _pools_lock:
            pool = _pools.setdefault(alias, _Pool(alias, loop))
            if pool.loop.is_closed():
                pool.adopt(loop)
    return pool if pool.loop is loop else None


def _leave_line(place: Future[LoopConnection | None]) -> None:
    if not place.done():
        place.set_result(None)


def _start_anew() -> None:
    # The connections are the parent's; the driver leaves them as they are.
    global _pools_lock
    _pools.clear()
    _pools_lock = Lock()


os.register_at_fork(after_in_child=_start_anew)
