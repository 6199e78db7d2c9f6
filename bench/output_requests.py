"""What recording its calls costs a site: the same calls by `requests` and by `security.requests`, in turn."""

from __future__ import annotations

import multiprocessing
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, process_time
from typing import Any

from bench.report import Table, spread
from bench.site import CHUNK, MEGABYTE

ROUNDS = 20
CALLS = 50
LARGE = 1000 * MEGABYTE
LARGE_ROUNDS = 5
BATCH = 50

Get = Callable[..., Any]


def measure() -> list[Table]:
    import requests as plain

    from security import requests as recording

    with remote_process() as address:
        return [
            times(plain, recording, address),
            downloads(plain.get, recording.get, f"{address}/{LARGE}"),
            batches(recording.get, f"{address}/100"),
        ]


def times(plain: Any, recording: Any, address: str) -> Table:
    url = f"{address}/100"
    rows = []
    with plain.Session() as plain_session, recording.Session() as session:
        for name, one, other in (
            ("a call", plain.get, recording.get),
            ("of a session", plain_session.get, session.get),
        ):
            for get in (one, other):
                timed(get, url)
            rounds = [(timed(one, url), timed(other, url)) for _ in range(ROUNDS)]
            cpu = median(plain_cpu for (plain_cpu, _), _ in rounds)
            added_cpu = [with_cpu - plain_cpu for (plain_cpu, _), (with_cpu, _) in rounds]
            added_wall = [with_wall - plain_wall for (_, plain_wall), (_, with_wall) in rounds]
            rows.append((name, f"{cpu:.3f}", spread(added_cpu), spread(added_wall)))
    return Table(
        f"CPU and wall time of a small call in ms, median (lowest to highest) of {ROUNDS} rounds of {CALLS} calls",
        ("call", "CPU without", "CPU added", "wall added"),
        rows,
    )


def timed(get: Get, url: str) -> tuple[float, float]:
    """Give the CPU and wall time of one call, in milliseconds."""
    cpu, wall = process_time(), perf_counter()
    for _ in range(CALLS):
        get(url)
    return 1000 * (process_time() - cpu) / CALLS, 1000 * (perf_counter() - wall) / CALLS


def downloads(plain: Get, recording: Get, url: str) -> Table:
    rounds = [(seconds(plain, url), seconds(recording, url)) for _ in range(LARGE_ROUNDS)]
    without, with_recording = peak(plain, url), peak(recording, url)
    ratios = [with_recording / without for without, with_recording in rounds]
    return Table(
        f"A streamed download of {LARGE // MEGABYTE} MB, {LARGE_ROUNDS} rounds",
        ("arm", "seconds", "ratio", "MB at its peak"),
        [
            ("requests", spread([one for one, _ in rounds], 2), "1.00", f"{without:.2f}"),
            (
                "security.requests",
                spread([other for _, other in rounds], 2),
                spread(ratios, 2),
                f"{without:.2f} {with_recording - without:+.2f}",
            ),
        ],
    )


def download(get: Get, url: str) -> None:
    with get(url, stream=True) as response:
        size = sum(len(chunk) for chunk in response.iter_content(CHUNK))
    if size != int(url.rpartition("/")[2]):
        raise RuntimeError(f"{size} bytes came: there is nothing to measure.")


def seconds(get: Get, url: str) -> float:
    start = perf_counter()
    download(get, url)
    return perf_counter() - start


def peak(get: Get, url: str) -> float:
    """Give what a download takes at its peak, in megabytes above what there was before."""
    small = f"{url.rpartition('/')[0]}/1000"
    download(get, small)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        download(get, url)
        return (tracemalloc.get_traced_memory()[1] - before) / MEGABYTE
    finally:
        tracemalloc.stop()


def batches(get: Get, url: str) -> Table:
    from django.db import connection, transaction
    from django.test.utils import CaptureQueriesContext

    from security.decorators import log_with_data

    with CaptureQueriesContext(connection) as outside:
        for _ in range(BATCH):
            get(url)
    with CaptureQueriesContext(connection) as inside, log_with_data(), transaction.atomic():
        for _ in range(BATCH):
            get(url)
    statements = [query for query in inside if "security_sql" in query["sql"]]
    return Table(
        f"SQL statements of {BATCH} calls",
        ("where", "statements"),
        [("outside a transaction", f"{len(outside)}"), ("inside one", f"{len(statements)}")],
    )


@contextmanager
def remote_process() -> Iterator[str]:
    """Run a service in a process of its own that answers `/SIZE` with as many bytes."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=serve, args=(sender,), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{receiver.recv()}"
    finally:
        process.terminate()
        process.join()


def serve(sender: Any) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        sender.send(server.getsockname()[1])
        while True:
            client, _ = server.accept()
            with client:
                answer_all(client)


def answer_all(client: socket.socket) -> None:
    """Answer the requests of one connection."""
    chunk = b"x" * CHUNK
    head = bytearray()
    while data := client.recv(CHUNK):
        head += data
        if not head.endswith(b"\r\n\r\n"):
            continue
        size = int(head.split(b" ", 2)[1].strip(b"/"))
        head.clear()
        # One request at a time, as other connections wait for this one to be closed.
        client.sendall(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % size
        )
        for start in range(0, size, CHUNK):
            client.sendall(chunk[: size - start])
        return


if __name__ == "__main__":
    from bench.__main__ import main

    main(["output_requests"])
