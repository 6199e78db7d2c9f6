"""Commands from the command line, each a process of its own: they behave as Django's, and leave their row."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.db import connection

from security.backends.sql.models import CommandLog
from security.enums import CommandState
from tests import databases

from .servers import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

SECONDS = 60
CTRL_C = "\x03"
RUN = "import sys; from {module}.management import execute_from_command_line; execute_from_command_line(sys.argv)"
# A process that asks for a password does so on the terminal that controls it.
WITH_TERMINAL = "import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); "
# A shell has the programs that it starts in the background ignore Ctrl-C, and nohup the end of the terminal; they hand
# that on.
WITH_CTRL_C = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
    " signal.signal(signal.SIGHUP, signal.SIG_DFL); "
)
PLAIN, LOGGED = RUN.format(module="django.core"), RUN.format(module="security")


def environment(**variables: str) -> dict[str, str]:
    return databases.environment_of_child(connection) | {
        "DJANGO_SETTINGS_MODULE": "tests.site.command_settings",
        "PYTHONPATH": str(Path.cwd()),
        **variables,
    }


@dataclass(frozen=True)
class Ending:
    code: int
    out: str
    err: str


def run(code: str, *argv: str, **variables: str) -> Ending:
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *argv],
        env=environment(**variables),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return Ending(process.returncode, process.stdout, process.stderr)


@contextmanager
def start(*argv: str) -> Iterator[subprocess.Popen[str]]:
    """Start a command and wait for the first line that it prints; it is killed if it is there at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_CTRL_C + LOGGED, *argv], env=environment(), stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate(timeout=SECONDS)


