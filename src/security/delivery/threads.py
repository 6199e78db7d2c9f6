"""Where blocking work runs: in the caller's thread, or, under an ASGI server, in threads of our own.

An ASGI server gives each request a thread of its own for blocking code, and with it a new database connection for each
request. The log's few threads keep theirs. Under a test client there is no such server, and a write joins the thread of
the test, and with it the test's transaction.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier, BoundedSemaphore, Lock, local
from typing import Any, Final, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

from security.databases.at_rest import is_of_pool

P = ParamSpec("P")
R = TypeVar("R")

# As many writes of one process wait for a store at once, each with a connection of its own.
_WRITERS: Final = 4
# What is read on the side has threads of its own: where it is stuck, it holds up no write.
_READERS: Final = 4
_here: Final = local()


class NotDoneInTimeError(TimeoutError):
    """Work takes longer than its caller waits for it."""

    def __init__(self, work: Future[Any] | None = None) -> None:
        super().__init__("It took too long; the site waits for it no longer.")
        # What a thread goes on with; None for what has not begun, and never will.
        self.work = work


class _Threads:
    """A few threads, which start with their first work and start anew in a forked process."""

    def __init__(self, name: str, count: int) -> None:
        self._name = name
        self._count = count
        self.forget()

    def forget(self) -> None:
        # A forked process has the object but not its threads, nor whoever held the lock.
        self._executor: ThreadPoolExecutor | None = None
        self._starting = Lock()
        self.free = BoundedSemaphore(self._count)
        self._given_up: set[Future[Any]] = set()

    def submit(self, work: Callable[[], R]) -> Future[R]:
        try:
            with self._starting:
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(self._count, self._name, initializer=_mark_thread)
                return self._executor.submit(work)
        except RuntimeError:
            # Python takes no more work for threads when it ends, and starts none when too many are there.
            return _done_here(work)

    def expect_none_stuck(self) -> None:
        """Raise `NotDoneInTimeError` where all threads are at work that nobody waits for any more."""
        if len(self._given_up) >= self._count:
            raise NotDoneInTimeError

    def give_up(self, work: Future[Any]) -> NotDoneInTimeError:
        """Wait no longer for some work, and drop it where it has not begun; gives the error to raise."""
        if work.cancel():
            return NotDoneInTimeError()
        given_up = self._given_up
        given_up.add(work)
        work.add_done_callback(given_up.discard)
        return NotDoneInTimeError(work)

    def end(self) -> None:
        """End the threads and close their connections, once their work is done."""
        if self._executor is None:
            return
        # Each thread has to close its own: all of them meet before one of them can take two.
        meeting = Barrier(self._count)
        for _ in range(self._count):
            self._executor.submit(_close_connections, meeting)
        self._executor.shutdown()
        self.forget()


_writers: Final = _Threads("security-log", _WRITERS)
_readers: Final = _Threads("security-read", _READERS)


def run_blocking(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` and give its result, from synchronous code."""
    if not is_under_asgi_server():
        return work(*args, **kwargs)
    return _writers.submit(_bound(work, *args, **kwargs)).result()


