"""Commands that code calls: one record each, and their behaviour their own."""

from __future__ import annotations

import io
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError
from django.test import override_settings
from django.utils.functional import SimpleLazyObject

from security import context
from security.backends.sql.models import CommandLog
from security.backends.testing import CapturedLogs, capture_security_logs
from security.enums import CommandState
from security.management import call_command
from security.records import InputRequestRecord
from security.sources.commands import output
from tests.site.management.commands.talk import Command

pytestmark = pytest.mark.django_db


def test_a_command_is_recorded_with_its_input_and_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert call_command("talk", "print", ["write"], secret="password=hush", verbosity=2) is None
    row = CommandLog.objects.get()
    assert (row.name, row.state, row.is_executed_from_command_line) == ("talk", CommandState.SUCCEEDED, False)
    assert row.input == "print write --secret=[Filtered] --verbosity=2"
    assert row.output == "printed\nwritten\ncomplained\n"
    assert (row.version, row.error_message) == (2, None)
    assert capsys.readouterr().out == "printed\nwritten\n"


def test_what_a_command_returns_is_returned() -> None:
    assert call_command("talk", "return") == "returned"


def test_a_command_object_is_called_with_the_streams_that_it_has() -> None:
    stdout = io.StringIO()
    call_command(Command(stdout=stdout), "write")
    row = CommandLog.objects.get()
    assert stdout.getvalue() == "written\n"
    assert (row.name, row.output) == ("talk", "written\ncomplained\n")


def test_output_that_goes_elsewhere_is_recorded_and_goes_there() -> None:
    stdout = io.StringIO()
    call_command("talk", "write", "print", stdout=stdout, stderr=stdout, no_color=True)
    assert stdout.getvalue() == "written\ncomplained\n"
    assert CommandLog.objects.get().output == "written\ncomplained\nprinted\n"


def test_colours_are_dropped_from_the_record_alone() -> None:
    stdout = io.StringIO()
    call_command("talk", "color", stdout=stdout)
    assert "\x1b[32;1m" in stdout.getvalue()
    assert CommandLog.objects.get().output == "green and plain\n"


def test_a_progress_bar_is_recorded_as_it_ended() -> None:
    call_command("talk", "progress")
    assert CommandLog.objects.get().output == "100 %\n"


@pytest.mark.parametrize(
    ("deed", "error", "state"),
    [
        ("command_error", CommandError, CommandState.FAILED),
        ("error", ValueError, CommandState.FAILED),
        ("exit", SystemExit, CommandState.FAILED),
        ("interrupt", KeyboardInterrupt, CommandState.TERMINATED),
    ],
)
def test_an_exception_passes_and_is_recorded(deed: str, error: type[BaseException], state: CommandState) -> None:
    with pytest.raises(error):
        call_command("talk", "print", deed)
    row = CommandLog.objects.get()
    assert (row.state, row.output) == (state, "printed\n")
    assert error.__name__ in str(row.error_message)
    assert f"do_{deed}" in str(row.error_message)


def test_an_unknown_command_is_an_error_as_ever() -> None:
    with pytest.raises(CommandError, match="Unknown command"):
        call_command("no_such_command")
    assert CommandLog.objects.get().state is CommandState.FAILED


@override_settings(SECURITY_COMMAND_LOG_EXCLUDED_COMMANDS=["talk"])
def test_an_excluded_command_is_not_recorded() -> None:
    call_command("talk", "print")
    call_command(Command(), "print")
    assert not CommandLog.objects.exists()


def test_a_command_knows_its_parent_and_is_one() -> None:
    request = InputRequestRecord()
    with context.inside(request):
        call_command("talk", "nested", "plain_nested")
    outer, inner = CommandLog.objects.order_by("id")
    assert (outer.parent_log, inner.parent_log) == (request.reference, outer.reference)
    assert (outer.output, inner.output) == ("printed\nprinted\n", "printed\n")


@override_settings(SECURITY_LOG_STRING_IO_FLUSH_TIMEOUT=1e-9)
def test_the_output_is_stored_as_it_grows() -> None:
    with capture_security_logs() as logs:
        call_command("talk", "print", "color")
    texts = [entry.output for entry in logs.command_output_updated]
    assert texts[0] == "printed" or texts[0] == "printed\n"
    assert texts[-1] == "printed\ngreen and plain\n"
    assert texts == sorted(texts, key=len)
    assert logs.command[0].state is CommandState.SUCCEEDED


