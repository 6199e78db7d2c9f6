"""The command throttling_check tells from the log whom validators would have stopped."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client, override_settings

from security.backends.sql.writer import SQLWriter
from security.enums import Event, InputRequestSlug, RequestLogState
from security.ids import first_id_at
from security.recording import complete
from security.records import InputRequestRecord

pytestmark = pytest.mark.django_db


def log(ago: timedelta, number: int, **values: Any) -> None:
    start = datetime.now(UTC) - ago + timedelta(seconds=number)
    record = InputRequestRecord(start=start, view_slug="home", path="/", **values)
    record.id = UUID(int=first_id_at(start).int | record.id.int & (1 << 62) - 1)
    record.response_code = values.get("response_code", 200)
    SQLWriter().write(complete(record, Event.FINISHED, state=RequestLogState.INFO))


def told(*args: str) -> list[str]:
    output = io.StringIO()
    call_command("throttling_check", *args, stdout=output)
    return output.getvalue().splitlines()


def test_it_tells_whom_when_and_how_many_look_innocent() -> None:
    hour = timedelta(hours=1)
    for number in range(5):
        log(hour, number, ip="192.0.2.1", user_id="7")
        log(hour, number, ip="192.0.2.2", response_code=404)
        log(hour, 1000 * number - 5000, ip="192.0.2.3")
    # Before the time that is asked for
    for number in range(5):
        log(timedelta(days=3), number, ip="192.0.2.4")
    lines = told("tests.site.twice_a_minute", "--days", "1")
    assert lines[0] == (
        "Replayed 15 requests of 3 clients against PerRequestThrottlingValidator(3600, 1000), "
        "PerRequestThrottlingValidator(60, 2)."
    )
    assert lines[1].startswith("Stopped: 6 requests of 2 clients, 1 of which look innocent")
    assert [line.split(":")[0].strip() for line in lines[2:]] == ["192.0.2.1", "192.0.2.2"]
    assert lines[2].endswith(", by PerRequestThrottlingValidator(60, 2) 3 times, looks innocent")
    assert "3 of 5, " in lines[3]
    assert not lines[3].endswith("looks innocent")
    assert told("tests.site.twice_a_minute", "--days", "1", "--show", "1")[-1] == "  and 1 more"


def test_it_counts_logins_by_their_slug_and_names_what_it_leaves_out() -> None:
    for number in range(5):
        log(timedelta(hours=1), number, ip="192.0.2.1", slug=str(InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST))
    lines = told("tests.site.login_validators")
    assert lines[0].startswith("Left out, as the log does not hold what it looks at: UnsuccessfulLoginThrottling")
    assert lines[2].startswith("Stopped: 2 requests of 1 clients, 0 of which")


def test_the_replay_stops_what_was_stopped() -> None:
    with override_settings(
        SECURITY_THROTTLING_ENABLED=True,
        SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH="tests.site.twice_a_minute",
    ):
        answers = [Client().get("/").status_code for _ in range(5)]
        assert told()[1].startswith(f"Stopped: {answers.count(429)} requests of 1 clients")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["tests.nowhere"], "tests.nowhere"), (["--days", "many"], "no number of days"), (["--days", "-1"], "look back")],
)
def test_bad_arguments_are_named(arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        told(*arguments)


@override_settings(SECURITY_BACKEND_READER="logging")
def test_a_log_that_cannot_be_read_is_named() -> None:
    with pytest.raises(CommandError, match=r"security\.backends\.sql"):
        told()
