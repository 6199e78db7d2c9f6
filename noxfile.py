"""Checks the library on each supported Python and database, and says at the end what was left out.

The variables `REQUIRE_PYTHONS` and `REQUIRE_DATABASES`, lists with commas, name what must not be missing;
anything else that is missing is left out and reported.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from threading import Lock
from xml.etree import ElementTree

import nox
from nox.command import CommandFailed

PAIRS = [("3.11", "5.2"), ("3.12", "6.0"), ("3.13", "6.1"), ("3.14", "6.1")]
DATABASES = ["sqlite", "postgresql", "mariadb"]


def required(variable: str) -> set[str]:
    return {name.strip() for name in os.environ.get(variable, "").split(",") if name.strip()}


REQUIRED_PYTHONS = required("REQUIRE_PYTHONS")
REQUIRED_DATABASES = required("REQUIRE_DATABASES")


def pyenv_directories() -> list[Path]:
    """Where pyenv keeps its interpreters: most of them are not reachable through its shims."""
    root = os.environ.get("PYENV_ROOT")
    if root is None and shutil.which("pyenv"):
        root = subprocess.run(["pyenv", "root"], capture_output=True, text=True, check=True).stdout.strip()
    return sorted(Path(root).glob("versions/3.*/bin"), reverse=True) if root else []


def starts(python: Path, version: str) -> bool:
    """Run the interpreter, as a file of that name may be a shim of a version that is not there."""
    try:
        command = [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip() == version
    except (OSError, subprocess.CalledProcessError):
        return False


def directory_of_python(version: str) -> Path | None:
    # The last one is that of the interpreter that runs this, whatever it is called on the path.
    path = [*pyenv_directories(), *map(Path, os.get_exec_path()), Path(sys.executable).parent]
    return next((directory for directory in path if starts(directory / f"python{version}", version)), None)


FOUND = {version: directory for version, _ in PAIRS if (directory := directory_of_python(version))}
NEWEST = [version for version, _ in PAIRS if version in FOUND][-1:]
if not NEWEST:
    sys.exit(f"None of the supported Pythons is here: {', '.join(version for version, _ in PAIRS)}.")

# nox looks for interpreters on the path; servers are in /usr/sbin, off the path of ordinary users.
os.environ["PATH"] = os.pathsep.join([*map(str, FOUND.values()), os.environ["PATH"], "/usr/sbin"])

# The tests start hundreds of processes. Images of containers often set this; each would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

nox.needs_version = ">=2026.2"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["lint", "docs", "tests"]


@nox.session(python=NEWEST)
def lint(session: nox.Session) -> None:
    """Style, types and the direction of imports."""
    session.install("--editable=.", "--group=lint")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


@nox.session(python=NEWEST)
def docs(session: nox.Session) -> None:
    """The documentation, in which every warning is an error."""
    session.install("--editable=.", "--group=docs")
    session.run("sphinx-build", "-n", "-W", "--keep-going", "-q", "docs", "docs/_build")


@dataclass(frozen=True)
class Run:
    """One run of pytest and its counts."""

    name: str
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    @classmethod
    def read(cls, name: str, junit: Path, *, succeeded: bool) -> Run:
        """Read the counts; a run that broke off counts as one failure."""
        if not junit.exists():
            return cls(name, failed=1)
        counts: Counter[str] = Counter()
        for suite in ElementTree.parse(junit).iter("testsuite"):
            counts.update({key: int(suite.get(key, 0)) for key in ("tests", "failures", "errors", "skipped")})
        failed = counts["failures"] + counts["errors"]
        passed = counts["tests"] - failed - counts["skipped"]
        return cls(name, max(passed, 0), failed or int(not succeeded), counts["skipped"])

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


printing = Lock()
runs: list[Run] = []
left_out: list[str] = []


@nox.session
@nox.parametrize(("python", "django"), [p for p in PAIRS if p[0] in FOUND.keys() | REQUIRED_PYTHONS])
def tests(session: nox.Session, django: str) -> None:
    """The tests, once for each database; arguments after -- go to pytest."""
    try:
        session.install("--editable=.", "--group=test", f"Django~={django}.0")
    except CommandFailed:
        runs.append(Run(f"Python {session.python}, Django {django} (not installed)", failed=1))
        raise
    here = []
    present = []
    # What differs between databases does not differ between Pythons: the third one joins on the newest.
    for database in DATABASES if is_newest(session) else DATABASES[:2]:
        name = f"Python {session.python}, Django {django}, {database}"
        missing = why_not_mariadb(session) if database == "mariadb" else None
        if missing is None:
            present.append((name, database))
        elif database in REQUIRED_DATABASES:
            here.append(Run(f"{name} ({missing})", failed=1))
        else:
            left_out.append(f"{name}: {missing}")
    # Masking is the same for each Python and database: the corpus of secrets is sent once, by the runs on the newest
    # Python together, and a quarter of it by each of the others.
    parts = len(present) if is_newest(session) else 4
    corpus = [f"{part}/{parts}" for part in range(len(present))]
    # A run has servers of its own and waits for them: all at once end sooner, also on fewer cores.
    with ThreadPoolExecutor(len(DATABASES)) as pool:
        here += pool.map(lambda named, part: run_pytest(session, *named, part), present, corpus)
    runs.extend(here)
    if any(run.failed for run in here):
        session.error("tests failed")


def is_newest(session: nox.Session) -> bool:
    return [str(session.python)] == NEWEST


def why_not_mariadb(session: nox.Session) -> str | None:
    if shutil.which("mariadbd") is None:
        return "no MariaDB server (mariadbd) on the path"
    try:
        session.install("--group=mariadb")
    except CommandFailed:
        return "mysqlclient cannot be built"
    return None


def run_pytest(session: nox.Session, name: str, database: str, corpus_part: str) -> Run:
    """Run the tests on one database, and print what they said when they have ended."""
    junit = Path(session.virtualenv.location, f"{database}.xml")
    junit.unlink(missing_ok=True)
    command = [Path(session.bin, "pytest"), f"--junit-xml={junit}", *session.posargs]
    environment = {**os.environ, "DATABASE": database, "CORPUS_PART": corpus_part}
    ended = subprocess.run(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    with printing:
        session.log(f"{name}:")
        print(ended.stdout, flush=True)
    return Run.read(name, junit, succeeded=ended.returncode == 0)


def is_missing_all_that_was_asked_for() -> bool:
    """Tell whether the tests were to run on a required Python that is not here: nox says so before any run begins."""
    arguments = list(takewhile(lambda argument: argument != "--", sys.argv[1:]))
    missing = REQUIRED_PYTHONS - FOUND.keys()
    return bool(missing) and (not arguments or any("tests" in given or given in missing for given in arguments))


@atexit.register
def report() -> None:
    """Close the output with what was tested, and the sum on a line of its own."""
    if not runs and not is_missing_all_that_was_asked_for():
        return
    for version, django in PAIRS:
        name = f"Python {version}, Django {django}"
        if version in REQUIRED_PYTHONS - FOUND.keys():
            runs.append(Run(f"{name} (no such Python here)", failed=1))
        elif version not in FOUND:
            left_out.append(f"{name}: no such Python here")
    print("\nTested:", *(f"  {run.name}: {run}" for run in runs), sep="\n")
    if left_out:
        print("Left out:", *(f"  {name}" for name in left_out), sep="\n")
    counts = {key: sum(getattr(run, key) for run in runs) for key in ("passed", "failed", "skipped")}
    print(Run("All", **counts), flush=True)
