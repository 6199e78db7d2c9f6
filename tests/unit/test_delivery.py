"""What one backend does hurts neither the site nor the other backends."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import pytest
from django.apps import apps
from django.test import override_settings

from security import faults, recording
from security.backends.base import EntriesRefusedError, TransactionalWriter, Writer
from security.backends.testing import capture_security_logs
from security.context import inside
from security.delivery import adeliver, deliver, health, inline, lost_entries
from security.enums import Event, RequestLogState
from security.records import Entry, InputRequestRecord, OutputRequestRecord


class Scripted(Writer):
    """A writer that does as it is told."""

    blocks = False

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.calls = 0
        self.stored: list[Entry] = []

    def write(self, entries: Sequence[Entry]) -> None:
        self.calls += 1
        if self.error is not None:
            raise self.error
        self.stored += entries


@pytest.fixture
def writer(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    scripted = Scripted()
    monkeypatch.setattr(apps.get_app_config("security_logging"), "writer", scripted)
    return scripted


@pytest.fixture(autouse=True)
def only_logging() -> Iterator[None]:
    with override_settings(SECURITY_BACKENDS=["logging"]):
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [1000.0]
    monkeypatch.setattr(health, "monotonic", lambda: now[0])

    def advance(seconds: float) -> None:
        now[0] += seconds

    return advance


def an_entry() -> list[Entry]:
    return recording.begin(InputRequestRecord())


def test_a_failing_writer_is_counted_and_logged_once_with_its_cause(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer.error = OSError("the disk is full\npassword=secret")
    with capture_security_logs() as logged:
        for _ in range(5):
            deliver(an_entry())
            clock(1)
    assert lost_entries() == {"logging": 5}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "OSError: the disk is full" in caplog.text
    assert "secret" not in caplog.text
    assert len(logged.input_request) == 5


def test_a_recovered_writer_says_how_many_entries_it_lost(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer.error = OSError("down")
    deliver(an_entry())
    deliver(an_entry())
    writer.error = None
    clock(1)
    deliver(an_entry())
    assert len(writer.stored) == 1
    assert "lost 2 log entries in all" in caplog.text
    deliver(an_entry())
    assert caplog.text.count("stores again") == 1


def test_a_writer_that_fails_by_turns_says_so_once_a_minute(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    for _ in range(20):
        writer.error = OSError("down")
        deliver(an_entry())
        writer.error = None
        clock(0.1)
        deliver(an_entry())
    assert [record.levelname for record in caplog.records] == ["ERROR", "WARNING"]
    clock(61)
    writer.error = OSError("down")
    deliver(an_entry())
    # All that was lost since the last message, not only the last entry: the recovery named one.
    assert "did not store 20 log entries" in caplog.text


def losses(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Give what was said of losses: how many, and why."""
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    return [
        message.partition("did not store ")[2].replace("log entries; the site goes on without them. ", "")
        for message in said
    ]


