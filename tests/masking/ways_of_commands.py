"""Ways in through management commands, run by code and from the command line."""

from __future__ import annotations

import io
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout, suppress

from security.enums import LoggerName
from security.management import call_command, execute_from_command_line

from .cases import OPTIONS, TEXTS, Case, once
from .ways import Send, Way

Run = Callable[..., object]


def run_by_code(*words: str) -> None:
    call_command("repeat", *words)


def run_from_line(*words: str) -> None:
    execute_from_command_line(["manage.py", "repeat", *words])


def opened(run: Run, deed: str, words_of: Callable[[Case], list[str]]) -> Callable[[], AbstractContextManager[Send]]:
    def send(case: Case) -> None:
        with suppress(Exception, SystemExit):
            run(deed, *words_of(case))

    @contextmanager
    def open_way() -> Iterator[Send]:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            yield send

    return open_way


def text_of(case: Case) -> list[str]:
    return [case.text]


def words_of(case: Case) -> list[str]:
    return shlex.split(case.text)


def ways() -> Iterator[Way]:
    kind = LoggerName.COMMAND
    for deed, fields in (
        ("write", ("input", "output")),
        ("print", ("input", "output")),
        ("complain", ("input", "output")),
        ("return", ("input", "output")),
        ("fail", ("input", "error_message")),
        ("refuse", ("input", "error_message")),
    ):
        cases = TEXTS if deed in ("write", "fail") else once(TEXTS)
        yield Way(f"a command that has a text to {deed}", cases, opened(run_by_code, deed, text_of), {kind: fields})
    # What the shell took the quotes from is no longer told apart where it is printed.
    plain = [case for case in OPTIONS if case.secret.isalnum()]
    yield Way("options", OPTIONS, opened(run_by_code, "nothing", words_of), {kind: ("input",)})
    yield Way("options that are printed", plain, opened(run_by_code, "write", words_of), {kind: ("input", "output")})
    run = opened(run_from_line, "nothing", words_of)
    yield Way("options on the command line", OPTIONS[::3], run, {kind: ("input",)}, closes_connections=True)
    run, fields = opened(run_from_line, "refuse", words_of), ("input", "output", "error_message")
    yield Way("options on the command line that are refused", plain[::3], run, {kind: fields}, closes_connections=True)


WAYS = [*ways()]
