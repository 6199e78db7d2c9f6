"""httpx as its documentation uses it, sync and async: the same results with the import swapped, and the records."""

from __future__ import annotations

import asyncio
import gc
import importlib
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx as plain
import pytest
import trustme
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.test import override_settings

from security import httpx as recording
from security.backends.testing import CapturedLogs, capture_security_logs
from security.context import inside
from security.delivery import adeliver
from security.enums import RequestLogState
from security.records import InputRequestRecord
from security.sources.output_requests import httpx_clients
from tests.acceptance.remote import Remote, remote_service
from tests.acceptance.servers import wait_until

pytestmark = pytest.mark.django_db

Usage = Callable[[Any, str], Any]
USAGES: dict[str, Usage] = {}


def usage(function: Usage) -> Usage:
    USAGES[function.__name__] = function
    return function


def shown(response: Any) -> Any:
    return (
        *(response.status_code, response.reason_phrase, str(response.url), response.text, response.encoding),
        *(dict(response.cookies), [shown(hop) for hop in response.history], response.http_version),
        {name: value for name, value in response.headers.items() if name not in ("date", "server")},
        {name: value for name, value in response.request.headers.items() if name != "user-agent"},
        *(response.request.method, response.is_closed, response.is_stream_consumed),
    )


@usage
def functions(httpx: Any, url: str) -> Any:
    return [
        shown(httpx.get(f"{url}/echo", params={"a": "1"})),
        shown(httpx.post(f"{url}/echo", data={"key": "value"})),
        shown(httpx.post(f"{url}/echo", json={"some": "data"})),
        shown(httpx.put(f"{url}/echo", content=b"bytes")),
        shown(httpx.patch(f"{url}/echo", content="text")),
        shown(httpx.delete(f"{url}/echo")),
        shown(httpx.head(f"{url}/echo")),
        shown(httpx.options(f"{url}/echo")),
        shown(httpx.request("GET", f"{url}/gzip", timeout=5, verify=False)),
        shown(httpx.get(f"{url}/redirect")),
        shown(httpx.get(f"{url}/redirect?times=2", follow_redirects=True)),
    ]


@usage
def clients(httpx: Any, url: str) -> Any:
    with httpx.Client(headers={"X-Auth": "1"}, base_url=url, params={"p": "1"}) as client:
        found = [shown(client.get("/cookies")), shown(client.get("/echo"))]
        found.append(shown(client.send(client.build_request("POST", "/echo", content=b"built"))))
        found.append(shown(client.get("/digest", auth=httpx.DigestAuth("user", "pass")))[0])
        found.append(shown(client.get("/basic", auth=("user", "pass"))))
    return found


@usage
def streams(httpx: Any, url: str) -> Any:
    def generated() -> Iterator[bytes]:
        yield b"one,"
        yield b"two"

    found: list[Any] = []
    with httpx.stream("GET", f"{url}/big?size=100000") as response:
        found.append([len(chunk) for chunk in response.iter_bytes(1000)])
    with httpx.stream("GET", f"{url}/gzip") as response:
        found.append(len(b"".join(response.iter_raw())))
    with httpx.stream("GET", f"{url}/lines") as response:
        found.append(list(response.iter_lines()))
    with httpx.Client() as client, client.stream("POST", f"{url}/echo", content=generated()) as response:
        found.append(response.read())
    found.append(httpx.post(f"{url}/echo", files={"file": ("a.csv", b"a,b")}).status_code)
    return found


@usage
def own_transports(httpx: Any, url: str) -> Any:
    called = []

    def handle(request: Any) -> Any:
        called.append(type(request.stream).__name__)
        return httpx.Response(200, json={"text": "canned"})

    transport = httpx.MockTransport(handle)
    with httpx.Client(
        transport=transport, event_hooks={"response": [lambda response: called.append("hook")]}
    ) as client:
        found = client.get("https://service.example/").json()
    with httpx.Client(mounts={"all://mounted.example": transport}) as client:
        return found, client.get("https://mounted.example/").json(), called, client.get(f"{url}/echo").status_code


@usage
def errors(httpx: Any, url: str) -> Any:
    found = []
    for work in (
        lambda: httpx.get("nonsense"),
        lambda: httpx.get("ftp://example.com"),
        lambda: httpx.get("http://a:bad/"),
        lambda: httpx.get("http://127.0.0.1:9/"),
        lambda: httpx.get("http://no-such-host.invalid/"),
        lambda: httpx.get(f"{url}/silence", timeout=0.05),
        lambda: httpx.get(f"{url}/reset"),
        lambda: httpx.get(f"{url}/status?code=404").raise_for_status(),
        lambda: httpx.get(f"{url}/redirect?times=50", follow_redirects=True),
    ):
        with pytest.raises((httpx.HTTPError, httpx.InvalidURL)) as error:
            work()
        found.append((error.type.__name__, str(error.value)))
    return found