def test_each_cause_is_named_and_has_a_silence_of_its_own(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for cause in ("down", "full", "down", "down", "full"):
        writer.error = OSError(cause)
        deliver(an_entry())
        clock(0.1)
    assert losses(caplog) == ["1 Cause: OSError: down", "1 Cause: OSError: full"]
    clock(61)
    caplog.clear()
    writer.error = ValueError("odd")
    deliver(an_entry())
    # What happened in the silence is said with the next loss, whatever that one's cause is.
    assert losses(caplog) == ["2 Cause: OSError: down", "1 Cause: OSError: full", "1 Cause: ValueError: odd"]


def test_each_cause_of_a_batch_is_named(writer: Scripted, caplog: pytest.LogCaptureFixture) -> None:
    writer.error = EntriesRefusedError([ValueError("odd"), TypeError("even"), ValueError("odd")])
    deliver(an_entry())
    assert losses(caplog) == ["2 Cause: ValueError: odd", "1 Cause: TypeError: even"]


def test_causes_that_are_never_the_same_are_bounded(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(100):
        writer.error = OSError(f"row {number}")
        deliver(an_entry())
        clock(0.1)
    assert len(losses(caplog)) == 21
    clock(61)
    deliver(an_entry())
    assert sum(int(loss.split()[0]) for loss in losses(caplog)) == lost_entries()["logging"] == 101


def test_losses_of_a_silence_are_said_by_the_next_success_after_it(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    for error in (OSError("down"), None, OSError("down"), None):
        writer.error = error
        deliver(an_entry())
        clock(0.1)
    assert "lost 1 log entries in all" in caplog.text
    clock(61)
    deliver(an_entry())
    assert "lost 2 log entries in all" in caplog.text
    caplog.clear()
    clock(61)
    deliver(an_entry())
    assert not caplog.records


def test_losses_of_a_silence_are_said_when_the_process_ends(
    writer: Scripted, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    writer.error = OSError("down")
    deliver(an_entry())
    health.health_of("logging").note_loss(1, OSError("down"), seconds=1)
    deliver(an_entry())
    health._finish()
    health._finish()
    assert losses(caplog) == ["1 Cause: OSError: down", "2 Cause: OSError: down"]


# Python warns of every fork of a process that has a thread.
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_process_that_was_forked_has_lost_nothing_yet() -> None:
    health.health_of("logging").note_loss(1, OSError("down"))
    child = os.fork()
    if child == 0:
        os._exit(sum(lost_entries().values()))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert lost_entries() == {"logging": 1}


def test_a_writer_that_fails_slowly_is_left_alone_and_one_that_fails_at_once_is_not(
    writer: Scripted, clock: Callable[[float], None]
) -> None:
    sick = health.health_of("logging")
    sick.note_loss(1, OSError("down"), seconds=0)
    assert not sick.is_paused()
    sick.note_loss(1, OSError("down"), seconds=1.5)
    deliver(an_entry())
    assert (writer.calls, lost_entries()) == (0, {"logging": 3})
    clock(7.6)
    deliver(an_entry())
    assert writer.calls == 1
    sick.note_loss(1, OSError("down"), seconds=3600)
    clock(10.1)
    assert not sick.is_paused()


def test_refused_entries_are_counted_and_do_not_pause_the_writer(writer: Scripted) -> None:
    writer.error = EntriesRefusedError([ValueError("odd")])
    deliver(an_entry() + an_entry())
    assert lost_entries() == {"logging": 1}
    deliver(an_entry())
    assert writer.calls == 2


@override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_a_site_can_ask_for_the_exceptions(writer: Scripted) -> None:
    writer.error = OSError("down")
    with pytest.raises(OSError, match="down"):
        deliver(an_entry())


@override_settings(SECURITY_BACKENDS=[])
def test_without_backends_nothing_is_written(writer: Scripted) -> None:
    deliver(an_entry())
    assert writer.calls == 0


def test_backends_that_cannot_be_found_do_not_stop_the_site(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> None:
        raise ImportError("no such driver")

    monkeypatch.setattr(inline, "writers", broken)
    deliver(recording.begin(InputRequestRecord()))
    assert "could not be found" in caplog.text


@pytest.mark.parametrize("is_raised", [False, True])
def test_what_goes_wrong_on_the_way_to_a_writer_is_not_the_sites(
    is_raised: bool, writer: Scripted, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*args: object) -> None:
        raise RuntimeError("cannot schedule new futures after interpreter shutdown")

    monkeypatch.setattr(Scripted, "blocks", True)
    monkeypatch.setattr("security.delivery.inline.write_in_time", fail)
    monkeypatch.setattr("security.delivery.inline.awrite_in_time", fail)
    with override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=is_raised):
        for work in (lambda: deliver(an_entry()), lambda: asyncio.run(adeliver(an_entry()))):
            with pytest.raises(RuntimeError) if is_raised else nullcontext():
                work()
    assert ("could not be written" in caplog.text) is not is_raised
    assert ("interpreter shutdown" in caplog.text) is not is_raised


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_ends_a_process_is_kept_from_nobody(
    error: type[BaseException], writer: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*args: object) -> None:
        raise error

    monkeypatch.setattr(Scripted, "blocks", True)
    monkeypatch.setattr("security.delivery.inline.write_in_time", end)
    with pytest.raises(error):
        deliver(an_entry())


class Sharing(TransactionalWriter):
    """A writer in whose store a transaction of the site is open until the test ends it."""

    def __init__(self) -> None:
        self.is_in_transaction = True
        self.stored: list[Entry] = []

    def write(self, entries: Sequence[Entry]) -> None:
        self.stored += entries

    write_apart = write

    def shares_fate(self, entries: Sequence[Entry]) -> bool:
        return self.is_in_transaction

    def is_connected(self) -> bool:
        return True

    def is_in_test(self) -> bool:
        return False

    def on_commit(self, action: Callable[[], None]) -> bool:
        raise AssertionError("There is a record to wait for.")

    def allows_concurrent_writes(self) -> bool:
        return True


class Past(Sharing):
    """A writer in whose store a transaction is open that nobody tells of, and which stores nothing."""

    blocks = True

    def write(self, entries: Sequence[Entry]) -> None:
        raise OSError("down")

    write_apart = write

    def on_commit(self, action: Callable[[], None]) -> bool:
        return False


@pytest.mark.parametrize("is_raised", [False, True])
def test_what_is_lost_past_a_transaction_is_counted_once(is_raised: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apps.get_app_config("security_logging"), "writer", Past())
    with (
        override_settings(SECURITY_RAISE_WRITER_EXCEPTIONS=is_raised),
        pytest.raises(OSError, match="down") if is_raised else nullcontext(),
    ):
        deliver(an_entry())
    assert lost_entries() == {"logging": 1}


async def deliver_in_event_loop(entries: Sequence[Entry]) -> None:
    deliver(entries)


@pytest.mark.parametrize("end", [deliver, lambda entries: asyncio.run(deliver_in_event_loop(entries))])
def test_what_waited_is_written_before_what_ends_the_wait(
    end: Callable[[Sequence[Entry]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Sharing()
    monkeypatch.setattr(apps.get_app_config("security_logging"), "writer", writer)
    parent, child = InputRequestRecord(), OutputRequestRecord()
    with inside(parent):
        deliver(recording.begin(parent))
        deliver(recording.begin(child))
        assert writer.stored == []
        writer.is_in_transaction = False
        end(recording.complete(parent, Event.FINISHED, state=RequestLogState.INFO))
    assert [(entry.id, entry.version) for entry in writer.stored] == [(parent.id, 1), (child.id, 1), (parent.id, 2)]


def test_what_goes_wrong_with_entries_that_come_later_is_said(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> list[Entry]:
        raise RuntimeError("no more memory")

    inline._deliver_apart(fail)
    assert "no more memory" in caplog.text
    caplog.clear()
    monkeypatch.setattr(faults, "_said", {})
    monkeypatch.setattr(inline, "writers", fail)
    inline.deliver_later(an_entry)
    assert "no more memory" in caplog.text
