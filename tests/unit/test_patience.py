"""A backend that takes its time under an ASGI server: the site goes on, and what is lost is counted once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from threading import Event

import pytest
from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.apps import apps
from django.test import override_settings

from security import recording
from security.backends.base import Writer
from security.delivery import adeliver, deliver, health, lost_entries, patience
from security.delivery.threads import end_threads
from security.records import Entry, InputRequestRecord


class Stuck(Writer):
    """A writer that is stuck until the test says so."""

    def __init__(self) -> None:
        self.may_go_on = Event()
        self.error: Exception | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        assert self.may_go_on.wait(60)
        if self.error is not None:
            raise self.error


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stuck]:
    stuck = Stuck()
    monkeypatch.setattr(apps.get_app_config("security_logging"), "writer", stuck)
    monkeypatch.setattr(patience, "_longest_wait", lambda: 0.05)
    end_threads()
    with override_settings(SECURITY_BACKENDS=["logging"]):
        yield stuck
    end_threads()


@pytest.mark.parametrize(("error", "lost"), [(None, 0), (OSError("no"), 1)])
async def test_what_is_waited_for_no_longer_is_counted_until_it_is_known(
    error: Exception | None, lost: int, writer: Stuck, caplog: pytest.LogCaptureFixture
) -> None:
    writer.error = error
    async with ThreadSensitiveContext():
        await adeliver(recording.begin(InputRequestRecord()))
    assert lost_entries() == {"logging": 1}
    assert health.health_of("logging").is_paused()
    assert "NotDoneInTimeError: It took too long" in caplog.text
    writer.may_go_on.set()
    end_threads()
    assert lost_entries() == ({"logging": lost} if lost else {})


async def test_what_has_not_begun_is_lost(writer: Stuck) -> None:
    async with ThreadSensitiveContext():
        await asyncio.gather(*(adeliver(recording.begin(InputRequestRecord())) for _ in range(7)))
        # At once, and without a thread.
        await adeliver(recording.begin(InputRequestRecord()))
    assert lost_entries() == {"logging": 8}
    writer.may_go_on.set()
    end_threads()
    assert lost_entries() == {"logging": 4}


async def test_synchronous_code_goes_on_as_well(writer: Stuck) -> None:
    async with ThreadSensitiveContext():
        await sync_to_async(deliver)(recording.begin(InputRequestRecord()))
    assert lost_entries() == {"logging": 1}
    writer.may_go_on.set()


async def test_who_wants_to_know_is_told(writer: Stuck) -> None:
    async with ThreadSensitiveContext():
        with override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=True), pytest.raises(TimeoutError):
            await adeliver(recording.begin(InputRequestRecord()))
    writer.may_go_on.set()
