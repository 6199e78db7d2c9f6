"""What docs/testing.md says of a site's own tests."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from security.backends.testing import CapturedLogs, capture_security_logs

SILENT = {"BACKEND_WRITERS": [], "THROTTLING_ENABLED": False, "LOG_USER": "loaded"}


@pytest.fixture
def client() -> Client:
    """A client whom a session names: who asks could be looked up."""
    client = Client()
    client.force_login(User.objects.create_user("a"))
    return client


@pytest.fixture
def silent(settings: Any) -> None:
    for name, value in SILENT.items():
        setattr(settings, f"SECURITY_{name}", value)


@pytest.mark.django_db
@pytest.mark.usefixtures("silent")
def test_three_settings_keep_the_librarys_statements_out_of_a_count(client: Client) -> None:
    with CaptureQueriesContext(connection) as statements:
        client.get("/")
    assert statements.captured_queries == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("name", "value"), [("BACKEND_WRITERS", None), ("THROTTLING_ENABLED", True), ("LOG_USER", "session")]
)
@pytest.mark.usefixtures("silent")
def test_each_of_them_is_needed(client: Client, settings: Any, name: str, value: Any) -> None:
    setattr(settings, f"SECURITY_{name}", value)
    with CaptureQueriesContext(connection) as statements:
        client.get("/")
    assert statements.captured_queries != []


@pytest.mark.django_db
@pytest.mark.usefixtures("silent")
def test_a_capture_takes_what_no_backend_writes(client: Client) -> None:
    with capture_security_logs() as logged_data, CaptureQueriesContext(connection) as statements:
        client.get("/")
    assert [entry.path for entry in logged_data.input_request] == ["/"]
    assert statements.captured_queries == []


@override_settings(SECURITY_THROTTLING_ENABLED=True)
@capture_security_logs
def ask_until_refused(client: Client, logged_data: CapturedLogs) -> list[str]:
    for _ in range(21):
        client.get("/")
    return [entry.state.name for entry in logged_data.input_request]


@pytest.mark.django_db
@pytest.mark.usefixtures("silent")
def test_each_capture_counts_by_itself(client: Client) -> None:
    for _ in range(2):
        assert ask_until_refused(client) == ["INFO"] * 20 + ["THROTTLED"]
