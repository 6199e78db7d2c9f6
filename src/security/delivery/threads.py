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
from typing import Final, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

# As many writes of one process wait for a store at once, each with a connection of its own.
_WRITERS: Final = 4
# What is read on the side has threads of its own: where it is stuck, it holds up no write.
_READERS: Final = 4
_here: Final = local()


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

    def submit(self, work: Callable[[], R]) -> Future[R]:
        try:
            with self._starting:
                if self._executor is None:
                    self._executor = ThreadPoolExecutor(self._count, self._name, initializer=_mark_thread)
                return self._executor.submit(work)
        except RuntimeError:
            # Python takes no more work for threads when it ends, and starts none when too many are there.
            return _done_here(work)

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


async def arun_blocking(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` and give its result, from a coroutine; a cancelled caller does not stop it."""
    if not is_under_asgi_server():
        return await asyncio.shield(sync_to_async(work, thread_sensitive=True)(*args, **kwargs))
    return await asyncio.shield(asyncio.wrap_future(_writers.submit(_bound(work, *args, **kwargs))))


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
            _close_broken_connections()

    return bound


def _mark_thread() -> None:
    _here.is_ours = True


def _close_broken_connections() -> None:
    """Close what went wrong: no request ends in these threads, at whose end Django would look after it."""
    for connection in connections.all(initialized_only=True):
        if connection.errors_occurred and not connection.in_atomic_block:
            connection.close()


def _close_connections(meeting: Barrier) -> None:
    meeting.wait()
    connections.close_all()


def _forget_threads() -> None:
    _writers.forget()
    _readers.forget()


os.register_at_fork(after_in_child=_forget_threads)