@usage
def asynchronous(httpx: Any, url: str) -> Any:
    async def generated() -> AsyncIterator[bytes]:
        yield b"one,"
        yield b"two"

    @async_to_sync
    async def ask() -> Any:
        async with httpx.AsyncClient() as client:
            found = [
                shown(await client.get(f"{url}/echo")),
                shown(await client.post(f"{url}/echo", content=generated())),
                (await client.post(f"{url}/echo", files={"file": ("a.csv", b"a,b")})).status_code,
                shown(await client.get(f"{url}/redirect?times=2", follow_redirects=True)),
            ]
            async with client.stream("GET", f"{url}/big?size=100000") as response:
                found.append(sum([len(chunk) async for chunk in response.aiter_bytes()]))
            async with client.stream("GET", f"{url}/gzip") as response:
                found.append(await response.aread())
            for path in ("/reset", "/silence"):
                with pytest.raises(httpx.HTTPError) as error:
                    await client.get(url + path, timeout=0.1)
                found.append(error.type.__name__)
            with pytest.raises(httpx.InvalidURL):
                await client.get("http://a:bad/")
        return found

    return ask()


@pytest.mark.parametrize("name", USAGES)
def test_the_results_are_those_of_httpx(name: str, remote: Remote) -> None:
    expected = USAGES[name](plain, remote.address)
    with capture_security_logs() as logs:
        actual = USAGES[name](recording, remote.address)
    assert actual == expected
    assert logs.output_request
    assert all(entry.stop is not None for entry in logs.output_request)


def test_every_name_of_httpx_is_there() -> None:
    own = {"get", "options", "head", "post", "put", "patch", "delete", "request", "stream", "Client", "AsyncClient"}
    for name in plain.__all__:
        assert (getattr(recording, name) is getattr(plain, name)) is (name not in own), name
    assert recording.__version__ == plain.__version__


def ask_sync(method: str, url: str, **kwargs: Any) -> Any:
    return recording.request(method, url, **kwargs)


def ask_async(method: str, url: str, **kwargs: Any) -> Any:
    @async_to_sync
    async def ask() -> Any:
        async with recording.AsyncClient() as client:
            return await client.request(method, url, **kwargs)

    return ask()


both = pytest.mark.parametrize("ask", [ask_sync, ask_async])


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_security_logs() as captured:
        yield captured


def only(logs: CapturedLogs) -> Any:
    (entry,) = logs.output_request
    return entry


@both
def test_a_call_and_its_response_are_recorded(ask: Any, remote: Remote, logs: CapturedLogs) -> None:
    ask(
        *("POST", f"{remote.address}/gzip?a=1&token=t"),
        json={"password": "secret"},
        headers={"Authorization": "secret"},
        slug="shop",
        related_objects=[Group(pk=7)],
    )
    entry = only(logs)
    assert (entry.method, entry.host, entry.path, entry.is_secure) == ("POST", remote.host, "/gzip", False)
    assert entry.queries == {"a": "1", "token": "[Filtered]"}
    assert entry.request_headers["authorization"] == "[Filtered]"
    assert entry.request_body == '{"password":"[Filtered]"}'
    assert (entry.response_code, entry.state, entry.slug) == (200, RequestLogState.INFO, "shop")
    # httpx unpacks above its transports; what is recorded is unpacked all the same.
    assert entry.response_body == '{"token": "[Filtered]", "text": "unpacked"}'
    assert [reference.pk for reference in entry.related_objects] == ["7"]
    assert entry.version == 2


@both
def test_each_redirect_is_a_record_and_a_child_of_the_first(ask: Any, remote: Remote, logs: CapturedLogs) -> None:
    outer = InputRequestRecord()
    with inside(outer):
        ask("GET", f"{remote.address}/redirect?times=2", follow_redirects=True, slug="hops")
    first, *others = logs.output_request
    assert first.parent_log == outer.reference
    assert [entry.parent_log for entry in others] == [f"output-request|{first.id}"] * 2
    assert [entry.response_code for entry in logs.output_request] == [302, 302, 200]
    assert {entry.slug for entry in logs.output_request} == {"hops"}


@both
def test_a_compressed_bomb_is_bounded(ask: Any, remote: Remote, logs: CapturedLogs) -> None:
    ask("GET", f"{remote.address}/bomb?size=20000000")
    assert len(only(logs).response_body) <= 1000


@both
def test_a_host_that_does_not_resolve_is_recorded_with_its_error(ask: Any, logs: CapturedLogs) -> None:
    with pytest.raises(plain.ConnectError):
        ask("GET", "http://no-such-host.invalid/a?token=secret")
    assert (only(logs).host, only(logs).state) == ("no-such-host.invalid", RequestLogState.ERROR)
    assert "ConnectError" in only(logs).error_message
    assert "secret" not in only(logs).error_message


@both
def test_an_untrusted_certificate_is_recorded_with_its_error(ask: Any, logs: CapturedLogs) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    with remote_service(context) as remote, pytest.raises(plain.ConnectError):
        ask("GET", f"{remote.address}/echo")
    assert "CERTIFICATE_VERIFY_FAILED" in only(logs).error_message


@both
def test_a_reset_in_mid_body_keeps_what_had_come(ask: Any, remote: Remote, logs: CapturedLogs) -> None:
    with pytest.raises(plain.HTTPError):
        ask("GET", f"{remote.address}/reset")
    entry = only(logs)
    assert (entry.state, entry.response_code) == (RequestLogState.ERROR, 200)
    assert entry.response_body in ("", "the beginning")


