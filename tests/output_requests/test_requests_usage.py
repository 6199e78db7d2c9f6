"""`requests` as its documentation uses it: the same results with the import swapped."""

from __future__ import annotations

import importlib
import io
import json
import pickle
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests as plain
import urllib3
from urllib3.util.retry import Retry

from security import requests as recording
from security.backends.testing import capture_security_logs
from tests.acceptance.remote import Remote

pytestmark = pytest.mark.django_db

Usage = Callable[[Any, str], Any]
USAGES: dict[str, Usage] = {}


def usage(function: Usage) -> Usage:
    USAGES[function.__name__] = function
    return function


def shown(response: Any) -> Any:
    return (
        *(response.status_code, response.reason, response.ok, response.url, response.text, response.encoding),
        *(response.is_redirect, dict(response.cookies), [shown(hop) for hop in response.history]),
        {name: value for name, value in response.headers.items() if name not in ("Date", "Server")},
        {name: value for name, value in response.request.headers.items() if name != "User-Agent"},
        *(response.request.method, response.request.url, type(response.raw).__name__, response.elapsed is not None),
    )


@usage
def methods(requests: Any, url: str) -> Any:
    payload = {"key1": "value1", "key2": ["value2", "value3"]}
    return [
        shown(requests.get(f"{url}/echo", params=payload)),
        shown(requests.post(f"{url}/echo", data={"key": "value"})),
        shown(requests.post(f"{url}/echo", json={"some": "data"})),
        shown(requests.put(f"{url}/echo", data="text")),
        shown(requests.patch(f"{url}/echo", data=b"bytes")),
        shown(requests.delete(f"{url}/echo")),
        shown(requests.head(f"{url}/redirect")),
        shown(requests.options(f"{url}/echo")),
        shown(requests.request("PUT", f"{url}/empty")),
    ]


@usage
def json_and_status(requests: Any, url: str) -> Any:
    response = requests.get(f"{url}/status", params={"code": 404})
    with pytest.raises(requests.exceptions.HTTPError) as error:
        response.raise_for_status()
    return (
        requests.get(f"{url}/echo").json()["method"],
        response.status_code == requests.codes.not_found,
        re.sub(r":\d+", "", str(error.value)),
    )


@usage
def redirects_and_history(requests: Any, url: str) -> Any:
    with pytest.raises(requests.TooManyRedirects) as error, requests.Session() as session:  # noqa: PT012
        session.max_redirects = 2
        session.get(f"{url}/redirect", params={"times": 5})
    return [
        shown(requests.get(f"{url}/redirect", params={"times": 3})),
        shown(requests.get(f"{url}/redirect", allow_redirects=False)),
        shown(requests.post(f"{url}/redirect", params={"code": 307}, data=b"again")),
        str(error.value),
    ]


@usage
def sessions_and_cookies(requests: Any, url: str) -> Any:
    with requests.Session() as session:
        session.auth = ("user", "pass")
        session.headers.update({"x-test": "true"})
        session.params = {"default": "1"}
        found = [
            shown(session.get(f"{url}/cookies")),
            shown(session.get(f"{url}/echo", headers={"x-test2": "true"})),
            shown(session.get(f"{url}/echo", cookies={"from-my": "browser"})),
        ]
        prepared = session.prepare_request(requests.Request("POST", f"{url}/echo", data="prepared"))
        prepared.headers["X-Late"] = "1"
        found.append(shown(session.send(prepared, timeout=5)))
        copied = pickle.loads(pickle.dumps(session))
        found.append(shown(copied.get(f"{url}/echo")))
        return found, session.cookies.get_dict()


@usage
def authentication(requests: Any, url: str) -> Any:
    from requests.auth import AuthBase, HTTPBasicAuth, HTTPDigestAuth

    class Token(AuthBase):
        def __call__(self, request: Any) -> Any:
            request.headers["X-Token"] = "t"
            return request

    return [
        shown(requests.get(f"{url}/basic", auth=("user", "pass"))),
        shown(requests.get(f"{url}/basic", auth=HTTPBasicAuth("user", "wrong"))),
        requests.get(f"{url}/digest", auth=HTTPDigestAuth("user", "pass")).text,
        shown(requests.get(f"{url}/echo", auth=Token())),
        shown(requests.get(url.replace("//", "//user:pass@") + "/basic")),
    ]


