"""Asking the counter, wherever it is, and what to do when it does not answer."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock
from time import perf_counter, time_ns
from typing import Final

from django.core.exceptions import ImproperlyConfigured

from security.backends import registry
from security.backends.base import Counter
from security.config import settings
from security.rates import Limit, Verdict

from .exception import NotCountedError
from .outage import outage


def now() -> int:
    """Give the time in milliseconds since 1970."""
    return time_ns() // 1_000_000


def counter() -> Counter:
    """Give the counter: of SECURITY_THROTTLING_STORAGE, or where logs are read.

    Raises `ImproperlyConfigured` where there is none.
    """
    if settings.THROTTLING_STORAGE is not None:
        return _counter_at(settings.THROTTLING_STORAGE)
    found = registry.counter()
    if found is None:
        raise ImproperlyConfigured(
            "No installed backend can count requests. Add 'security.backends.sql' to INSTALLED_APPS, or set "
            "SECURITY_THROTTLING_STORAGE, for example to 'redis://localhost:6379/0'."
        )
    return found


_counters: Final[dict[str, Counter]] = {}
_counters_lock: Final = Lock()


def _counter_at(address: str) -> Counter:
    known = _counters.get(address)
    if known is not None:
        return known
    # The library looks its driver up as it is first used, and threads that come together disturb each other there.
    with _counters_lock:
        if address not in _counters:
            from .storage import StorageCounter

            _counters[address] = StorageCounter(address)
        return _counters[address]


def blocks() -> bool:
    """Tell whether a decision waits for something outside the process."""
    try:
        return counter().blocks
    except Exception:  # `decide` meets it too, and says so
        return False


def decide(limits: Sequence[Limit]) -> Verdict:
    """Count a request against limits.

    Where the counter cannot be reached the request passes, or `NotCountedError` is raised, as
    SECURITY_THROTTLING_FAIL_OPEN says.
    """
    if not limits:
        return Verdict()
    if outage.is_paused():
        outage.note_skipped()
        return _undecided()
    began = perf_counter()
    try:
        verdict = counter().count(limits, now())
    except Exception as error:  # a counter's fault is not the site's
        outage.note_failure(error, perf_counter() - began)
        return _undecided()
    outage.note_success()
    return verdict


def _undecided() -> Verdict:
    if settings.THROTTLING_FAIL_OPEN:
        return Verdict()
    raise NotCountedError
