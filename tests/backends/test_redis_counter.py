"""Counting in a real Redis, and what is said where that cannot be."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings

from security.backends.sql.models import ThrottlingCount
from security.rates import Limit
from security.throttling import counting, outage
from security.throttling.counting import now
from security.throttling.storage import StorageCounter
from tests.redis import redis_server

THREADS = 16


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with redis_server() as address:
        yield address


def test_a_refused_request_hits_none_of_its_limits(address: str) -> None:
    counter = StorageCounter(address)
    limits = [Limit("hour", 3_600_000, 1000), Limit("minute", 60_000, 3)]
    verdicts = [counter.count(limits, now()) for _ in range(20)]
    assert [verdict.passed for verdict in verdicts] == [True] * 3 + [False] * 17
    ((limit, window),) = verdicts[-1].full
    assert (limit.key, window.hits, window.previous) == ("minute", 3, 0)
    # The window ends, and a third of it has to leave.
    assert 60_000 < window.milliseconds_until_room(limit, now()) <= 80_000
    assert counter._window(limits[0], now()).hits == 3


def test_a_look_hits_nothing(address: str) -> None:
    counter = StorageCounter(address)
    looking, hitting = Limit("look", 60_000, 1, counts=False), Limit("look", 60_000, 1)
    assert all(counter.count([looking], now()).passed for _ in range(3))
    assert counter.count([hitting], now()).passed
    assert not counter.count([looking], now()).passed


def test_of_many_at_once_as_many_pass_as_there_is_room_for(address: str) -> None:
    counter = StorageCounter(address)
    limits = [Limit("many-hour", 3_600_000, 1000), Limit("many-minute", 60_000, 20)]
    barrier = threading.Barrier(THREADS)

    def ask(_: int) -> list[bool]:
        barrier.wait(30)
        return [counter.count(limits, now()).passed for _ in range(12)]

    with ThreadPoolExecutor(THREADS) as threads:
        passed = [one for answers in threads.map(ask, range(THREADS)) for one in answers]
    assert passed.count(True) == 20
    assert [counter._window(limit, now()).hits for limit in limits] == [20, 20]


def test_what_was_hit_is_given_back_where_another_process_came_between(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter = StorageCounter(address)
    minute, hour = Limit("between-minute", 60_000, 5), Limit("between-hour", 3_600_000, 6)
    for _ in range(6):
        assert counter.count([hour], now()).passed
    monkeypatch.setattr(counter, "_has_room", lambda limit: True)
    assert not counter.count([minute, hour], now()).passed
    assert counter._window(minute, now()).hits == 0


@pytest.mark.django_db
def test_a_site_counts_where_the_setting_says(address: str) -> None:
    with override_settings(SECURITY_THROTTLING_ENABLED=True, SECURITY_THROTTLING_STORAGE=address):
        assert [Client().get("/limited/").status_code for _ in range(3)] == [200, 200, 429]
    assert not ThrottlingCount.objects.exists()


@pytest.mark.django_db
def test_a_redis_that_is_down_does_not_stop_the_site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(counting, "outage", fresh := outage.Outage())
    nowhere = f"redis+unix://{tmp_path}/nowhere"
    with override_settings(SECURITY_THROTTLING_ENABLED=True, SECURITY_THROTTLING_STORAGE=nowhere):
        assert [Client().get("/limited/").status_code for _ in range(3)] == [200] * 3
    assert fresh.undecided == 3


def test_an_address_that_is_not_understood_is_named_without_its_password() -> None:
    with pytest.raises(ImproperlyConfigured, match="redis://localhost:6379/0") as error:
        StorageCounter("reddis://:secret@localhost")
    assert "secret" not in str(error.value)


def test_without_the_extra_it_says_which_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "limits"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "limits", None)  # type: ignore[arg-type]
    with pytest.raises(ImproperlyConfigured, match=r'pip install "django-security-logger\[redis\]"'):
        StorageCounter("redis://localhost:6379/0")


def test_without_the_driver_it_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)  # type: ignore[arg-type]
    with pytest.raises(ImproperlyConfigured, match=r'install "django-security-logger\[redis\]"'):
        StorageCounter("redis://localhost:6379/0")
