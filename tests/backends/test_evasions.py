"""Ways round a limit that clients try: each is refused as the plain request is, sync and async."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import partialmethod
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.test import AsyncClient, Client, override_settings

from security.backends.sql.models import InputRequestLog, ThrottlingCount
from security.backends.testing import capture_security_logs

pytestmark = pytest.mark.django_db

Ask = Callable[[dict[str, Any]], int]
REQUEST: dict[str, Any] = {
    "method": "GET",
    "path": "/limited/",
    "query": "",
    "peer": "192.0.2.7",
    "headers": {"host": "testserver"},
}


@pytest.fixture(autouse=True)
def throttled(settings: Any) -> None:
    settings.SECURITY_THROTTLING_ENABLED = True


def ask_sync(request: dict[str, Any]) -> int:
    environ = {
        "REQUEST_METHOD": request["method"],
        "PATH_INFO": request["path"],
        "QUERY_STRING": request["query"],
        "REMOTE_ADDR": request["peer"],
        "wsgi.input": io.BytesIO(),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in request["headers"].items()},
    }
    return int(Client(raise_request_exception=False).request(**environ).status_code)


def ask_async(request: dict[str, Any]) -> int:
    scope = {
        "method": request["method"],
        "path": request["path"],
        "query_string": request["query"].encode(),
        "headers": [(name.encode(), value.encode()) for name, value in request["headers"].items()],
        "client": (request["peer"], 50_000) if request["peer"] else None,
    }

    @async_to_sync
    async def ask() -> int:
        return int((await AsyncClient(raise_request_exception=False).request(**scope)).status_code)

    return ask()


def headers(**extra: str) -> dict[str, Any]:
    return {"headers": REQUEST["headers"] | {name.replace("_", "-"): value for name, value in extra.items()}}


EVASIONS: dict[str, list[dict[str, Any]]] = {
    "X-Forwarded-For": [headers(x_forwarded_for=f"198.51.100.{n}") for n in range(5)],
    "X-Real-IP": [headers(x_real_ip=f"198.51.100.{n}") for n in range(5)],
    "Forwarded": [headers(forwarded=f"for=198.51.100.{n}") for n in range(5)],
    "path arguments": [{"path": f"/limited-item/{n}/"} for n in range(5)],
    "HEAD for GET": [{"method": "GET"}, {"method": "HEAD"}, {"method": "HEAD"}, {"method": "GET"}],
    "HEAD for GET of a class": [{"method": method, "path": "/limited-class/"} for method in ("GET", "HEAD", "HEAD")],
    "other and invented methods": [{"method": m} for m in ("GET", "POST", "PUT", "OPTIONS", "PROPFIND", "X" * 500)],
    "methods that a class does not know": [
        {"method": m, "path": "/limited-class/"} for m in ("PUT", "FROB", "GET", "POST", "__class__")
    ],
    "letter case of the method": [{"method": method} for method in ("get", "GET", "Get", "gET")],
    "query noise": [{"query": f"noise={n}"} for n in range(5)],
    "5,000 query keys": [{"query": "&".join(f"{n}-{i}" for i in range(5000))} for n in range(4)],
    "/64 hopping": [{"peer": f"2001:db8:1:2::{n:x}"} for n in range(5)],
    "/64 hopping in other spellings": [
        {"peer": peer} for peer in ("2001:DB8:1:2::1", "2001:db8:1:2:ffff::", "2001:0db8:0001:0002:0:0:0:9%eth0")
    ],
    "IPv4 as IPv6": [{"peer": peer} for peer in ("192.0.2.7", "::ffff:192.0.2.7", "::FFFF:c000:207")],
    "IPv4 through NAT64": [{"peer": peer} for peer in ("192.0.2.7", "64:ff9b::192.0.2.7", "64:ff9b::c000:207")],
    "a unix-socket peer": [{"peer": None} for _ in range(4)],
    "a peer that is no address": [{"peer": "unix:"}, {"peer": ""}, {"peer": "nobody"}, {"peer": None}],
    "an ignored path": [{"path": "/limited-class/"} for _ in range(4)],
    "an ignored address": [{"peer": "203.0.113.9"} for _ in range(4)],
    "a log_exempt view": [{"path": "/limited-unlogged/"} for _ in range(4)],
    "letter case of the host": [headers(host=host) for host in ("testserver", "TESTSERVER", "TestServer")],
    "another host": [headers(host=host) for host in ("testserver", "a.example", "testserver:81")],
    "a path of 5,000 characters": [{"path": f"/limited-any/{n}{'x' * 5000}"} for n in range(4)],
    "a NUL in the path": [{"path": f"/limited-any/a\0{n}"} for n in range(4)],
    "a path that is no UTF-8": [{"path": f"/limited-any/\xff{n}"} for n in range(4)],
    "paths that lead nowhere": [{"path": f"/nowhere/{n}"} for n in range(22)],
    "user agents and cookies": [headers(user_agent=f"{n}", cookie=f"sessionid={n}") for n in range(5)],
}


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
@pytest.mark.parametrize("evasion", EVASIONS)
@override_settings(
    SECURITY_LOG_REQUEST_IGNORE_URL_PATHS={"/limited-class/"}, SECURITY_LOG_REQUEST_IGNORE_IP=["203.0.113.0/24"]
)
def test_an_evasion_is_refused(ask: Ask, evasion: str) -> None:
    requests = EVASIONS[evasion]
    limit = 20 if len(requests) > 20 else 2
    answers = [ask(REQUEST | request) for request in requests]
    assert 429 not in answers[:limit]
    assert set(answers[limit:]) == {429}, answers
    assert all(len(row.key) == 32 for row in ThrottlingCount.objects.all())


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
def test_who_sends_no_csrf_token_is_not_let_off(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    for client in (Client, AsyncClient):
        monkeypatch.setattr(client, "__init__", partialmethod(client.__init__, enforce_csrf_checks=True))
    request = REQUEST | {"path": "/limited-class/", "method": "POST"}
    assert [ask(request) for _ in range(4)] == [403, 403, 429, 429]
    # It is the same count.
    assert ask(request | {"method": "GET"}) == 429


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
def test_neighbours_are_not_taken_for_each_other(ask: Ask) -> None:
    for peer in (
        "192.0.2.7",
        "192.0.2.8",
        "2001:db8:1:2::1",
        "2001:db8:1:3::1",
        "64:ff9b::c000:209",
        "64:ff9b::c000:20a",
        None,
    ):
        assert [ask(REQUEST | {"peer": peer}) for _ in range(3)] == [200, 200, 429]


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
def test_what_is_not_logged_is_throttled_and_still_not_logged(ask: Ask) -> None:
    with capture_security_logs() as logs:
        assert [ask(REQUEST | {"path": "/limited-unlogged/"}) for _ in range(3)] == [200, 200, 429]
    assert logs.input_request == []
    assert not InputRequestLog.objects.exists()


@pytest.mark.parametrize("ask", [ask_sync, ask_async])
@override_settings(SECURITY_TRUSTED_PROXIES=1)
def test_behind_a_proxy_the_client_is_whom_it_names_in_log_and_count(ask: Ask) -> None:
    def through_proxy(client: str, spoofed: int) -> int:
        forwarded = f"198.51.100.{spoofed}, {client}"
        return ask(REQUEST | {"peer": "10.0.0.1"} | headers(x_forwarded_for=forwarded))

    assert [through_proxy("192.0.2.7", n) for n in range(3)] == [200, 200, 429]
    assert [through_proxy("192.0.2.8", n) for n in range(3)] == [200, 200, 429]
    assert set(InputRequestLog.objects.values_list("ip", flat=True)) == {"192.0.2.7", "192.0.2.8"}