def test_a_short_command_is_stored_twice_and_not_more(django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(6):  # an INSERT and an UPDATE, each in the savepoint of this test's transaction
        call_command("talk", "print", "write")


@override_settings(SECURITY_LOG_STRING_OUTPUT_TRUNCATE_LENGTH=100, SECURITY_LOG_STRING_OUTPUT_TRUNCATE_OFFSET=20)
def test_the_end_of_a_long_output_is_kept() -> None:
    call_command("talk", "flood", stdout=io.StringIO())
    text = CommandLog.objects.get().output
    assert len(text) <= 100
    assert text.startswith("…line ")
    assert text.endswith("line 19999\n")


def test_a_stream_is_as_it_was_afterwards() -> None:
    stream = io.StringIO()
    call_command("talk", "write", stdout=stream)
    assert vars(stream) == {}
    assert "write" not in vars(sys.stdout)
    assert output._watched == {}


def test_a_stream_that_cannot_be_watched_is_written_to_all_the_same() -> None:
    class Fixed:
        __slots__ = ("text",)

        def __init__(self) -> None:
            self.text = ""

        def write(self, text: str) -> None:
            self.text += text

    stream = Fixed()
    call_command("talk", "write", "print", stdout=stream)
    assert stream.text == "written\n"
    assert CommandLog.objects.get().output == "complained\nprinted\n"


def test_commands_of_two_threads_have_their_own_output_each() -> None:
    def run(number: int) -> None:
        for _ in range(20):
            call_command("talk", *["print"] * number)

    with override_settings(SECURITY_BACKENDS=[]), capture_security_logs() as logs, ThreadPoolExecutor(2) as threads:
        list(threads.map(run, (1, 2)))
    assert all(entry.output == "printed\n" * len(entry.input.split()) for entry in logs.command)
    assert len(logs.command) == 40


@capture_security_logs
def test_a_fault_of_the_logger_is_not_the_commands(
    logged_data: CapturedLogs, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("security.sources.commands.run.begin", broken)
    monkeypatch.setattr("security.sources.commands.run.complete", broken)
    call_command("talk", "print")
    assert capsys.readouterr().out == "printed\n"


@override_settings(SECURITY_LOG_STRING_OUTPUT_TRUNCATE_LENGTH="100")
def test_a_command_ends_in_its_record_also_where_its_output_cannot_be_kept(caplog: pytest.LogCaptureFixture) -> None:
    call_command("talk", "print")
    log = CommandLog.objects.get()
    assert (log.state, log.output) == (CommandState.SUCCEEDED, "")
    assert "could not be recorded in full" in caplog.text


def test_a_command_can_relate_objects_to_its_record() -> None:
    group = Group.objects.create(name="a")
    with capture_security_logs() as logs:
        call_command("talk", "print")
    assert logs.command[0].related_objects == ()
    assert group.pk


class Wordless:
    """An argument that has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no words")

    __repr__ = __str__


class WordlessText(str):
    __slots__ = ()

    def __str__(self) -> str:
        raise RuntimeError("no words")


def test_an_argument_without_a_text_is_named_by_its_type() -> None:
    call_command(Command(), settings=[Wordless(), 1], verbosity=WordlessText("1"))
    assert CommandLog.objects.get().state is CommandState.SUCCEEDED
    name = f"{__name__}.Wordless"
    assert CommandLog.objects.get().input == f"'--settings=[<{name}>, 1]' '--verbosity=<{name}Text>'"


def test_an_argument_is_not_asked_for_what_it_holds(django_assert_num_queries: Any) -> None:
    groups, lazy = Group.objects.all(), SimpleLazyObject(lambda: pytest.fail("It was made."))
    generator = (number for number in range(2))
    with django_assert_num_queries(6):  # those of the two entries
        call_command("talk", pythonpath=groups, verbosity=lazy, settings=generator)
    assert list(generator) == [0, 1]
    assert "QuerySet" in CommandLog.objects.get().input


class Sealed(io.StringIO):
    def __setattr__(self, name: str, value: object) -> None:
        raise ValueError(name)


class StandIn:
    """Hands all on to a stream, as `tqdm.contrib.DummyTqdmFile` does, but for its own `write`."""

    def __init__(self, stream: Any) -> None:
        object.__setattr__(self, "_stream", stream)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._stream, name, value)

    def write(self, text: str) -> Any:
        return self._stream.write(text)


class StandInWithoutAttributes(StandIn):
    @property
    def __dict__(self) -> Any:  # type: ignore[override]
        return vars(object.__getattribute__(self, "_stream"))


class Unwatchable(io.StringIO):
    def __getattribute__(self, name: str) -> Any:
        if name == "__dict__":
            raise RuntimeError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize("kind", [Sealed, Unwatchable])
def test_a_stream_that_is_not_to_be_changed_is_written_to(kind: type[io.StringIO]) -> None:
    stream = kind()
    call_command("talk", "write", stdout=stream)
    assert stream.getvalue() == "written\n"
    assert CommandLog.objects.get().state is CommandState.SUCCEEDED


@pytest.mark.parametrize("kind", [StandIn, StandInWithoutAttributes])
def test_what_takes_the_place_of_a_stream_does_not_call_itself(
    kind: type[StandIn], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", kind(stream))
    call_command("talk", "print", "write")
    assert stream.getvalue() == "printed\nwritten\n"
    assert vars(stream) == {}
    expected = "printed\nwritten\ncomplained\n" if kind is StandIn else "complained\n"
    assert CommandLog.objects.get().output == expected
    assert output._watched == {}
