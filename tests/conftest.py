"""What all tests share."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from threading import Event

import pytest
from asgiref.sync import async_to_sync
from django.db import connections
from hypothesis import settings

from security import faults
from security.backends.sql.event_loop import close_connections
from security.delivery import health, leftovers
from security.sources.input_requests.session_reading import session_reading

# No test fails because the machine is busy. A change is judged by the same examples each time; who works on it meets
# new ones.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what a test says to be another database's business (`only_on`)."""
    database = os.environ.get("DATABASE", "sqlite")
    others = [item for item in items if any(database not in mark.args for mark in item.iter_markers("only_on"))]
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if item not in others]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run an async test as Django's own test case does: in the thread, and the transaction, of its fixtures.

    An event loop of a plugin would have the database work done in another thread, on a connection that commits.
    """
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = inspect.signature(pyfuncitem.obj).parameters
    async_to_sync(pyfuncitem.obj)(**{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_teardown() -> None:
    """Have written what a test left behind, before its rows are deleted: the next test would find it."""
    if leftovers._thread is not None:
        written = Event()
        leftovers.leave_behind(written.set)
        assert written.wait(10), "what the test left behind was not written in time"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Close the connection of the second alias as well, which Django leaves open: the database could not be removed."""
    yield
    connections.close_all()


@pytest.fixture(autouse=True)
def nothing_failed_before() -> Iterator[None]:
    """Begin each test with backends and sessions of which no earlier test had one fail: a process remembers that."""
    # A test may undo its own patches in the middle.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(health, "_healths", {})
        patch.setattr(faults, "_said", {})
        patch.setattr(session_reading, "_paused_until", 0.0)
        yield


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Close what event loops used: nobody else does, and the test database could not be removed."""
    yield
    close_connections()
