"""Large bodies pass by the recorder: it holds what it keeps, and no more."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from typing import Any

import httpx as plain_httpx
import pytest
import requests as plain_requests

from security import httpx, requests
from security.backends.testing import capture_security_logs
from tests.acceptance.remote import MEGABYTE, Remote

pytestmark = pytest.mark.django_db

LARGE = 30 * MEGABYTE
CHUNK = 65_536


def download(library: Any, remote: Remote) -> None:
    url = f"{remote.address}/big?size={LARGE}"
    if library in (requests, plain_requests):
        with library.get(url, stream=True) as response:
            size = sum(len(chunk) for chunk in response.iter_content(CHUNK))
    else:
        with library.stream("GET", url) as response:
            size = sum(len(chunk) for chunk in response.iter_bytes(CHUNK))
    assert size == LARGE


def upload(library: Any, remote: Remote) -> None:
    def generated() -> Iterator[bytes]:
        for _ in range(0, LARGE, CHUNK):
            yield b"x" * CHUNK

    keyword = "data" if library in (requests, plain_requests) else "content"
    library.post(f"{remote.address}/discard", **{keyword: generated()}, headers={"Content-Type": "text/csv"})


def peak(work: Callable[[Any, Remote], None], library: Any, remote: Remote) -> int:
    library.get(f"{remote.address}/lines")
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work(library, remote)
        return tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("work", [download, upload])
@pytest.mark.parametrize(
    ("plain", "recording"), [(plain_requests, requests), (plain_httpx, httpx)], ids=["requests", "httpx"]
)
def test_a_large_body_takes_two_megabytes_more_at_most(
    plain: Any, recording: Any, work: Callable[[Any, Remote], None], remote: Remote
) -> None:
    without = peak(work, plain, remote)
    with capture_security_logs() as logs:
        with_recording = peak(work, recording, remote)
    assert with_recording - without < 2 * MEGABYTE
    entry = logs.output_request[-1]
    body = entry.response_body if work is download else entry.request_body
    assert body.startswith("x" * 900)
    assert len(body) == 1000