@usage
def hooks(requests: Any, url: str) -> Any:
    called = []

    def note(response: Any, *args: Any, **kwargs: Any) -> None:
        called.append((response.status_code, sorted(kwargs)))

    def replace(response: Any, *args: Any, **kwargs: Any) -> Any:
        response.hook_called = True
        return response

    response = requests.get(f"{url}/redirect", hooks={"response": [note, replace]})
    return called, response.hook_called


@usage
def files(requests: Any, url: str) -> Any:
    file = {"file": ("report.csv", "some,data,to,send\n", "text/csv", {"Expires": "0"})}
    response = requests.post(f"{url}/echo", files=file, data={"a": "b"})
    boundary = response.request.headers["Content-Type"].partition("boundary=")[2]
    return response.json()["body"].replace(boundary, "BOUNDARY")


@usage
def streamed_uploads(requests: Any, url: str) -> Any:
    def generated() -> Iterator[bytes]:
        yield b"hi"
        yield b"there"

    with Path(__file__).open("rb") as binary:
        return [
            requests.post(f"{url}/echo", data=generated()).json()["body"],
            requests.post(f"{url}/echo", data=binary).json()["body"],
            requests.post(f"{url}/echo", data=io.StringIO("text")).json()["body"],
            requests.post(f"{url}/echo", data=io.BytesIO(b"in memory")).json()["body"],
            requests.post(f"{url}/echo", data=iter([b"an", b"iterator"])).json()["body"],
            requests.post(f"{url}/redirect?code=307", data=io.BytesIO(b"sent twice")).json()["body"],
        ]


@usage
def streamed_downloads(requests: Any, url: str) -> Any:
    found: list[Any] = []
    with requests.get(f"{url}/lines", stream=True) as response:
        found.append([json.loads(line) for line in response.iter_lines()])
    with requests.get(f"{url}/big?size=100000", stream=True) as response:
        found.append([len(chunk) for chunk in response.iter_content(chunk_size=1000)])
    with requests.get(f"{url}/chunked", stream=True) as response:
        found.append(b"".join(response.iter_content(None)))
    with requests.get(f"{url}/gzip", stream=True) as response:
        found.append((response.raw.read(10), isinstance(response.raw, urllib3.HTTPResponse)))
    with requests.get(f"{url}/gzip", stream=True) as response:
        found.append(response.raw.read(decode_content=True))
    with requests.get(f"{url}/lines", stream=True) as response:
        found.append([response.raw.readline(), response.raw.read(3), response.raw.read(), response.raw.read()])
    with requests.get(f"{url}/lines", stream=True) as response:
        found.append(list(response))
    with requests.get(f"{url}/lines", stream=True) as response:
        buffer = bytearray(5)
        found.append((response.raw.readinto(buffer), bytes(buffer), response.raw.read1()))
    with requests.get(f"{url}/big?size=100000", stream=True) as response:
        found.append(len(next(response.iter_content(10))))
    response = requests.get(f"{url}/lines", stream=True)
    with pytest.raises(requests.exceptions.StreamConsumedError):
        found.append([b"".join(response.iter_content()), response.iter_content()])
    return found


@usage
def proxies(requests: Any, url: str) -> Any:
    return shown(requests.get("http://service.example/echo", proxies={"http": url}))


@usage
def own_adapters(requests: Any, url: str) -> Any:
    class Adapter(requests.adapters.HTTPAdapter):  # type: ignore[misc,name-defined]
        sent = 0

        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            type(self).sent += 1
            request.headers["X-Adapter"] = type(request.body).__name__
            return super().send(request, *args, **kwargs)

    class Canned(requests.adapters.BaseAdapter):  # type: ignore[misc,name-defined]
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = requests.Response()
            response.status_code, response.url, response.request = 200, request.url, request
            response._content = b"canned"
            return response

        def close(self) -> None:
            pass

    class Filed(Canned):
        def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
            response = super().send(request)
            response._content = False
            response.raw = io.BytesIO(b"from a file")
            return response

    with requests.Session() as session:
        adapter = Adapter()
        session.mount(f"{url}/echo", adapter)
        session.mount("canned://", Canned())
        session.mount("filed://", Filed())
        return (
            shown(session.post(f"{url}/echo", data=b"x")),
            session.get_adapter(f"{url}/echo") is adapter,
            Adapter.sent,
            session.get("canned://x").text,
            session.get("filed://x").text,
        )


