"""Reading sessions to tell who asked: a store that fails slowly is left alone for a while."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Final

from django.http import HttpRequest

from security.config import settings
from security.delivery import arun_reading, run_blocking
from security.delivery.health import pause_after

from . import client

logger = logging.getLogger("security")


class SessionReading:
    """What this process knows of the store of the sessions: whether it is worth asking."""

    def __init__(self) -> None:
        self._paused_until = 0.0

    def is_paused(self) -> bool:
        return monotonic() < self._paused_until

    def user_id(self, request: HttpRequest) -> str | None:
        """Give the id of the user who asked; None also where the store does not tell."""
        with self._attempt():
            return run_blocking(client.session_user_id, request)
        return None

    async def auser_id(self, request: HttpRequest) -> str | None:
        """Do as `user_id`, without blocking the event loop, nor waiting for long."""
        with self._attempt():
            return await arun_reading(settings.LOG_DB_TIMEOUT, client.session_user_id, request)
        return None

    @contextmanager
    def _attempt(self) -> Iterator[None]:
        began = monotonic()
        try:
            yield
        except Exception as error:  # a logger's fault is never the site's
            now = monotonic()
            pause = pause_after(now - began)
            # What fails at once while all threads are stuck does not end the pause of those that wait.
            self._paused_until = max(self._paused_until, now + pause)
            logger.warning("The session could not be read to tell who asked: %s", type(error).__name__)


session_reading: Final = SessionReading()
