"""The causal tree: calls find the request that they belong to, and the trace goes with them."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, override_settings

from security import httpx, requests
from security.backends.testing import capture_security_logs
from security.traces import span_id_of
from tests.acceptance.remote import Remote

pytestmark = pytest.mark.django_db

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "vendor=1"}


def ask_sync(path: str, **kwargs: Any) -> Any:
    return Client().get(path, **kwargs)


def ask_async(path: str, **kwargs: Any) -> Any:
    return async_to_sync(AsyncClient().get)(path, **kwargs)


both = pytest.mark.parametrize("ask", [ask_sync, ask_async])
VIEWS = ["call", "call-async", "call-in-transaction", "call-in-threads", "call-at-once"]


@both
@pytest.mark.parametrize("view", VIEWS)
def test_a_call_is_a_child_of_its_request(view: str, ask: Callable[..., Any], remote: Remote) -> None:
    with capture_security_logs() as logs:
        assert ask(f"/{view}/?number=7&remote={remote.address}").status_code == 200
    (parent,) = logs.input_request
    assert {entry.parent_log for entry in logs.output_request} == {f"input-request|{parent.id}"}
    assert len(logs.output_request) == (2 if view == "call-at-once" else 1)


@both
@pytest.mark.parametrize("view", VIEWS)
@override_settings(SECURITY_TRACE_CONTEXT=True)
def test_the_trace_of_a_request_is_kept_and_passed_on(
    view: str, ask: Callable[..., Any], remote: Remote, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with capture_security_logs() as logs:
        answer = ask(f"/{view}/?number=7&remote={remote.address}", headers=SENT)
    assert logs.input_request[0].traceparent == SENT["traceparent"]
    child = logs.output_request[0]
    assert child.traceparent == f"00-{TRACE}-{span_id_of(child.id)}-01"
    headers = {name.lower(): value for name, value in json.loads(answer.content)["headers"].items()}
    assert headers["traceparent"] in {entry.traceparent for entry in logs.output_request}
    assert headers["tracestate"] == "vendor=1"
    seen: list[Any] = [record for record in caplog.records if hasattr(record, "security_trace_id")]
    assert {record.security_trace_id for record in seen} == {TRACE}
    assert {span_id_of(entry.id) for entry in [*logs.input_request, *logs.output_request]} == {
        record.security_span_id for record in seen
    }


@pytest.mark.parametrize(("is_on", "sent"), [(False, SENT), (True, {}), (True, {"traceparent": "nonsense"})])
def test_without_the_setting_or_a_trace_nothing_is_passed_on(is_on: bool, sent: dict[str, str], remote: Remote) -> None:
    with override_settings(SECURITY_TRACE_CONTEXT=is_on), capture_security_logs() as logs:
        answer = ask_sync(f"/call/?number=7&remote={remote.address}", headers=sent)
    assert not {name.lower() for name in json.loads(answer.content)["headers"]} & {"traceparent", "tracestate"}
    assert logs.input_request[0].traceparent is logs.output_request[0].traceparent is None


@override_settings(SECURITY_TRACE_CONTEXT=True)
@pytest.mark.parametrize("library", [requests, httpx], ids=["requests", "httpx"])
def test_each_hop_has_a_span_of_its_own_and_a_header_of_the_site_stays(library: Any, remote: Remote) -> None:
    def view(request: Any) -> Any:
        redirects = {"follow_redirects": True} if library is httpx else {}
        response = library.get(f"{remote.address}/redirect?times=1", **redirects)
        # The request is given back as it was.
        assert "traceparent" not in response.request.headers
        return library.get(f"{remote.address}/echo", headers={"traceparent": "the site's"})

    from django.test import RequestFactory

    from security.middleware import LogMiddleware

    before = len(remote.seen)
    with capture_security_logs() as logs:
        request = RequestFactory().get("/", headers=SENT)
        LogMiddleware(lambda request: answered(view(request)))(request)
    sent = [{name.lower(): value for name, value in seen[2].items()}["traceparent"] for seen in remote.seen[before:]]
    assert sent == [*(f"00-{TRACE}-{span_id_of(entry.id)}-01" for entry in logs.output_request[:2]), "the site's"]


def answered(response: Any) -> Any:
    from django.http import HttpResponse

    return HttpResponse(response.content)
