"""Counters: what passes is what the rule says, at any time, for any number at once, in every store."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.db import IntegrityError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from security.backends.base import Counter
from security.backends.sql import counter as sql_counter
from security.backends.sql.counter import SQLCounter
from security.backends.sql.models import ThrottlingCount
from security.backends.testing.capture import CapturedLogs
from security.rates import Limit, Window

pytestmark = pytest.mark.django_db

NOW = 1_800_000_000_000
THREADS = 16


def memory_counter() -> Counter:
    return CapturedLogs().counter


def sql() -> Counter:
    ThrottlingCount.objects.all().delete()
    return SQLCounter()


every_counter = pytest.mark.parametrize("new_counter", [memory_counter, sql])


class Reference:
    """The rule as one would explain it: all hits are kept, and sorted into windows each time."""

    def __init__(self) -> None:
        self.hits: dict[str, list[int]] = {}

    def windows(self, limit: Limit, now: int) -> tuple[int, int, int]:
        """Give the start of the open window, its hits, and those of the window before."""
        start: int | None = None
        current = before = 0
        for hit in [*self.hits.get(limit.key, []), None]:
            moment = now if hit is None else hit
            if start is None or moment >= start + 2 * limit.timeframe:
                start, current, before = moment, 0, 0
            elif moment >= start + limit.timeframe:
                start, current, before = start + limit.timeframe, 0, current
            current += hit is not None
        assert start is not None
        return start, current, before

    def ask(self, limits: list[Limit], now: int) -> list[Limit]:
        full = []
        for limit in limits:
            start, current, before = self.windows(limit, now)
            if before * (1 - (now - start) / limit.timeframe) + current + 1 > limit.throttle_at + 1e-9:
                full.append(limit)
        if not full:
            for limit in limits:
                if limit.counts:
                    self.hits.setdefault(limit.key, []).append(now)
        return full


def limit(key: str = "a", timeframe: int = 60_000, throttle_at: int = 20, *, counts: bool = True) -> Limit:
    return Limit(key, timeframe, throttle_at, counts)


steps = st.lists(
    st.one_of(
        st.integers(0, 50),  # a burst
        st.integers(0, 2500),  # across the borders of windows
        st.sampled_from([999, 1000, 1001, 1999, 2000, 2001, 3000]),  # at them
    ),
    min_size=1,
    max_size=60,
)


@every_counter
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    steps=steps,
    sizes=st.tuples(st.integers(1, 6), st.integers(1, 12)),
    frames=st.tuples(st.just(1000), st.integers(1, 4000)),
)
def test_what_passes_is_what_a_plain_reference_lets_pass(
    new_counter: Any, steps: list[int], sizes: tuple[int, int], frames: tuple[int, int]
) -> None:
    counter, reference = new_counter(), Reference()
    limits = [limit("b", frames[0], sizes[0]), limit("a", frames[1], sizes[1])]
    now = NOW
    for step in steps:
        now += step
        full = counter.count(limits, now).full
        assert [found for found, _ in full] == reference.ask(limits, now)
        for found, window in full:
            # What a client is told to wait is what it has to wait.
            wait = window.milliseconds_until_room(found, now)
            assert wait > 0
            assert window.has_room(found, now + wait)
            assert not window.has_room(found, now + wait - 1)


@every_counter
def test_a_refused_request_hits_none_of_its_limits(new_counter: Any) -> None:
    counter = new_counter()
    minute, hour = limit("minute", 60_000, 3), limit("hour", 3_600_000, 5)
    passed = [counter.count([hour, minute], NOW + i).passed for i in range(50)]
    assert passed == [True] * 3 + [False] * 47
    # Two are left of the hour's five, however many were refused.
    passed = [counter.count([hour, minute], NOW + 120_000 + i).passed for i in range(50)]
    assert passed == [True] * 2 + [False] * 48


@every_counter
def test_a_look_hits_nothing(new_counter: Any) -> None:
    counter = new_counter()
    looking = limit(throttle_at=1, counts=False)
    assert all(counter.count([looking], NOW).passed for _ in range(5))
    assert counter.count([limit(throttle_at=1)], NOW).passed
    assert not counter.count([looking], NOW).passed
    # What is only looked at refuses the others too, and they are not hit.
    assert not counter.count([looking, limit("b", throttle_at=1)], NOW).passed
    assert counter.count([limit("b", throttle_at=1)], NOW).passed


@every_counter
@pytest.mark.parametrize("off", [-1, 1])
def test_a_clock_that_was_wrong_does_not_refuse_for_days(new_counter: Any, off: int) -> None:
    counter = new_counter()
    day = 86_400_000
    assert counter.count([limit(throttle_at=1)], NOW + off * day).passed
    assert counter.count([limit(throttle_at=1)], NOW).passed
    assert not counter.count([limit(throttle_at=1)], NOW).passed


@pytest.mark.django_db(transaction=True)
def test_one_decision_is_one_statement_whatever_becomes_of_it() -> None:
    counter = sql()
    limits = [limit("hour", 3_600_000, 1000), limit(throttle_at=2), limit("looking", counts=False)]
    for passes in (True, True, False, False):
        with CaptureQueriesContext(connection) as queries:
            assert counter.count(limits, NOW).passed is passes
        assert len(queries) == 1, queries.captured_queries


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("windows", [1, 3])
def test_of_many_at_once_as_many_pass_as_there_is_room_for(windows: int) -> None:
    counter = sql()
    limits = [limit("a", 60_000, 20), limit("b", 3_600_000, 1000), limit("c", 3_600_000, 25)][:windows]
    barrier = threading.Barrier(THREADS)

    def ask(_: int) -> list[bool]:
        try:
            barrier.wait(30)
            return [counter.count(limits, NOW + i).passed for i in range(12)]
        finally:
            connections.close_all()

    for key in ("first", "second"):
        limits = [Limit(f"{key}-{one.key}", one.timeframe, one.throttle_at) for one in limits]
        with ThreadPoolExecutor(THREADS) as threads:
            passed = [one for answers in threads.map(ask, range(THREADS)) for one in answers]
        assert (passed.count(True), len(passed)) == (20, THREADS * 12)
        # Those that were refused left no trace in the other counts.
        assert {row.hits for row in ThrottlingCount.objects.filter(key__startswith=key)} == {20}


def test_all_decisions_ask_for_their_rows_in_the_same_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def run(database: Any, sql: str, parameters: list[Any]) -> list[Any]:
        asked.append([value for value in parameters if isinstance(value, str)])
        return []

    monkeypatch.setattr(sql_counter, "run_returning", run)
    for keys in ("ab", "ba"):
        SQLCounter().count([limit(key) for key in keys], NOW)
    assert asked == [["a", "b"]] * 2


@pytest.mark.django_db(transaction=True)
def test_an_overtaken_decision_leaves_the_sites_transaction_usable() -> None:
    counter = sql()
    assert counter.count([limit(throttle_at=1)], NOW).passed
    with transaction.atomic():
        assert counter.can_be_rolled_back()
        assert not counter.count([limit(throttle_at=1)], NOW).passed
        assert counter.count([limit("b")], NOW).passed
    assert not counter.can_be_rolled_back()
    assert ThrottlingCount.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_a_decision_that_is_overtaken_each_time_is_refused_and_no_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def overtaken(*args: Any) -> Any:
        asked.append(args)
        raise IntegrityError("security_throttling_has_room")

    monkeypatch.setattr(sql_counter, "run_returning", overtaken)
    minute, hour = limit("minute", 60_000), limit("hour", 3_600_000)
    assert sql().count([hour, limit("look", 1000, counts=False), minute], NOW).full == ((minute, None),)
    assert len(asked) == sql_counter._MOST_ATTEMPTS


@pytest.mark.django_db(transaction=True)
def test_counts_of_long_ago_are_removed_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sql_counter, "_MOST_REMOVED", 3)
    counter = sql()
    for number in range(5):
        counter.count([limit(f"old-{number}")], NOW - 200_000)
    counter.count([limit("young")], NOW - 60_000)
    assert ThrottlingCount.objects.count() == 6
    for left in (3, 1, 1):
        counter._cleans_at = 0
        counter.count([limit("young")], NOW)
        assert ThrottlingCount.objects.count() == left
    assert ThrottlingCount.objects.get().key == "young"


def test_a_refused_request_writes_nothing_on_postgresql() -> None:
    counter = sql()
    counter.count([limit(throttle_at=1)], NOW)
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT xmin, xmax, ctid FROM security_sql_throttlingcount")
        before = cursor.fetchall()
        assert not counter.count([limit(throttle_at=1)], NOW).passed
        cursor.execute("SELECT xmin, xmax, ctid FROM security_sql_throttlingcount")
        assert cursor.fetchall() == before


def test_a_database_that_cannot_count_says_what_to_write_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections["default"], "vendor", "oracle")
    monkeypatch.setattr(sql_counter, "is_mariadb", lambda connection: False)
    with pytest.raises(ImproperlyConfigured, match="SECURITY_THROTTLING_STORAGE"):
        SQLCounter().count([limit()], NOW)


def test_a_window_that_is_empty_has_room() -> None:
    assert Window(0, 0, 0).milliseconds_until_room(limit(throttle_at=1), NOW) == 0
