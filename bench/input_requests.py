"""What recording its requests costs a site: the same site without and with the logger, in turn."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from time import perf_counter, process_time
from typing import Any
from unittest.mock import patch

from django.db import connection
from django.db.backends.signals import connection_created

from bench.report import Table, spread
from bench.site import MEGABYTE
from bench.traffic import (
    LOGGER,
    AsyncSite,
    Question,
    Site,
    SyncSite,
    download,
    file_upload,
    raw_upload,
    small_get,
    small_post,
)
from security.backends.base import Writer
from security.backends.sql.event_loop import close_connections
from security.backends.sql.writer import SQLWriter
from security.delivery.threads import end_threads

ROUNDS = 20
REQUESTS = 50
LARGE = 50 * MEGABYTE

# The names of the views are as long as those of the others, but for one letter: so are their rows.
SERVERS: dict[str, tuple[Callable[..., Site], str]] = {"WSGI": (SyncSite, ""), "ASGI": (AsyncSite, "a")}


def measure() -> list[Table]:
    return [times(), ways_to_write(), writes(), memory()]


def times() -> Table:
    rows = []
    for server, (site, prefix) in SERVERS.items():
        plain, logged = site(), site(LOGGER)
        for name, question in (("GET", small_get(f"/{prefix}small/")), ("POST", small_post(f"/{prefix}small/"))):
            for arm in (plain, logged):
                arm.ask(question, REQUESTS)
            rounds = [(timed(plain, question), timed(logged, question)) for _ in range(ROUNDS)]
            added_cpu = [logged_cpu - plain_cpu for (plain_cpu, _), (logged_cpu, _) in rounds]
            added_wall = [logged_wall - plain_wall for (_, plain_wall), (_, logged_wall) in rounds]
            ratio = [logged_cpu / plain_cpu for (plain_cpu, _), (logged_cpu, _) in rounds]
            cpu = median(cpu for (cpu, _), _ in rounds)
            rows.append(
                (f"{server}, small {name}", f"{cpu:.3f}", spread(added_cpu), spread(added_wall), spread(ratio, 2))
            )
    return Table(
        f"CPU and wall time of a request in ms, median (lowest to highest) of {ROUNDS} rounds of {REQUESTS} requests",
        ("request", "CPU without", "CPU added", "wall added", "CPU, ratio"),
        rows,
    )


def ways_to_write() -> Table:
    """Compare what an event loop writes itself with what it has threads write, as it does for other databases."""
    rows = []
    plain, logged = AsyncSite(), AsyncSite(LOGGER)
    for name, question in (("GET", small_get("/asmall/")), ("POST", small_post("/asmall/"))):
        added: dict[str, list[float]] = {"threads": [], "loop": []}
        for arm in (plain, logged):
            arm.ask(question, REQUESTS)
        for _ in range(ROUNDS):
            without, _ = timed(plain, question)
            added["loop"].append(timed(logged, question)[0] - without)
            with patch.object(SQLWriter, "awrite", Writer.awrite):
                added["threads"].append(timed(logged, question)[0] - without)
        rows.append((f"ASGI, small {name}", spread(added["threads"]), spread(added["loop"])))
    return Table(
        f"CPU added to a request in ms by who writes, median (lowest to highest) of {ROUNDS} rounds",
        ("request", "threads", "event loop"),
        rows,
    )


def timed(site: Site, question: Question) -> tuple[float, float]:
    """Give the CPU and wall time of one request, in milliseconds."""
    cpu, wall = process_time(), perf_counter()
    site.ask(question, REQUESTS)
    return 1000 * (process_time() - cpu) / REQUESTS, 1000 * (perf_counter() - wall) / REQUESTS


def writes() -> Table:
    rows = []
    for server, (site, prefix) in SERVERS.items():
        plain, logged = site(), site(LOGGER)
        for name, question in (("GET", small_get(f"/{prefix}small/")), ("POST", small_post(f"/{prefix}small/"))):
            figures = []
            for arm in (plain, logged):
                arm.ask(question, REQUESTS)
                with statements_counted() as statements:
                    start = wal_position()
                    arm.ask(question, 10 * REQUESTS)
                    written = wal_position() - start
                figures.append((len(statements) / (10 * REQUESTS), written / (10 * REQUESTS)))
            (plain_statements, plain_wal), (logged_statements, logged_wal) = figures
            rows.append(
                (f"{server}, small {name}", f"{logged_statements - plain_statements:.2f}",
                 f"{logged_wal - plain_wal:.0f}")
            )  # fmt: skip
    return Table("Added to a request on PostgreSQL", ("request", "SQL statements", "WAL bytes"), rows)


@contextmanager
def statements_counted() -> Iterator[list[str]]:
    """List the statements of all connections in this block."""
    seen: list[str] = []

    def note(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if "pg_current_wal" not in sql:
            seen.append(sql)
        return execute(sql, params, many, context)

    def watch(connection: Any, **kwargs: Any) -> None:
        # A connection that is closed and opened again says so twice.
        if note not in connection.execute_wrappers:
            connection.execute_wrappers.append(note)
            watched.append(connection)

    watched: list[Any] = []
    watch(connection)
    # Each request of an ASGI server has a thread, and so a connection, of its own.
    connection_created.connect(watch)
    # So do the log's threads and event loops: new connections are watched.
    end_threads()
    close_connections()
    try:
        yield seen
    finally:
        connection_created.disconnect(watch)
        for one in watched:
            one.execute_wrappers.remove(note)


def wal_position() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn")
        return int(cursor.fetchone()[0])


def memory() -> Table:
    rows = []
    for server, (site, prefix) in SERVERS.items():
        plain, logged = site(), site(LOGGER)
        for name, question in (
            ("raw body", raw_upload(f"/{prefix}raw/", LARGE)),
            ("file in a form", file_upload(f"/{prefix}files/", LARGE)),
            ("streaming response", download(f"/{prefix}download/", LARGE)),
        ):
            without, with_logger = peak(plain, question), peak(logged, question)
            rows.append((f"{server}, {name}", f"{without:.2f}", f"{with_logger - without:+.2f}"))
    return Table(
        f"Python's memory while {LARGE // MEGABYTE} MB pass, in MB at its peak",
        ("what passes", "without", "added"),
        rows,
    )


def peak(site: Site, question: Question) -> float:
    """Give what a request takes at its peak, in megabytes above what there was before."""
    site.ask(question)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        site.ask(question)
        return (tracemalloc.get_traced_memory()[1] - before) / MEGABYTE
    finally:
        tracemalloc.stop()