@usage
def retries(requests: Any, url: str) -> Any:
    with requests.Session() as session:
        retry = Retry(total=3, backoff_factor=0, status_forcelist=[503])
        session.mount("http://", requests.adapters.HTTPAdapter(max_retries=retry))
        name = requests.__name__
        answered = shown(session.get(f"{url}/flaky", params={"name": name, "failures": 2}))
        with pytest.raises(requests.exceptions.RetryError):
            session.get(f"{url}/flaky", params={"name": f"{name} for ever", "failures": 100})
    return repr(answered).replace("security.requests", "requests")


class NotRewindable(io.BytesIO):
    def tell(self) -> int:
        raise OSError("no position")


@usage
def errors(requests: Any, url: str) -> Any:
    found = []
    for work in (
        lambda: requests.get("nonsense"),
        lambda: requests.get("http://"),
        lambda: requests.get("ftp://example.com/"),
        lambda: requests.get("http://127.0.0.1:9/"),
        lambda: requests.get("http://no-such-host.invalid/"),
        lambda: requests.get(f"{url}/silence", timeout=0.05),
        lambda: requests.get(f"{url}/reset"),
        lambda: requests.get(f"{url}/echo", timeout=(1, 2, 3)),
        lambda: requests.get(f"{url}/echo", headers={"a": "b\r\nc"}),
        lambda: requests.post(f"{url}/redirect?code=307", data=NotRewindable(b"cannot be sent twice")),
        lambda: requests.get(f"{url}/echo").json(nonsense=1),
        lambda: requests.get(f"{url}/lines").json(),
    ):
        with pytest.raises((OSError, ValueError, TypeError)) as error:
            work()
        found.append((error.type.__name__, isinstance(error.value, requests.RequestException)))
    return found


@pytest.mark.parametrize("name", USAGES)
def test_the_results_are_those_of_requests(name: str, remote: Remote) -> None:
    expected = USAGES[name](plain, remote.address)
    with capture_security_logs() as logs:
        actual = USAGES[name](recording, remote.address)
    assert actual == expected
    assert logs.output_request
    assert all(entry.stop is not None for entry in logs.output_request)


def test_every_name_of_requests_is_there() -> None:
    missing = {name for name in dir(plain) if not hasattr(recording, name)}
    # A path would make a package of it, with submodules that are loaded a second time.
    assert missing == {"__path__"}
    own = {"get", "options", "head", "post", "put", "patch", "delete", "request", "session", "Session"}
    for name in set(dir(plain)) - own - {"__name__", "__file__", "__doc__", "__spec__", "__loader__", "__package__"}:
        if not name.startswith("__"):
            assert getattr(recording, name) is getattr(plain, name), name
    assert issubclass(recording.Session, plain.Session)
    assert recording.__version__ == plain.__version__


def test_submodules_are_those_of_the_library() -> None:
    # As an import statement does, wherever else the library was imported before.
    for name in ("exceptions", "sessions", "adapters", "auth", "cookies", "models", "structures", "utils"):
        assert importlib.import_module(f"security.requests.{name}") is importlib.import_module(f"requests.{name}")
    found: dict[str, Any] = {}
    exec("from security.requests.exceptions import ConnectionError", found)
    assert found["ConnectionError"] is plain.exceptions.ConnectionError is plain.ConnectionError
    assert recording.Session is not importlib.import_module("security.requests.sessions").Session
    with pytest.raises(found["ConnectionError"]):
        recording.get("http://127.0.0.1:1/")
    with pytest.raises(ImportError):
        importlib.import_module("security.requests.no_such_module")
