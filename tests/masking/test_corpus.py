"""No secret of the corpus is stored, whatever carries it, by whatever way it comes."""

from __future__ import annotations

from typing import Any

import django
import pytest
from django.test import override_settings

from . import (
    ways_of_calls,
    ways_of_commands,
    ways_of_django_tasks,
    ways_of_requests,
    ways_of_soap,
    ways_of_tasks,
)
from .cases import CASES, of_this_run, once
from .ways import Way, send_all

WAYS = [
    *ways_of_requests.WAYS,
    *ways_of_calls.WAYS,
    *ways_of_soap.WAYS,
    *ways_of_commands.WAYS,
    *ways_of_tasks.WAYS,
    *ways_of_django_tasks.WAYS,
]


def each(ways: list[Way]) -> Any:
    """Give the ways as parameters; those that end the connection run in no transaction."""
    # A worker of Celery looks at all databases when it begins.
    alone, other = pytest.mark.django_db(transaction=True, databases="__all__"), pytest.mark.django_db
    params = [pytest.param(way, id=way.name, marks=alone if way.closes_connections else other) for way in ways]
    return pytest.mark.parametrize("way", params)


# How many cases come in by each group of ways at least, each way with its own.
SHARES = {
    "requests": (ways_of_requests.WAYS, 20, 5000),
    "calls": (ways_of_calls.WAYS, 36, 4000),
    "messages of SOAP": (ways_of_soap.WAYS, 2, 200),
    "commands": (ways_of_commands.WAYS, 10, 2500),
    "tasks": (ways_of_tasks.WAYS, 11, 2000),
}


def test_the_corpus_has_five_hundred_cases() -> None:
    assert len(CASES) >= 500
    assert len(CASES) == len(set(CASES))


@pytest.mark.parametrize("group", SHARES)
def test_each_way_has_its_share(group: str) -> None:
    ways, count, cases = SHARES[group]
    assert len(ways) >= count
    assert sum(len(way.cases) for way in ways) >= cases
    assert all(way.reaches and all(way.reaches.values()) for way in ways)
    # The smallest are the ways by which few things come: hosts, paths.
    assert min(len(way.cases) for way in ways) >= 2


def test_the_tasks_of_django_have_their_ways_where_there_are_such() -> None:
    assert len(ways_of_django_tasks.WAYS) == (2 if django.VERSION >= (6, 0) else 0)


@each(WAYS)
def test_no_secret_is_stored(way: Way) -> None:
    cases = of_this_run(way.cases, WAYS.index(way)) or way.cases
    assert list(send_all(way, cases).leaks(way)) == []


@each(WAYS)
@override_settings(SECURITY_HIDE_SENSITIVE_DATA=False)
def test_without_masking_each_way_would_store_the_secret(way: Way) -> None:
    # Each way with some of the carriers, and each carrier by some of the ways.
    cases = once(way.cases)[WAYS.index(way) % 4 :: 4]
    assert list(send_all(way, cases).hidden(way)) == []
