"""Where blocking writes run: in the caller's thread, or, under an ASGI server, in threads of our own.

An ASGI server gives each request a thread of its own for blocking code, and with it a new database connection for each
request. The log's few threads keep theirs. Under a test client there is no such server, and a write joins the thread of
the test, and with it the test's transaction.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from threading import Barrier, Lock, local
from typing import Final, ParamSpec, TypeVar

from asgiref.sync import SyncToAsync, sync_to_async
from django.db import connections

P = ParamSpec("P")
R = TypeVar("R")

# As many writes of one process wait for a store at once, each with a connection of its own.
_THREADS: Final = 4
_executor: ThreadPoolExecutor | None = None
_starting = Lock()
_here: Final = local()


def run_blocking(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` and give its result, from synchronous code."""
    if not _is_under_asgi_server():
        return work(*args, **kwargs)
    return _pool().submit(_bound(work, *args, **kwargs)).result()


async def arun_blocking(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` and give its result, from a coroutine; a cancelled caller does not stop it."""
    if not _is_under_asgi_server():
        return await asyncio.shield(sync_to_async(work, thread_sensitive=True)(*args, **kwargs))
    future = _pool().submit(_bound(work, *args, **kwargs))
    return await asyncio.shield(asyncio.wrap_future(future))


def run_apart(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `work` in a thread of our own in any case, and give its result."""
    return _pool().submit(_bound(work, *args, **kwargs)).result()


def is_in_event_loop() -> bool:
    """Tell whether this thread runs an event loop just now, where Django lets nobody use a database."""
    return asyncio._get_running_loop() is not None  # noqa: SLF001 documented, and cheaper than an exception


def _bound(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Callable[[], R]:
    """Give `work` with its arguments and the context of the caller."""
    context = copy_context()
    return lambda: context.run(work, *args, **kwargs)


def _is_under_asgi_server() -> bool:
    # What runs in one of our threads already must not wait for another one.
    return SyncToAsync.thread_sensitive_context.get(None) is not None and not hasattr(_here, "is_ours")


def _mark_thread() -> None:
    _here.is_ours = True


def _pool() -> ThreadPoolExecutor:
    global _executor
    with _starting:
        if _executor is None:
            _executor = ThreadPoolExecutor(_THREADS, thread_name_prefix="security-log", initializer=_mark_thread)
        return _executor


def end_threads() -> None:
    """End the log's threads and close their connections, once their writes are done; the next write starts new ones."""
    if _executor is None:
        return
    # Each thread has to close its own: all of them meet before one of them can take two.
    meeting = Barrier(_THREADS)
    for _ in range(_THREADS):
        _executor.submit(_close_connections, meeting)
    _executor.shutdown()
    _forget_pool()


def _close_connections(meeting: Barrier) -> None:
    meeting.wait()
    connections.close_all()


def _forget_pool() -> None:
    # A forked process has the object but not its threads, nor whoever held the lock.
    global _executor, _starting
    _executor, _starting = None, Lock()


os.register_at_fork(after_in_child=_forget_pool)
