"""Counting in Redis, by the library limits (extra `[redis]`), whose sliding window counter is the rule of `rates`.

The library decides on one limit at a time. So all are looked at first, and then hit one after the other; where another
process came between, what was hit already is given back.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from security.backends.base import Counter
from security.rates import Limit, Verdict, Window


class StorageCounter(Counter):
    """Counts at an address such as `redis://localhost:6379/0`.

    Raises `ImproperlyConfigured` where the extra is not installed or the address is not understood.
    """

    def __init__(self, address: str) -> None:
        try:
            from limits.errors import ConfigurationError
            from limits.storage import storage_from_string
            from limits.strategies import SlidingWindowCounterRateLimiter

            try:
                # A server that is down must not hold up the site.
                options: Any = {"socket_connect_timeout": 1, "socket_timeout": 2} if "redis" in address else {}
                self._storage: Any = storage_from_string(address, **options)
                self._limiter = SlidingWindowCounterRateLimiter(self._storage)
            except (ConfigurationError, NotImplementedError) as error:
                # The address can hold a password.
                reason = str(error).replace(address, "it")
                raise ImproperlyConfigured(
                    f"Requests cannot be counted at SECURITY_THROTTLING_STORAGE ({reason}). Write for example "
                    "'redis://localhost:6379/0', and install \"django-security-logger[redis]\"."
                ) from None
        except ImportError as error:
            raise ImproperlyConfigured(
                "SECURITY_THROTTLING_STORAGE needs the libraries limits and redis: "
                'pip install "django-security-logger[redis]"'
            ) from error

    def count(self, limits: Sequence[Limit], now: int) -> Verdict:
        if full := [limit for limit in limits if not self._has_room(limit)]:
            return self._refused(full, now)
        hit: list[Limit] = []
        # Where most are refused, nothing was hit before.
        for limit in sorted((limit for limit in limits if limit.counts), key=lambda limit: limit.throttle_at):
            if not self._limiter.hit(_item(limit), limit.key):
                for other in hit:
                    self._limiter.hit(_item(other), other.key, cost=-1)
                return self._refused([limit], now)
            hit.append(limit)
        return Verdict()

    def _has_room(self, limit: Limit) -> bool:
        return self._limiter.test(_item(limit), limit.key)

    def _refused(self, limits: Sequence[Limit], now: int) -> Verdict:
        return Verdict(tuple((limit, self._window(limit, now)) for limit in limits))

    def _window(self, limit: Limit, now: int) -> Window:
        item = _item(limit)
        previous, _, hits, expires_in = self._storage.get_sliding_window(item.key_for(limit.key), item.get_expiry())
        # The library keeps a window for two timeframes from its beginning.
        return Window(now - 2 * limit.timeframe + round(expires_in * 1000), previous, hits)


def _item(limit: Limit) -> Any:
    from limits import RateLimitItemPerSecond

    return RateLimitItemPerSecond(limit.throttle_at, limit.timeframe // 1000, namespace="security")
