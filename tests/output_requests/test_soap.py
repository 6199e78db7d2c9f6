"""SOAP clients: what suds and zeep send is recorded."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests as plain
import suds.client
import zeep
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group
from django.test import override_settings

from security import httpx, requests
from security.backends.testing import CapturedLogs, capture_security_logs
from security.enums import RequestLogState
from security.suds import Client, SecurityRequestsTransport
from security.zeep import AsyncTransport, Transport
from tests.acceptance.remote import WSDL, Remote

pytestmark = [
    pytest.mark.django_db,
    # suds and zeep use what Python no longer recommends.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def logs() -> Iterator[CapturedLogs]:
    with capture_security_logs() as captured:
        yield captured


def told(logs: CapturedLogs) -> list[Any]:
    return [
        (
            entry.method,
            entry.path,
            entry.response_code,
            entry.slug,
            [reference.pk for reference in entry.related_objects],
        )
        for entry in logs.output_request
    ]


def as_told(*, slug: str | None = "soap", pks: tuple[str, ...] = ("7",)) -> list[Any]:
    return [("GET", "/soap", 200, slug, [*pks]), ("POST", "/soap", 200, slug, [*pks])]


def test_a_client_of_suds_is_recorded(remote: Remote, logs: CapturedLogs) -> None:
    client = Client(f"{remote.address}/soap?wsdl", slug="soap", related_objects=[Group(pk=7)], cache=None)
    assert client.service.Price("lamp") == 7
    assert told(logs) == as_told()
    posted = logs.output_request[1]
    assert "lamp" in posted.request_body
    assert "<price>7</price>" in posted.response_body


def test_the_transport_serves_the_standard_client_of_suds(remote: Remote, logs: CapturedLogs) -> None:
    transport = SecurityRequestsTransport(slug="soap", related_objects=[Group(pk=7)], timeout=5)
    client = suds.client.Client(f"{remote.address}/soap?wsdl", transport=transport, cache=None)
    assert client.service.Price("lamp") == 7
    assert told(logs) == as_told()
    # As suds copies it for a client that is cloned
    assert copy.deepcopy(transport).session is transport.session


def test_a_fault_reaches_the_caller_of_suds_and_is_recorded(remote: Remote, logs: CapturedLogs) -> None:
    client = Client(f"{remote.address}/soap?wsdl", cache=None)
    with pytest.raises(suds.WebFault, match="no such item"):
        client.service.Price("fail")
    assert (logs.output_request[1].response_code, logs.output_request[1].state) == (500, RequestLogState.ERROR)


def test_a_session_and_credentials_of_the_site_are_used_by_suds(remote: Remote, logs: CapturedLogs) -> None:
    session = plain.Session()
    session.headers["X-Shop"] = "7"
    client = Client(f"{remote.address}/soap?wsdl", session=session, cache=None, username="user", password="pass")
    assert client.service.Price("lamp") == 7
    assert {entry.request_headers["X-Shop"] for entry in logs.output_request} == {"7"}
    assert {entry.request_headers["Authorization"] for entry in logs.output_request} == {"Basic [Filtered]"}


def test_a_wsdl_in_a_file_is_read_by_suds_itself(remote: Remote, logs: CapturedLogs, tmp_path: Path) -> None:
    file = tmp_path / "shop.wsdl"
    file.write_text(WSDL.format(address=remote.address))
    assert Client(f"file://{file}", slug="soap", related_objects=[Group(pk=7)], cache=None).service.Price("lamp") == 7
    assert told(logs) == as_told()[1:]


def test_a_client_of_suds_says_where_a_slug_belongs(remote: Remote) -> None:
    with pytest.raises(TypeError, match=r"transport=SecurityRequestsTransport\(slug"):
        Client(f"{remote.address}/soap?wsdl", slug="soap", transport=SecurityRequestsTransport())


@pytest.mark.parametrize("make", [SecurityRequestsTransport, Transport, AsyncTransport])
def test_a_related_object_that_is_not_saved_is_an_error(make: Any) -> None:
    with pytest.raises(ValueError, match=r"Group: unsaved.*save it before"):
        make(related_objects=[Group(name="unsaved")])


def test_the_transport_of_zeep_is_recorded(remote: Remote, logs: CapturedLogs) -> None:
    transport = Transport(slug="soap", related_objects=[Group(pk=7)])
    client = zeep.Client(f"{remote.address}/soap?wsdl", transport=transport)
    assert client.service.Price("lamp") == 7
    assert told(logs) == as_told()
    with pytest.raises(zeep.exceptions.Fault, match="no such item"):
        client.service.Price("fail")
    assert logs.output_request[-1].response_code == 500


@pytest.mark.parametrize("session_class", [plain.Session, requests.Session], ids=["plain", "recording"])
def test_a_session_of_the_site_is_used_by_zeep(session_class: Any, remote: Remote, logs: CapturedLogs) -> None:
    session = session_class()
    session.headers["X-Shop"] = "7"
    client = zeep.Client(f"{remote.address}/soap?wsdl", transport=Transport(session=session))
    assert client.service.Price("lamp") == 7
    assert {entry.request_headers["X-Shop"] for entry in logs.output_request} == {"7"}
    session.close()


# zeep reads the WSDL by blocking the event loop, which keeps it from joining the transaction of the test.
@override_settings(SECURITY_BACKENDS=[])
def test_the_asynchronous_transport_of_zeep_is_recorded(remote: Remote, logs: CapturedLogs) -> None:
    transport = AsyncTransport(slug="soap", related_objects=[Group(pk=7)])

    @async_to_sync
    async def ask() -> Any:
        client = zeep.AsyncClient(f"{remote.address}/soap?wsdl", transport=transport)
        found = await client.service.Price("lamp")
        await transport.aclose()
        transport.wsdl_client.close()
        return found

    assert ask() == 7
    assert told(logs) == as_told()


def test_the_asynchronous_transport_of_zeep_says_which_client_it_needs() -> None:
    with pytest.raises(TypeError, match=r"write security\.httpx\.Client"):
        AsyncTransport(wsdl_client=httpx.AsyncClient())
