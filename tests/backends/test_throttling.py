"""Throttling: which requests are refused, how they are answered, and what is recorded of them, sync and async."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import cache
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.test import AsyncClient, Client, override_settings
from django.test.utils import CaptureQueriesContext

from security.backends.sql.models import InputRequestLog, ThrottlingCount
from security.backends.testing import capture_security_logs
from security.decorators import throttling, throttling_all, throttling_exempt, throttling_exempt_all
from security.delivery import arun_blocking, patience
from security.enums import RequestLogState
from security.sources.input_requests import throttled as throttled_steps
from security.throttling import counting, gate, outage
from security.throttling.policy import default_validators
from security.throttling.validators import PerRequestThrottlingValidator, UnsuccessfulLoginThrottlingValidator
from tests.site import throttling_views, views

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


@both
@pytest.mark.parametrize(
    "path", ["/limited/", "/limited-async/", "/limited-class/", "/limited-child/", "/limited-item/7/"]
)
def test_a_decorated_view_is_refused_when_its_limit_is_reached(ask: Ask, path: str) -> None:
    assert codes(ask, path, 4) == [200, 200, 429, 429]


@both
def test_the_default_validators_let_20_a_minute_pass(ask: Ask) -> None:
    assert codes(ask, "/", 22) == [200] * 20 + [429] * 2
    assert codes(ask, "/limited-bare/", 21) == [200] * 20 + [429]


@override_settings(SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH="tests.site.twice_a_minute")
def test_the_default_validators_are_those_of_the_module_that_the_setting_names() -> None:
    assert codes(ask_sync, "/", 3) == [200, 200, 429]


@pytest.mark.parametrize("path", ["tests.nowhere", "tests.site.views"])
def test_default_validators_that_are_none_are_named(path: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=f"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH is '{path}'"):
        default_validators(path)


@both
@pytest.mark.parametrize(
    "path",
    [
        "/exempt-from-throttling/",
        "/exempt-from-throttling-called/",
        "/exempt-from-throttling-class/",
        "/without-default/",
        "/without-default-class/",
    ],
)
def test_a_view_without_validators_is_not_throttled(ask: Ask, path: str) -> None:
    assert codes(ask, path, 22) == [200] * 22
    assert not ThrottlingCount.objects.exists()


def test_the_mark_of_a_method_counts_for_that_method_only() -> None:
    assert codes(ask_sync, "/limited-method/", 3, method="POST") == [200, 200, 429]
    assert codes(ask_sync, "/limited-method/", 3) == [200] * 3


def test_a_scope_widens_or_narrows_what_is_counted() -> None:
    assert codes(ask_sync, "/limited-site/", 2) + codes(ask_sync, "/limited-site-too/", 2) == [200, 200, 200, 429]
    assert codes(ask_sync, "/limited-path/1/", 3) + codes(ask_sync, "/limited-path/2/", 3) == [200, 200, 429] * 2


def test_clients_and_views_have_counts_of_their_own() -> None:
    assert codes(ask_sync, "/limited/", 3, REMOTE_ADDR="192.0.2.1") == [200, 200, 429]
    assert codes(ask_sync, "/limited/", 3, REMOTE_ADDR="192.0.2.2") == [200, 200, 429]
    assert codes(ask_sync, "/limited-class/", 3, REMOTE_ADDR="192.0.2.1") == [200, 200, 429]


@both
@pytest.mark.parametrize("path", ["/custom/", "/custom-async/", "/custom-crossed/", "/custom-crossed-async/"])
def test_a_custom_validator_refuses_with_its_own_words(ask: Ask, path: str) -> None:
    assert ask(path).status_code == 200
    response = ask(f"{path}?forbidden")
    assert response.status_code == 429
    assert b"Your custom message" in response.content
    assert "Retry-After" not in response.headers


@both
def test_a_child_of_a_validator_that_validates_in_its_own_way_is_asked(ask: Ask) -> None:
    assert ask("/custom-child/?forbidden").status_code == 429
    assert codes(ask, "/custom-child/", 2) == [200, 429]


@both
def test_requests_can_be_counted_in_a_cache(ask: Ask) -> None:
    cache.clear()
    assert codes(ask, "/custom-cache/", 3) == [200, 200, 429]


@both
@pytest.mark.parametrize("path", ["/raises/", "/raises-async/"])
def test_the_exception_is_answered_wherever_it_is_raised(ask: Ask, path: str) -> None:
    with capture_security_logs() as logs:
        response = ask(path)
    assert (response.status_code, b"Not now." in response.content) == (429, True)
    (entry,) = logs.input_request
    assert (entry.state, entry.error_message) == (RequestLogState.THROTTLED, "Not now.")


@both
def test_the_answer_says_when_to_come_back(ask: Ask) -> None:
    codes(ask, "/limited/", 2)
    response = ask("/limited/")
    assert response["Content-Type"] == "text/html; charset=utf-8"
    assert b"Twice a minute." in response.content
    # The window of a minute ends, and half of it has to leave.
    assert 80 <= int(response["Retry-After"]) <= 90
    assert response["RateLimit"] == f'"2-per-60s";r=0;t={response["Retry-After"]}'
    assert (
        response["RateLimit-Policy"] == '"1000-per-3600s";q=1000;w=3600, "20-per-60s";q=20;w=60, "2-per-60s";q=2;w=60'
    )
    assert response["Cache-Control"] == "no-store"


@both
def test_an_answer_that_passes_has_no_header_more(ask: Ask) -> None:
    assert {"ratelimit", "ratelimit-policy", "retry-after"}.isdisjoint(map(str.lower, ask("/limited/").headers))


@both
def test_who_asks_for_json_gets_json(ask: Ask) -> None:
    codes(ask, "/limited/", 2)
    response = ask("/limited/", headers={"accept": "application/json"})
    assert response.status_code == 429
    assert response.json() == {"status": 429, "title": "Too Many Requests", "detail": "Twice a minute."}


@both
@pytest.mark.parametrize("view", ["teapot", "teapot_async"])
def test_the_failure_view_is_that_of_the_site(ask: Ask, view: str) -> None:
    with override_settings(SECURITY_THROTTLING_FAILURE_VIEW=f"tests.site.failure_views.{view}"):
        codes(ask, "/limited/", 2)
        response = ask("/limited/")
    assert (response.status_code, response.content) == (429, b"no: Twice a minute.")
    assert response["Retry-After"] == "7"
    assert "RateLimit" in response.headers


@both
@pytest.mark.parametrize("view", ["broken", "nothing", "missing"])
def test_a_broken_failure_view_still_refuses(ask: Ask, view: str, caplog: pytest.LogCaptureFixture) -> None:
    with override_settings(SECURITY_THROTTLING_FAILURE_VIEW=f"tests.site.failure_views.{view}"):
        codes(ask, "/limited/", 2)
        response = ask("/limited/")
    assert (response.status_code, response.content) == (429, b"Twice a minute.")
    assert "SECURITY_THROTTLING_FAILURE_VIEW" in caplog.text


@both
def test_a_description_that_fails_still_refuses(ask: Ask, caplog: pytest.LogCaptureFixture) -> None:
    response = ask("/limited-wordless/")
    assert response.status_code == 200
    response = ask("/limited-wordless/")
    assert (response.status_code, response.content) == (429, b"Too Many Requests")
    assert "Retry-After" in response.headers
    row = InputRequestLog.objects.first()
    assert row is not None
    assert (row.state, row.error_message) == (RequestLogState.THROTTLED, "Too Many Requests")
    assert "no words" in caplog.text


@both
def test_a_refused_request_is_recorded_as_one(ask: Ask) -> None:
    codes(ask, "/limited/", 3)
    row = InputRequestLog.objects.first()
    assert row is not None
    assert (row.state, row.response_code, row.view_slug) == (RequestLogState.THROTTLED, 429, "limited")
    assert row.error_message == "Twice a minute."
    assert row.state.name == "THROTTLED"


@both
@pytest.mark.django_db(transaction=True)
def test_throttling_adds_one_statement(ask: Ask) -> None:
    ask("/")
    for path, expected in [("/", 3), ("/limited/", 3), ("/limited/", 3), ("/limited/", 2), ("/nowhere/", 3)]:
        with CaptureQueriesContext(connection) as queries:
            ask(path)
        statements = [query["sql"] for query in queries if "security_sql" in query["sql"]]
        # One that is refused is written once: it begins and ends in one row. So is one that leads to no view.
        expected = 2 if path == "/nowhere/" else expected
        assert len(statements) == expected, statements


def test_an_async_decision_is_no_visit_to_a_thread_more(monkeypatch: pytest.MonkeyPatch) -> None:
    visits = []

    async def visit(work: Callable[..., Any], *args: Any) -> Any:
        visits.append(work)
        return await arun_blocking(work, *args)

    for module in (gate, throttled_steps):
        monkeypatch.setattr(module, "arun_blocking", visit)
    monkeypatch.setattr(patience, "arun_for", lambda seconds, work, *args: visit(work, *args))
    counts = []
    for enabled in (False, True):
        with override_settings(SECURITY_THROTTLING_ENABLED=enabled):
            visits.clear()
            assert ask_async("/async/").status_code == 200
            counts.append(len(visits))
    assert counts == [2, 2]


@pytest.mark.django_db(transaction=True)
@both
def test_throttling_that_is_off_costs_nothing(ask: Ask) -> None:
    with override_settings(SECURITY_THROTTLING_ENABLED=False), CaptureQueriesContext(connection) as queries:
        assert codes(ask, "/limited/", 3) == [200] * 3
    assert not [query for query in queries if "throttling" in query["sql"]]


@both
def test_paths_that_lead_to_no_view_are_counted_together(ask: Ask) -> None:
    answers = [ask(f"/nowhere/{number}").status_code for number in range(22)]
    assert answers == [404] * 20 + [429] * 2
    assert InputRequestLog.objects.filter(state=RequestLogState.THROTTLED).count() == 2
    # A view that answers 404 is a view.
    assert codes(ask, "/missing/", 2) == [404] * 2


@both
def test_a_link_without_its_slash_is_no_broken_one(ask: Ask) -> None:
    assert codes(ask, "/nowhere", 21) == [404] * 20 + [429]
    assert codes(ask, "/orders/7", 21) == [301] * 20 + [429]
    assert ask("/limited-async").status_code == 301
    # What it redirects to is counted by itself.
    assert ask("/orders/7/").status_code == 200
    assert codes(ask, "/exempt-from-throttling", 21) == [301] * 21


@both
@pytest.mark.parametrize("path", ["/shadow/", "/shadow-async/"])
def test_a_validator_in_the_shadow_only_notes_what_it_would_have_refused(ask: Ask, path: str) -> None:
    with capture_security_logs() as logs:
        assert codes(ask, path, 4) == [200] * 4
        assert ask(f"{path}?forbidden").status_code == 200
    noted = [entry.extra_data.get("throttling_shadow") for entry in logs.input_request]
    assert noted[:4] == [None, None, ["Twice a minute."], ["Twice a minute."]]
    assert noted[4] == ["Twice a minute.", *(["Your custom message"] if path == "/shadow/" else [])]


def test_a_capture_counts_by_itself() -> None:
    codes(ask_sync, "/limited/", 2)
    with capture_security_logs():
        assert codes(ask_sync, "/limited/", 3) == [200, 200, 429]
    assert codes(ask_sync, "/limited/", 1) == [429]


def test_a_validator_can_be_asked_by_itself(rf: Any) -> None:
    request = rf.get("/")
    request.resolver_match = None
    validator = PerRequestThrottlingValidator(60, 2)
    validator.validate(request)
    validator.validate(request)
    with pytest.raises(throttling_views.ThrottlingException, match="too many requests"):
        validator.validate(request)


@pytest.mark.parametrize(
    ("decorator", "argument", "said"),
    [
        (throttling, PerRequestThrottlingValidator, "is a class: write PerRequestThrottlingValidator"),
        (throttling, 7, "is no validator"),
        (throttling_all, 7, "is no validator"),
    ],
)
def test_what_is_no_validator_is_named(decorator: Any, argument: Any, said: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=said):
        decorator(argument, argument)


def test_the_wrong_decorator_says_which_is_the_right_one() -> None:
    with pytest.raises(TypeError, match="ends in _all"):
        throttling(throttling_views.twice)(views.Reads)
    with pytest.raises(TypeError, match="ends in _all"):
        throttling_exempt(views.Reads)
    with pytest.raises(TypeError, match="has no _all"):
        throttling_exempt_all(views.home)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: PerRequestThrottlingValidator(0, 1), "1 second to 366 days"),
        (lambda: PerRequestThrottlingValidator(60, 0), "throttle_at is a number of requests, a whole one of 1"),
        (lambda: PerRequestThrottlingValidator(60, "20"), "throttle_at is a number of requests.*not '20'"),
        (lambda: PerRequestThrottlingValidator(60, 1, scope="page"), "'site', 'view', 'path'"),
        (lambda: UnsuccessfulLoginThrottlingValidator(60, 1, by="name"), "'client' or 'account'"),
    ],
)
def test_a_validator_says_what_its_numbers_can_be(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize("timeframe", ["60", None, "1 minute"])
@pytest.mark.parametrize("validator", [PerRequestThrottlingValidator, UnsuccessfulLoginThrottlingValidator])
def test_a_timeframe_that_is_none_is_told_to_be_a_number_of_seconds(validator: Any, timeframe: Any) -> None:
    with pytest.raises(TypeError, match=f"timeframe is a number of seconds or a timedelta, not {timeframe!r}"):
        validator(timeframe, 20)


def test_the_documented_imports_are_one_thing() -> None:
    import security.default_validators
    import security.exception
    import security.throttling.default_validators
    import security.throttling.exception
    import security.throttling.views
    import security.views

    assert security.exception.ThrottlingException is security.throttling.exception.ThrottlingException
    assert security.views.throttling_failure_view is security.throttling.views.throttling_failure_view
    assert [
        (validator.timeframe, validator.throttle_at) for validator in security.default_validators.default_validators
    ] == [(3600, 1000), (60, 20)]
    assert security.throttling.default_validators.default_validators is security.default_validators.default_validators