@both
def test_an_address_that_is_none_is_recorded_with_its_error(ask: Any, logs: CapturedLogs) -> None:
    with pytest.raises(plain.InvalidURL):
        ask("GET", "http://a:bad/", slug="bad")
    assert (only(logs).state, only(logs).slug) == (RequestLogState.ERROR, "bad")


@both
def test_a_related_object_that_is_not_saved_is_an_error_before_anything_is_sent(
    ask: Any, remote: Remote, logs: CapturedLogs
) -> None:
    with pytest.raises(ValueError, match=r"Group: unsaved.*save it before"):
        ask("GET", f"{remote.address}/echo", related_objects=[Group(name="unsaved")])
    assert logs.output_request == []


def test_what_is_said_of_a_client_holds_for_its_calls(remote: Remote, logs: CapturedLogs) -> None:
    with recording.Client(slug="client", related_objects=[Group(pk=7)]) as client:
        client.get(f"{remote.address}/echo")
        client.get(f"{remote.address}/echo", slug="call")
        with client.stream("GET", f"{remote.address}/lines", slug="stream") as response:
            # A call inside the block is a call of its own.
            client.get(f"{remote.address}/echo")
            response.read()
    assert [(entry.slug, entry.parent_log) for entry in logs.output_request] == [
        ("client", None),
        ("call", None),
        ("stream", None),
        ("client", None),
    ]


@override_settings(SECURITY_BACKENDS=[])
def test_a_stream_that_is_dropped_is_completed(remote: Remote, logs: CapturedLogs) -> None:
    client = recording.Client()
    response = client.send(client.build_request("GET", f"{remote.address}/big?size=1000000"), stream=True)
    assert only(logs).stop is None
    del response
    client.close()
    del client
    gc.collect()
    wait_until(lambda: only(logs).stop, "the end of the stream")


@both
def test_a_generator_is_seen_while_it_is_sent(ask: Any, remote: Remote, logs: CapturedLogs) -> None:
    def generated() -> Iterator[bytes]:
        yield b"one,"
        yield b"two"

    async def generated_async() -> AsyncIterator[bytes]:
        for chunk in generated():
            yield chunk

    content = generated() if ask is ask_sync else generated_async()
    ask("POST", f"{remote.address}/echo", content=content, headers={"Content-Type": "text/csv"})
    assert logs.output_request_started[0].request_body == ""
    assert only(logs).request_body == "one,two"


def test_submodules_are_those_of_the_library() -> None:
    assert importlib.import_module("security.httpx._exceptions") is importlib.import_module("httpx._exceptions")
    with pytest.raises(ImportError):
        importlib.import_module("security.httpx.no_such_module")


class Stuck(plain.AsyncBaseTransport):
    """Never answers."""

    async def handle_async_request(self, request: plain.Request) -> plain.Response:
        await asyncio.sleep(3600)
        raise AssertionError


@pytest.mark.parametrize("delivery", [0, 1])
def test_a_call_that_is_cancelled_is_completed(
    delivery: int, logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliveries: list[Any] = []

    async def slow(entries: Any) -> None:
        deliveries.append(entries)
        await adeliver(entries)
        if len(deliveries) == delivery + 1:
            await asyncio.sleep(3600)

    async def cancel() -> None:
        async with recording.AsyncClient(transport=Stuck()) as client:
            call = asyncio.create_task(client.get("http://shop.example/"))
            # In the delivery of the beginning, or in the transport and again in the delivery of the end.
            for _ in range(delivery + 1):
                while not deliveries:  # noqa: ASYNC110 nothing sets an event
                    await asyncio.sleep(0)
                await asyncio.sleep(0)
                call.cancel()
                await asyncio.sleep(0)
            with pytest.raises(asyncio.CancelledError):
                await call

    monkeypatch.setattr(httpx_clients, "adeliver", slow)
    async_to_sync(cancel)()
    assert only(logs).state is RequestLogState.ERROR


@both
@pytest.mark.parametrize("part", ["calls.OutputExchange", "httpx_clients.watched_request_stream"])
def test_a_request_that_cannot_be_recorded_is_sent_as_it_is(
    ask: Any, part: str, remote: Remote, logs: CapturedLogs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(f"security.sources.output_requests.{part}", lambda *args, **kwargs: 1 // 0)
    assert ask("POST", f"{remote.address}/echo", content=b"ab").json()["body"] == "ab"
    assert logs.output_request == []


def test_a_call_in_a_hook_by_the_same_client_is_a_call_of_its_own(remote: Remote, logs: CapturedLogs) -> None:
    def ask(response: Any) -> None:
        if "/echo" in str(response.url):
            client.get(f"{remote.address}/lines", slug="inner")

    with recording.Client(event_hooks={"response": [ask]}) as client:
        client.get(f"{remote.address}/echo", slug="outer")
    assert {entry.path: entry.slug for entry in logs.output_request} == {"/echo": "outer", "/lines": "inner"}
