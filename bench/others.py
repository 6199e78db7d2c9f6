"""What other libraries cost that store requests in a table: each in turn with the same site without any."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from statistics import median

from django.core.signals import request_started
from easyaudit.signals.request_signals import request_started_handler

from bench.input_requests import REQUESTS, ROUNDS, statements_counted, timed
from bench.report import Table, spread
from bench.traffic import LOGGER, Question, SyncSite, small_get, small_post

_OF_EASY_AUDIT = "easy_audit_signals_request_started"


@contextmanager
def easy_audit() -> Iterator[None]:
    """Let django-easy-audit listen, as it does by itself from the moment that it is installed."""
    request_started.connect(request_started_handler, dispatch_uid=_OF_EASY_AUDIT)
    try:
        yield
    finally:
        request_started.disconnect(dispatch_uid=_OF_EASY_AUDIT)


@dataclass(frozen=True)
class Arm:
    """A library, what it stores of a request, and how it is brought to the site."""

    name: str
    stores: str
    middleware: str | None = None
    listening: Callable[[], AbstractContextManager[None]] = nullcontext


ARMS = (
    Arm("django-easy-audit", "method, path, query, user, address", listening=easy_audit),
    Arm(
        "django-request",
        "method, path, status, user, address, referer, user agent, language",
        "request.middleware.RequestMiddleware",
    ),
    Arm(
        "django-requestlog",
        "method, path, query, status, user, address, request headers, both bodies; nothing masked by default",
        "requestlog.middleware.RequestLoggingMiddleware",
    ),
    Arm(
        "django-security-logger",
        "these, the response's headers, view, times, state, traceback; a row from the start; all masked",
        LOGGER,
    ),
)


def measure() -> list[Table]:
    request_started.disconnect(dispatch_uid=_OF_EASY_AUDIT)
    return [table(f"small {question.method}", question) for question in (small_get("/small/"), small_post("/small/"))]


def table(name: str, question: Question) -> Table:
    plain = SyncSite()
    sites = {arm.name: SyncSite(arm.middleware) for arm in ARMS}
    for site in (plain, *sites.values()):
        site.ask(question, REQUESTS)
    added: dict[str, list[float]] = {arm.name: [] for arm in ARMS}
    without = []
    for _ in range(ROUNDS):
        cpu, _ = timed(plain, question)
        without.append(cpu)
        for arm in ARMS:
            with arm.listening():
                added[arm.name].append(timed(sites[arm.name], question)[0] - cpu)
    rows = [
        (arm.name, spread(added[arm.name]), f"{statements(arm, sites[arm.name], question):.0f}", arm.stores)
        for arm in ARMS
    ]
    return Table(
        f"WSGI, {name}: {median(without):.3f} ms of CPU without any; median (lowest to highest) of {ROUNDS} rounds",
        ("library", "CPU added", "statements", "stores"),
        rows,
    )


def statements(arm: Arm, site: SyncSite, question: Question) -> float:
    with arm.listening(), statements_counted() as seen:
        site.ask(question, REQUESTS)
    return len(seen) / REQUESTS
