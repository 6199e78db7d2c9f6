"""What a decision of throttling costs, as the log and the client's part of it grow."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median
from time import perf_counter

from django.core.management import call_command
from django.db import connection
from django.test import override_settings

from bench.report import Table
from bench.traffic import LOGGER, SyncSite, small_get
from security.throttling import PerRequestThrottlingValidator
from security.throttling.counting import decide

SMALL, LARGE = 1_000, 1_000_000
HOT_CLIENT = "192.0.2.7"
ROUNDS = 15
REQUESTS = 100

# As many validators as there are by default, with limits that are never reached here.
default_validators = (PerRequestThrottlingValidator(3600, 1_000_000), PerRequestThrottlingValidator(60, 1_000_000))

# A log of one hot client and many others, made by the database itself: ids sort by time, as the library's do.
FILL = """
INSERT INTO security_sql_inputrequestlog ({columns})
SELECT {values} FROM generate_series(%s::bigint, %s::bigint) AS n
"""
VALUES = {
    "id": "CAST(lpad(to_hex(1700000000000 + n), 12, '0') || '7000' || lpad(to_hex(n), 16, '8') AS uuid)",
    "start": "now() - interval '1 hour' * n / 1000000",
    "ip": f"CASE WHEN n %% 2 = 0 THEN inet '{HOT_CLIENT}' ELSE inet '10.0.0.0' + n END",
    "version": "2",
    "state": "20",
    "host": "'shop.example'",
    "method": "'GET'",
    "path": "'/small/'",
    "view_slug": "'small'",
    "is_secure": "TRUE",
    "request_body": "''",
    "response_body": "''",
    "response_code": "200",
    **dict.fromkeys(("queries", "request_headers", "response_headers", "extra_data"), "'{}'"),
}


def measure() -> Iterator[Table]:
    """Give one table: requests of a hot client with a small and a large log, without and with throttling."""
    call_command("flush", interactive=False, verbosity=0)
    small = costs(0, SMALL)
    large = costs(SMALL, LARGE)
    ratios = [f"{large[column] / small[column]:.2f}" for column in range(3)]
    yield Table(
        "Throttling: milliseconds a request of one hot client, whose half of the log it is",
        ["log", "not throttled", "throttled", "the decision alone"],
        [[f"{SMALL:,} rows", *figures(small)], [f"{LARGE:,} rows", *figures(large)], ["large / small", *ratios]],
    )


def costs(rows: int, more: int) -> tuple[float, float, float]:
    """Fill the log up, and give the milliseconds of requests without throttling and with it, and of a decision."""
    fill(rows, more)
    # By turns, so that whatever else the machine does strikes both alike.
    sites = {throttled: Measured(throttled=throttled) for throttled in (False, True)}
    decisions: list[float] = []
    for _ in range(ROUNDS):
        for site in sites.values():
            site.measure()
        decisions += [milliseconds_of_decision() for _ in range(REQUESTS)]
    without, with_it = (median(sites[throttled].times) for throttled in (False, True))
    return without, with_it, median(decisions)


def milliseconds_of_decision() -> float:
    limits = [validator.limit_of("bench", HOT_CLIENT) for validator in default_validators]
    began = perf_counter()
    decide(limits)
    return 1000 * (perf_counter() - began)


def figures(values: tuple[float, float, float]) -> list[str]:
    return [f"{value:.3f}" for value in values]


def fill(start: int, end: int) -> None:
    sql = FILL.format(columns=", ".join(VALUES), values=", ".join(VALUES.values()))
    with connection.cursor() as cursor:
        cursor.execute(sql, [start + 1, end])
        cursor.execute("ANALYZE")


class Measured:
    """A site without or with throttling, and what a request to it took in each round, in milliseconds."""

    def __init__(self, *, throttled: bool) -> None:
        self.settings = {
            "SECURITY_THROTTLING_ENABLED": throttled,
            "SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH": "bench.throttling",
        }
        self.site = SyncSite(LOGGER)
        self.times: list[float] = []
        self.measure()
        self.times.clear()

    def measure(self) -> None:
        with override_settings(**self.settings):
            began = perf_counter()
            self.site.ask(small_get("/small/"), REQUESTS)
            self.times.append(1000 * (perf_counter() - began) / REQUESTS)
