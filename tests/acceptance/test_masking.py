"""The corpus of secrets through real servers, a real worker and real processes: nothing of it is stored."""

from __future__ import annotations

import json
import shlex
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from security.backends.sql.models import CeleryTaskInvocationLog, CeleryTaskRunLog, CommandLog, InputRequestLog
from security.enums import CeleryTaskInvocationLogState, LoggerName
from tests.masking import cases as corpus
from tests.masking.carriers import HTML, JSON, XML
from tests.masking.cases import Case, of_this_run
from tests.masking.stored import Place, rows, shown_in
from tests.site import tasks

from .celery_workers import broker, worker
from .servers import running, wait_until
from .test_commands import LOGGED, run

pytestmark = pytest.mark.django_db(transaction=True)

TEXTS, OPTIONS, CASES = map(of_this_run, (corpus.TEXTS, corpus.OPTIONS, corpus.CASES))

DEEDS = ("return", "fail", "retry", "reject", "ignore")
OPEN = (
    CeleryTaskInvocationLogState.WAITING,
    CeleryTaskInvocationLogState.TRIGGERED,
    CeleryTaskInvocationLogState.ACTIVE,
)


def leaks(places: Iterable[Place], cases: Iterable[Case]) -> list[str]:
    places = list(places)
    return [found for secret in dict.fromkeys(case.secret for case in cases) for found in shown_in(places, secret)]


def rows_of(kind: LoggerName) -> list[Place]:
    """Give the rows of a kind in the order of their ids; an earlier test's thread may just have written others."""
    return sorted((place for place in rows() if place.where == f"sql {kind}"), key=lambda place: place.id)


def leaks_in_couples(places: list[Place], cases: list[Case]) -> list[str]:
    """Look for the secret of each case in the two rows that it left, in the order of the cases."""
    couples = zip(places[::2], places[1::2], strict=True)
    return [leak for case, couple in zip(cases, couples, strict=True) for leak in shown_in(couple, case.secret)]


def test_no_secret_passes_a_worker(tmp_path: Path) -> None:
    with broker() as redis, worker(redis, tmp_path, "--concurrency", "2"):
        for number, case in enumerate(TEXTS):
            options = {"deed": DEEDS[number % len(DEEDS)], "more": {"a": [case.text]}}
            tasks.repeat_text.apply_async((case.text,), options, slug=f"case {number}")
        invocations = CeleryTaskInvocationLog.objects
        wait_until(lambda: invocations.exclude(state__in=OPEN).count() == len(TEXTS), "the end of the tasks", 120)
    retried = len(TEXTS[2 :: len(DEEDS)])
    assert CeleryTaskRunLog.objects.count() == len(TEXTS) + retried
    of_cases = defaultdict(list)
    for kind in (LoggerName.CELERY_TASK_INVOCATION, LoggerName.CELERY_TASK_RUN):
        for place in rows_of(kind):
            if place.slug is not None:
                of_cases[place.slug].append(place)
    assert len(of_cases) == len(TEXTS)
    assert [
        leak for number, case in enumerate(TEXTS) for leak in shown_in(of_cases[f"case {number}"], case.secret)
    ] == []


def test_no_secret_passes_a_command_of_a_process(tmp_path: Path) -> None:
    file = tmp_path / "texts.json"
    file.write_text(json.dumps([case.text for case in TEXTS]))
    assert run(LOGGED, "repeat", "each", str(file)).code == 0
    # The one of the process, which holds the output of all, and those that it called
    assert CommandLog.objects.count() == 1 + 2 * len(TEXTS)
    places = rows_of(LoggerName.COMMAND)
    whole = [place for place in places if "parent_log" not in place.texts]
    called = [place for place in places if "parent_log" in place.texts]
    assert len(whole) == 1
    assert leaks(whole, TEXTS) == []
    assert leaks_in_couples(called, TEXTS) == []


@pytest.mark.parametrize("deed", ["nothing", "refuse"])
def test_no_secret_passes_a_command_line(deed: str) -> None:
    # What the shell took the quotes from is no longer told apart where it is printed.
    cases = [case for case in OPTIONS if deed == "nothing" or case.secret.isalnum()]
    for start in range(0, len(cases), 150):
        some = cases[start : start + 150]
        words = [word for case in some for word in shlex.split(case.text)]
        assert run(LOGGED, "repeat", deed, *words).code == (1 if deed == "refuse" else 0)
        assert leaks(rows(), some) == []
        CommandLog.objects.all().delete()


@pytest.mark.parametrize("name", ["gunicorn", "uvicorn"])
def test_no_secret_passes_a_server(name: str, tmp_path: Path) -> None:
    # A body of another content type is not stored by default.
    cases = [case for case in CASES if case.content_type in (JSON, XML, HTML)]
    with running(name, tmp_path) as server:
        for case in cases:
            for path in ("/echo/", "/masking/extra-data/"):
                server.ask(path, "POST", case.text.encode(), {"Content-Type": case.content_type})
    assert InputRequestLog.objects.count() == 2 * len(cases)
    assert leaks_in_couples(rows_of(LoggerName.INPUT_REQUEST), cases) == []
