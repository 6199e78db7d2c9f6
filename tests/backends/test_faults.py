"""Faults of the site around its requests: the site answers as ever, and each request has a complete row."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from django.test import AsyncClient, Client, RequestFactory, override_settings

from security.backends.sql.models import InputRequestLog
from security.delivery import lost_entries
from security.enums import RequestLogState
from security.middleware import LogMiddleware
from security.sources.input_requests import exchange, refused
from tests.site import fault_views

pytestmark = [pytest.mark.django_db, pytest.mark.urls("tests.site.fault_views")]

LOG = "security.middleware.LogMiddleware"
COMMON = "django.middleware.common.CommonMiddleware"


def ask(path: str, **kwargs: Any) -> tuple[Any, InputRequestLog]:
    lost = lost_entries()
    response = Client(raise_request_exception=False).get(path, **kwargs)
    if response.streaming:
        b"".join(response)
    assert lost_entries() == lost
    return response, InputRequestLog.objects.get()


def test_the_traceback_of_a_fault_runs_no_code_of_the_site(caplog: pytest.LogCaptureFixture) -> None:
    # The message of Django's logger is formatted by the module `traceback`, which does run it.
    caplog.set_level(logging.CRITICAL, "django.request")
    response, row = ask("/forgotten/")
    assert response.status_code == row.response_code == 500
    assert "NameError: name 'order' is not defined" in str(row.error_message)


def test_a_path_whose_converter_fails_is_recorded() -> None:
    response, row = ask("/converted/x/")
    assert (response.status_code, row.state, row.view_slug) == (500, RequestLogState.ERROR, None)
    assert "no such converter" in str(row.error_message)


@pytest.mark.parametrize(("code", "stored"), [("999", 999), ("70000", None), ("-1", None), ("1" + "0" * 23, None)])
def test_a_status_code_that_is_none_is_stored_as_none(code: str, stored: int | None) -> None:
    _, row = ask(f"/code/{code}/")
    assert (row.response_code, row.state) == (stored, RequestLogState.ERROR)


@override_settings(MIDDLEWARE=["django.middleware.http.ConditionalGetMiddleware", LOG])
@pytest.mark.parametrize(("header", "code"), [({"if-match": '"z"'}, 412), ({"if-none-match": '"x"'}, 304)])
def test_a_stream_that_another_answer_replaces_leaves_a_closed_row(header: dict[str, str], code: int) -> None:
    response, row = ask("/tagged/", headers=header)
    assert response.status_code == code
    assert (row.state, row.response_code) == (RequestLogState.INFO, 200)
    assert "in place of" in str(row.error_message)


@override_settings(MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", LOG])
def test_a_stream_that_is_compressed_around_the_log_is_recorded_as_the_site_made_it() -> None:
    response, row = ask("/tagged/", headers={"accept-encoding": "gzip"})
    assert response["Content-Encoding"] == "gzip"
    assert row.response_body == "one,two"


@override_settings(MIDDLEWARE=["tests.site.fault_views.FailsAfterwards", LOG])
@pytest.mark.parametrize(("path", "version"), [("/code/200/", 3), ("/tagged/", 2)])
def test_a_fault_after_the_answer_makes_an_error_of_it(path: str, version: int) -> None:
    response, row = ask(path, headers={"X-Api-Key": "correct horse"})
    assert response.status_code == row.response_code == 500
    assert (row.state, row.version) == (RequestLogState.ERROR, version)
    # What it quotes of the request is masked as in any other traceback.
    assert "after the answer to [Filtered]" in str(row.error_message)
    assert "correct horse" not in str(row.error_message)


@pytest.mark.parametrize("response_type", [fault_views.OneShotResponse, fault_views.OwnStream])
def test_what_can_be_had_once_is_left_for_the_client(response_type: type[fault_views.OneShotResponse]) -> None:
    # Django's test client knows only responses of its own.
    site = LogMiddleware(lambda request: response_type([b"one", b"shot"], content_type="text/html"))
    response: Any = site(RequestFactory().get("/code/200/"))
    assert b"".join(response) == b"oneshot"
    row = InputRequestLog.objects.get()
    assert (row.state, row.response_code, row.response_body) == (RequestLogState.INFO, 200, "")
    assert row.error_message is None


@override_settings(MIDDLEWARE=[LOG, "tests.site.fault_views.CopiesRequest"])
def test_the_view_of_a_request_that_was_copied_on_its_way_is_known() -> None:
    _, row = ask("/code/200/")
    assert row.view_slug == "tests.site.fault_views.odd_code"


@override_settings(MIDDLEWARE=[COMMON, LOG, "tests.site.fault_views.ForgetsToReturn"])
def test_no_answer_at_all_is_an_error_of_the_site_s() -> None:
    response, row = ask("/code/200/")
    assert (response.status_code, row.response_code, row.state) == (500, 500, RequestLogState.ERROR)
    assert "'NoneType' object has no attribute" in str(row.error_message)


@override_settings(ALLOWED_HOSTS=["shop.example"], MIDDLEWARE=["tests.site.fault_views.CopiesRequest", COMMON, LOG])
async def test_a_refused_host_does_not_hold_up_an_asynchronous_test_of_a_site(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(refused, "_PATIENCE", 0.1)
    response = await AsyncClient().get("/code/200/", headers={"host": "evil.example"})
    assert response.status_code == 400
    assert "A refused request could not be recorded" in caplog.text


def test_a_fault_of_the_logger_at_the_end_leaves_a_closed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any) -> None:
        raise RuntimeError("a fault of the logger")

    monkeypatch.setattr(exchange.messages, "request_body_of", broken)
    response, row = ask("/code/200/")
    assert (response.status_code, row.state) == (200, RequestLogState.ERROR)
    assert "The logger failed" in str(row.error_message)
