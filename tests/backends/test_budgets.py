"""What a request may cost: statements and memory decide, times are printed by `make bench`."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connection
from django.http.response import HttpResponseBase

from bench.input_requests import peak, statements_counted
from bench.site import MEGABYTE
from bench.traffic import (
    LOGGER,
    AsyncSite,
    Question,
    SyncSite,
    download,
    file_upload,
    raw_upload,
    small_get,
    small_post,
)
from security.backends.sql.models import InputRequestLog
from security.delivery.threads import end_threads

LARGE = 50 * MEGABYTE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("bench.site")]

every_server = pytest.mark.parametrize(("site", "prefix"), [(SyncSite, ""), (AsyncSite, "a")], ids=["wsgi", "asgi"])


@pytest.fixture(autouse=True)
def threads() -> Iterator[None]:
    yield
    end_threads()


@every_server
@pytest.mark.parametrize("small", [small_get, small_post])
def test_a_request_costs_an_insert_and_an_update(site: Any, prefix: str, small: Callable[[str], Question]) -> None:
    question, logged = small(f"/{prefix}small/"), site(LOGGER)
    logged.ask(question)
    with statements_counted() as statements:
        logged.ask(question, times=3)
    verbs = [verb for sql in statements for verb in ("INSERT INTO", "UPDATE") if f"{verb} {TABLE}" in unquoted(sql)]
    assert verbs == ["INSERT INTO", "UPDATE"] * 3
    assert len([sql for sql in statements if "security" in sql]) == 6
    assert InputRequestLog.objects.filter(version=2).count() == 4


def test_no_update_touches_an_index_on_postgresql() -> None:
    has_figures = connection.vendor == "postgresql"
    before = updates() if has_figures else ()
    SyncSite(LOGGER).ask(small_get("/small/"), times=60)
    assert InputRequestLog.objects.filter(version=2).count() == 60
    if not has_figures:
        return
    all_updates, without_index = (now - then for now, then in zip(updates(), before, strict=True))
    assert (all_updates, without_index) == (60, 60)


def updates() -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_force_next_flush()")
        cursor.execute("SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", [TABLE])
        return tuple(cursor.fetchone())


TABLE = InputRequestLog._meta.db_table


def unquoted(sql: str) -> str:
    return sql.replace('"', "").replace("`", "")


@every_server
def test_a_request_that_reaches_no_view_costs_one_statement(site: Any, prefix: str) -> None:
    with statements_counted() as statements:
        site(LOGGER).ask(small_get("/nowhere/"), status=404)
    # Nothing was stored before it was answered: both its entries are one row.
    assert len([sql for sql in statements if "security" in sql]) == 1
    assert InputRequestLog.objects.get().version == 2


@every_server
@pytest.mark.parametrize(
    ("path", "question"),
    [("raw", raw_upload), ("files", file_upload), ("download", download)],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_50_megabytes_pass_without_being_kept(
    site: Any, prefix: str, path: str, question: Callable[[str, int], Question]
) -> None:
    large = question(f"/{prefix}{path}/", LARGE)
    added = peak(site(LOGGER), large) - peak(site(), large)
    assert added <= 2, f"{added:.2f} MB"


@every_server
@pytest.mark.parametrize("path", ["small", "download"])
def test_no_more_responses_wait_for_the_garbage_collector(site: Any, prefix: str, path: str) -> None:
    question = download(f"/{prefix}{path}/", MEGABYTE)
    assert len(responses_left(site(LOGGER), question)) <= len(responses_left(site(), question))


def responses_left(site: Any, question: Question) -> list[HttpResponseBase]:
    """Give the responses that are still there when their requests are over: Django makes some circles of its own."""
    site.ask(question)
    gc.collect()
    gc.disable()
    try:
        site.ask(question, times=3)
        return [kept for kept in gc.get_objects() if issubclass(type(kept), HttpResponseBase)]
    finally:
        gc.enable()