def converse(code: str, argv: list[str], answers: dict[str, str]) -> tuple[int, str]:
    """Run a command on a terminal, and answer what it asks there."""
    primary, secondary = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", WITH_TERMINAL + WITH_CTRL_C + code, *argv],
        env=environment(),
        stdin=secondary,
        stdout=secondary,
        stderr=secondary,
        start_new_session=True,
    )
    os.close(secondary)
    seen, answered, last, waits, since_answer = "", 0, "", 0, 0
    try:
        while True:
            if not select.select([primary], [], [], 1)[0]:
                waits += 1
                since_answer += 1
                assert waits < SECONDS, seen
                # Python misses a Ctrl-C that comes after the question and before it waits for the answer.
                if last == CTRL_C and since_answer in (1, SECONDS // 3):
                    os.write(primary, last.encode())
                continue
            try:
                chunk = os.read(primary, 4096)
            except OSError:
                break  # the end of a terminal
            if not chunk:
                break
            seen += chunk.decode()
            for question, answer in list(answers.items()):
                if question in seen[answered:]:
                    answered, last, since_answer = len(seen), answer, 0
                    if answer != CTRL_C:
                        os.write(primary, answer.encode())
                    del answers[question]
        return process.wait(SECONDS), seen
    finally:
        os.close(primary)
        if process.poll() is None:
            process.kill()
            process.wait()


SUCCEEDED, FAILED, TERMINATED = CommandState.SUCCEEDED, CommandState.FAILED, CommandState.TERMINATED


@pytest.mark.parametrize(
    ("argv", "state", "words"),
    [
        (("check",), SUCCEEDED, ""),
        (("check", "--no-such-option"), FAILED, "SystemExit: 2"),
        (("migrate", "--verbosity", "2"), None, ""),
        (("collectstatic", "--noinput", "--dry-run"), SUCCEEDED, ""),
        (("createsuperuser", "--noinput"), FAILED, "CommandError: You must use --username"),
        (("talk", "print", "write", "progress", "bytes", "isatty", "subprocess", "return"), SUCCEEDED, ""),
        (("talk", "fork", "child_dies"), SUCCEEDED, ""),
        (("talk", "--help"), SUCCEEDED, ""),
        (("talk", "command_error"), FAILED, "CommandError: refused"),
        (("talk", "exit"), FAILED, "SystemExit: 3"),
        (("talk", "error"), FAILED, "ValueError: no such thing"),
        (("talk", "interrupt"), TERMINATED, "KeyboardInterrupt"),
        (("no_such_command",), None, ""),
        (("help", "talk"), None, ""),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_a_command_behaves_as_with_django(argv: tuple[str, ...], state: CommandState | None, words: str) -> None:
    plain, logged = run(PLAIN, *argv), run(LOGGED, *argv)
    assert (logged.code, logged.out) == (plain.code, plain.out)
    if "Traceback" in plain.err:
        # It goes through the logger, too.
        assert logged.err.splitlines()[-1] == plain.err.splitlines()[-1]
    else:
        assert logged.err == plain.err
    rows = [(row.state, row.version) for row in CommandLog.objects.all()]
    assert rows == ([] if state is None else [(state, 2)])
    assert words in "".join(str(row.error_message) for row in CommandLog.objects.all())


def test_a_row_tells_of_a_command() -> None:
    assert run(LOGGED, "talk", "print", "write", "thread", "--secret", "password=hush").code == 0
    row = CommandLog.objects.get()
    assert (row.name, row.state, row.is_executed_from_command_line) == ("talk", CommandState.SUCCEEDED, True)
    assert row.input == "print write thread --secret [Filtered]"
    assert row.output == "printed\nwritten\ncomplained\nfrom a thread\n"


@pytest.mark.parametrize(
    ("number", "words"), [(signal.SIGTERM, "SIGTERM"), (signal.SIGHUP, "SIGHUP"), (signal.SIGINT, "KeyboardInterrupt")]
)
def test_a_command_that_is_ended_leaves_a_row_that_says_so(number: signal.Signals, words: str) -> None:
    with start("talk", "wait") as process:
        assert CommandLog.objects.get().state is CommandState.ACTIVE
        process.send_signal(number)
        process.communicate(timeout=SECONDS)
    # The parent sees what it would have seen.
    assert process.returncode == -number
    row = CommandLog.objects.get()
    # The signal may come before the end of the line is recorded.
    assert (row.state, row.output.strip()) == (CommandState.TERMINATED, "waiting")
    assert words in str(row.error_message)
    assert row.stop is not None


def test_a_signal_that_the_command_handles_is_its_own() -> None:
    with start("talk", "handle_term", "wait") as process:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=SECONDS)
    assert process.returncode == 0
    assert CommandLog.objects.get().state is CommandState.SUCCEEDED


def test_a_command_that_is_killed_leaves_its_row_open() -> None:
    with start("talk", "wait"):
        pass
    assert CommandLog.objects.get().state is CommandState.ACTIVE


def test_a_superuser_is_created_by_asking() -> None:
    def answers(name: str) -> dict[str, str]:
        return {
            "Username": f"{name}\n",
            "Email": f"{name}@shop.example\n",
            "Password:": "correct horse battery\n",
            "Password (again):": "correct horse battery\n",
        }

    plain = converse(PLAIN, ["createsuperuser"], answers("eve"))
    logged = converse(LOGGED, ["createsuperuser"], answers("ada"))
    assert (logged[0], logged[1].replace("ada", "eve")) == plain
    assert plain[0] == 0
    assert {user.username for user in User.objects.all()} == {"ada", "eve"}
    row = CommandLog.objects.get()
    assert (row.state, row.output) == (CommandState.SUCCEEDED, "Superuser created successfully.\n")


def test_a_terminal_stays_one() -> None:
    argv = ["talk", "isatty", "write", "ask"]
    plain = converse(PLAIN, argv, {"Question?": "yes\n"})
    logged = converse(LOGGED, argv, {"Question?": "yes\n"})
    assert logged == plain
    assert "True True 1" in logged[1]
    assert "\x1b[" in logged[1]
    assert "answered yes" in CommandLog.objects.get().output


def test_ctrl_c_at_a_prompt_is_a_termination() -> None:
    code, seen = converse(LOGGED, ["createsuperuser"], {"Username": CTRL_C})
    assert code == 1
    assert "Operation cancelled." in seen
    assert CommandLog.objects.get().state is CommandState.TERMINATED


def test_a_site_without_a_log_database_still_migrates(tmp_path: Path) -> None:
    settings = tmp_path / "outage.py"
    settings.write_text(
        "from tests.site.command_settings import *\n"
        f"DATABASES['log'] = {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{tmp_path}/nowhere/log'}}\n"
        "DATABASE_ROUTERS = ['security.backends.sql.db_router.MultipleDBSecurityLoggerRouter']\n"
        "SECURITY_LOG_DB_NAME = 'log'\n"
        f"DATABASES['default'] = {{'ENGINE': 'django.db.backends.sqlite3', 'NAME': '{tmp_path}/site.sqlite3'}}\n"
    )
    variables = {"DJANGO_SETTINGS_MODULE": "outage", "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    migrated = run(LOGGED, "migrate", **variables)
    assert (migrated.code, migrated.err) == (0, "")
    assert "Applying auth.0001_initial... OK" in migrated.out
    talked = run(LOGGED, "talk", "print", "--skip-checks", **variables)
    assert (talked.code, talked.out) == (0, "printed\n"), talked.err
    assert "The backend sql did not store 1 log entries" in talked.err


@pytest.mark.parametrize(
    ("content", "argv"),
    [
        ("import no_such_module", ("check",)),
        ("import no_such_module", ("help",)),
        ("raise RuntimeError('broken')", ("migrate",)),
        ("INSTALLED_APPS = ['no_such_app', 'security']", ("check",)),
    ],
)
def test_a_site_with_broken_settings_is_broken_as_with_django(
    content: str, argv: tuple[str, ...], tmp_path: Path
) -> None:
    (tmp_path / "broken.py").write_text(f"SECRET_KEY = 'x'\n{content}\n")
    variables = {"DJANGO_SETTINGS_MODULE": "broken", "PYTHONPATH": f"{tmp_path}{os.pathsep}{Path.cwd()}"}
    plain, logged = run(PLAIN, *argv, **variables), run(LOGGED, *argv, **variables)
    assert (logged.code, logged.out) == (plain.code, plain.out)
    assert logged.err.splitlines()[-1:] == plain.err.splitlines()[-1:]


def test_the_output_is_seen_while_the_command_runs() -> None:
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            LOGGED.replace(
                "; execute",
                "; from django.conf import settings; settings.SECURITY_LOG_STRING_IO_FLUSH_TIMEOUT = 0.001; execute",
            ),
            "talk",
            "print",
            "wait",
        ],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: CommandLog.objects.filter(output__contains="printed").exists(), "the output so far")
        assert CommandLog.objects.get().state is CommandState.ACTIVE
    finally:
        process.terminate()
        process.wait(SECONDS)
    assert CommandLog.objects.get().state is CommandState.TERMINATED
