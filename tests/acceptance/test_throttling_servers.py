"""Limits hold exactly, in real servers of several processes and threads, in each store of counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from security.backends.sql.models import InputRequestLog, ThrottlingCount
from security.enums import RequestLogState
from tests.redis import redis_server

from .servers import Server, running

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = 5
REQUESTS = 200
THREADS = 32
LIMIT = 20


def codes_of_one_client(server: Server, threads: ThreadPoolExecutor, path: str, number: int) -> list[int]:
    client = {"X-Forwarded-For": f"192.0.2.{number}"}
    answers = threads.map(lambda _: server.ask(path, headers=client), range(REQUESTS))
    return [int(answer.split(b" ", 2)[1]) for answer in answers]


# These views are exempt from logging: with the counts in Redis, no database is asked.
with_redis = pytest.mark.only_on("sqlite")


@pytest.mark.parametrize(
    ("name", "path", "store"),
    [
        ("gunicorn-workers", "/", "sql"),
        ("uvicorn", "/async/", "sql"),
        pytest.param("gunicorn-workers", "/exempt/", "redis", marks=with_redis),
        pytest.param("uvicorn", "/exempt-async/", "redis", marks=with_redis),
    ],
)
def test_of_200_parallel_requests_exactly_20_pass(name: str, path: str, store: str, tmp_path: Path) -> None:
    variables = {"THROTTLING": "on"}
    with ExitStack() as exits:
        if store == "redis":
            variables["THROTTLING_STORAGE"] = exits.enter_context(redis_server())
        server = exits.enter_context(running(name, tmp_path, variables=variables))
        threads = exits.enter_context(ThreadPoolExecutor(THREADS))
        rounds = [codes_of_one_client(server, threads, path, number) for number in range(ROUNDS)]
    assert [(codes.count(200), codes.count(429)) for codes in rounds] == [(LIMIT, REQUESTS - LIMIT)] * ROUNDS
    if store == "redis":
        assert not ThrottlingCount.objects.exists()
        return
    # Each is logged as what became of it, for the client whom the proxy named.
    rows = InputRequestLog.objects
    assert rows.filter(state=RequestLogState.INFO).count() == ROUNDS * LIMIT
    assert rows.filter(state=RequestLogState.THROTTLED).count() == ROUNDS * (REQUESTS - LIMIT)
    assert rows.values("ip").distinct().count() == ROUNDS
    # Those that were refused were counted by no limit, also not by that of the hour.
    assert {row.hits for row in ThrottlingCount.objects.all()} == {LIMIT}
    assert ThrottlingCount.objects.count() == 2 * ROUNDS


@pytest.mark.parametrize(("name", "path"), [("gunicorn-workers", "/"), ("uvicorn", "/"), ("uvicorn", "/async/")])
def test_throttling_adds_one_statement(name: str, path: str, tmp_path: Path) -> None:
    with running(name, tmp_path, variables={"THROTTLING": "on"}, counts_statements=True) as server:
        for _ in range(LIMIT):
            server.ask(path)
        server.new_statements()
        assert b" 429 " in server.ask(path)
        refused = [statement for statement in server.new_statements() if "security_sql" in statement]
        assert server.ask("/limited/").endswith(b"ok")
        passed = [statement for statement in server.new_statements() if "security_sql" in statement]
    assert len(refused) == 2, refused
    assert len(passed) == 3, passed