def run_for(seconds: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do as `run_blocking`, and wait for what a thread does for some seconds at most.

    Raises `NotDoneInTimeError` when they have passed, and at once where all threads are stuck.
    """
    if not is_under_asgi_server():
        return work(*args, **kwargs)
    _writers.expect_none_stuck()
    future = _writers.submit(_bound(work, *args, **kwargs))
    try:
        return future.result(seconds)
    except TimeoutError:
        if future.done():
            # It is the work's own, or the work ended just now.
            return future.result()
        raise _writers.give_up(future) from None


async def arun_blocking(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` and give its result, from a coroutine; a cancelled caller does not stop it."""
    if not is_under_asgi_server():
        return await asyncio.shield(sync_to_async(work, thread_sensitive=True)(*args, **kwargs))
    _, told = _started(_bound(work, *args, **kwargs))
    return await told


async def arun_for(seconds: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Do as `run_for`, from a coroutine; a cancelled caller does not stop the work."""
    if not is_under_asgi_server():
        return await arun_blocking(work, *args, **kwargs)
    _writers.expect_none_stuck()
    future, told = _started(_bound(work, *args, **kwargs))

    def give_up() -> None:
        if not told.done():
            told.set_exception(_writers.give_up(future))

    timer = told.get_loop().call_later(seconds, give_up)
    try:
        return await told
    finally:
        timer.cancel()


async def arun_reading(seconds: float, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` from a coroutine, for some seconds at most, and so that no write waits for it.

    Raises `TimeoutError` when the time has passed, and at once where as much as may be is waiting already.
    """
    if not is_under_asgi_server():
        return await arun_blocking(work, *args, **kwargs)
    if not _readers.free.acquire(blocking=False):
        raise TimeoutError
    future = _readers.submit(_bound(work, *args, **kwargs))
    future.add_done_callback(lambda done: _readers.free.release())
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)


def start_blocking(work: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Have work done by a thread of our own, and wait for nothing.

    Raises `NotDoneInTimeError` where all threads are stuck.
    """
    _writers.expect_none_stuck()
    _writers.submit(_bound(work, *args, **kwargs))


def run_apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` in a thread of our own in any case, and give its result."""
    if is_own_thread():
        # All of them may be here, each waiting for another one.
        return work(*args, **kwargs)
    return _writers.submit(_bound(work, *args, **kwargs)).result()


def is_in_event_loop() -> bool:
    """Tell whether this thread runs an event loop just now, where Django lets nobody use a database."""
    return asyncio._get_running_loop() is not None  # noqa: SLF001 documented, and cheaper than an exception


def is_under_asgi_server() -> bool:
    """Tell whether blocking work has to go to the log's threads here."""
    # What runs in one of our threads already must not wait for another one.
    return SyncToAsync.thread_sensitive_context.get(None) is not None and not is_own_thread()


def is_own_thread() -> bool:
    """Tell whether this is one of the log's threads, which keep their connections."""
    return hasattr(_here, "is_ours")


def end_threads() -> None:
    """End the log's threads and close their connections, once their work is done; the next work starts new ones."""
    _writers.end()
    _readers.end()


def _done_here(work: Callable[[], R]) -> Future[R]:
    future: Future[R] = Future()
    try:
        future.set_result(work())
    except BaseException as error:  # as a thread would hand it on
        future.set_exception(error)
    return future


def _bound(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Callable[[], R]:
    """Give `work` with its arguments and the context of the caller."""
    context = copy_context()

    def bound() -> R:
        try:
            return context.run(work, *args, **kwargs)
        finally:
            # Where no thread can be had, this is the site's own.
            if is_own_thread():
                _tend_connections()

    return bound


def _started(bound: Callable[[], R]) -> tuple[Future[None], asyncio.Future[R]]:
    """Have work done by a thread; gives the thread's future, and the one of the running loop that is told of it."""
    loop = asyncio.get_running_loop()
    told: asyncio.Future[R] = loop.create_future()

    def run() -> None:
        # What `asyncio.wrap_future` and `shield` do together, with fewer turns of the loop.
        try:
            result = bound()
        except BaseException as error:  # as the thread's own future would hand it on
            _tell(loop, told, told.set_exception, error)
        else:
            _tell(loop, told, told.set_result, result)

    return _writers.submit(run), told


def _tell(
    loop: asyncio.AbstractEventLoop, told: asyncio.Future[Any], settle: Callable[[Any], None], outcome: object
) -> None:
    """Settle a future of a loop from another thread, unless its caller was cancelled.

    Raises `RuntimeError` where the loop is closed: then nobody waits, and the thread's own future keeps the error.
    """
    loop.call_soon_threadsafe(lambda: None if told.done() else settle(outcome))


def _mark_thread() -> None:
    _here.is_ours = True


def _tend_connections() -> None:
    """Close what went wrong, or is a pool's: no request ends in these threads, at whose end Django would do so."""
    for connection in connections.all(initialized_only=True):
        if is_of_pool(connection) or (connection.errors_occurred and not connection.in_atomic_block):
            connection.close()


def _close_connections(meeting: Barrier) -> None:
    meeting.wait()
    connections.close_all()


def _forget_threads() -> None:
    _writers.forget()
    _readers.forget()


os.register_at_fork(after_in_child=_forget_threads)
