"""Many requests at once through real servers: each call finds its own parent."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from security.backends.sql.models import InputRequestLog, OutputRequestLog

from .remote import remote_service
from .servers import running

pytestmark = pytest.mark.django_db(transaction=True)

REQUESTS = 200


@pytest.mark.parametrize(
    ("name", "view"),
    [("gunicorn", "call"), ("uvicorn", "call"), ("uvicorn", "call-async")],
)
def test_200_calls_of_200_requests_at_once_are_linked_to_the_right_parent(name: str, view: str, tmp_path: Path) -> None:
    with remote_service() as remote, running(name, tmp_path) as server, ThreadPoolExecutor(40) as clients:
        answers = list(
            clients.map(lambda number: server.ask(f"/{view}/?number={number}&remote={remote.address}"), range(REQUESTS))
        )
    assert all(b" 200 OK" in answer.split(b"\r\n")[0] for answer in answers)
    numbers = {row.reference: row.queries["number"] for row in InputRequestLog.objects.all()}
    calls = list(OutputRequestLog.objects.all())
    assert len(numbers) == len(calls) == REQUESTS
    linked = [call for call in calls if numbers[str(call.parent_log)] == call.queries["number"]]
    assert len(linked) == REQUESTS
    assert {call.queries["number"] for call in calls} == set(map(str, range(REQUESTS)))
