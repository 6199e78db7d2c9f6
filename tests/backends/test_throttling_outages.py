"""A store of counts that is down: the site goes on, or says that it is unavailable, as it wants."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, override_settings

from security.backends.base import Counter
from security.backends.sql.counter import SQLCounter
from security.backends.sql.models import InputRequestLog
from security.enums import RequestLogState
from security.rates import Limit, Verdict
from security.throttling import counting, outage, undecided_requests

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]


@pytest.fixture(autouse=True)
def throttled(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.SECURITY_THROTTLING_ENABLED = True
    monkeypatch.setattr(outage, "outage", fresh := outage.Outage())
    monkeypatch.setattr(counting, "outage", fresh)


def ask_sync(path: str, method: str = "GET", **kwargs: Any) -> Any:
    return Client(raise_request_exception=False).generic(method, path, **kwargs)


def ask_async(path: str, method: str = "GET", **kwargs: Any) -> Any:
    async def ask() -> Any:
        return await AsyncClient(raise_request_exception=False).generic(method, path, **kwargs)

    return async_to_sync(ask)()


both = pytest.mark.parametrize("ask", [ask_sync, ask_async])


def codes(ask: Ask, path: str, times: int, **kwargs: Any) -> list[int]:
    return [ask(path, **kwargs).status_code for _ in range(times)]


class Down(Counter):
    def count(self, limits: Any, now: int) -> Verdict:
        raise OSError("no route to the counter")


@both
def test_what_cannot_be_counted_passes_and_is_counted_and_said_once(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(counting, "counter", Down)
    assert codes(ask, "/limited/", 4) == [200] * 4
    assert undecided_requests() == 4
    assert [record.getMessage() for record in caplog.records if record.name == "security"] == [
        "Requests cannot be counted, and are not throttled as they should be. Cause: OSError: no route to the counter"
    ]


@both
@override_settings(SECURITY_THROTTLING_FAIL_OPEN=False)
def test_what_cannot_be_counted_is_unavailable_where_the_site_wants_it_so(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counting, "counter", Down)
    response = ask("/limited/")
    assert (response.status_code, response["Retry-After"]) == (503, "5")
    assert InputRequestLog.objects.get().state is RequestLogState.ERROR
    assert ask("/exempt-from-throttling/").status_code == 200


@both
@override_settings(SECURITY_BACKEND_READER="logging")
def test_a_site_whose_backends_cannot_count_goes_on(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    assert codes(ask, "/limited/", 3) == [200] * 3
    assert "SECURITY_THROTTLING_STORAGE" in caplog.text


def test_a_counter_that_is_slow_to_fail_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    class Slow(Counter):
        def count(self, limits: list[Limit], now: int) -> Verdict:
            asked.append(limits)
            raise OSError("timed out")

    monkeypatch.setattr(counting, "counter", Slow)
    moment = 1000.0
    monkeypatch.setattr(outage, "monotonic", lambda: moment)
    outage.outage.note_failure(OSError("timed out"), 1.0)
    moment += 1
    outage.outage.note_failure(OSError("timed out"), 1.0)
    assert codes(ask_sync, "/limited/", 3) == [200] * 3
    assert (asked, outage.outage.undecided) == ([], 5)
    moment += 6
    monkeypatch.setattr(counting, "counter", SQLCounter)
    assert codes(ask_sync, "/limited/", 3) == [200, 200, 429]


def test_one_slow_decision_does_not_unthrottle_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outage, "monotonic", lambda: 1000.0)
    # Two that were slow at the same time are one cause.
    for seconds in (5.0, 5.0):
        outage.outage.note_failure(OSError("timed out"), seconds)
    assert codes(ask_sync, "/limited/", 3) == [200, 200, 429]
