"""Writes what was left behind: entries whose transaction was rolled back, or whose scope was never closed.

They are left there by a finalizer, which can run in any thread, between any two of its steps. All that it may do is to
put them into a queue that was made for that; a thread that waits at its other end writes them.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable
from contextlib import suppress
from queue import SimpleQueue
from threading import Lock, Thread
from typing import Final

# How long the end of a process waits for the last of them, in seconds.
_PATIENCE: Final = 5.0

_queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
_thread: Thread | None = None
_lock = Lock()


def start() -> None:
    """See to it that the thread is there."""
    global _thread
    if _thread is None:
        with _lock:
            if _thread is None:
                thread = Thread(target=_work, name="security-leftovers", daemon=True)
                # Python starts none when it ends: what is left behind then is done by `_finish`, or never.
                with suppress(RuntimeError):
                    thread.start()
                    _thread = thread


def leave_behind(work: Callable[[], None]) -> None:
    """Have `work` done soon; may be called in a finalizer, once the thread is there."""
    _queue.put(work)


def _work() -> None:
    while (work := _queue.get()) is not None:
        # Nobody is here to see what SECURITY_RAISE_WRITER_EXCEPTIONS asks for.
        with suppress(Exception):
            work()


def _finish() -> None:
    _queue.put(None)
    if _thread is not None:
        _thread.join(_PATIENCE)
    else:
        _work()


def _start_anew() -> None:
    # A forked process has the queue, but not the thread; what is in it is the parent's.
    global _queue, _thread, _lock
    _queue, _thread, _lock = SimpleQueue(), None, Lock()


atexit.register(_finish)
os.register_at_fork(after_in_child=_start_anew)
