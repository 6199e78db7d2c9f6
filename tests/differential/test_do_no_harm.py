"""A site answers the same, byte for byte and step for step, without and with the middleware."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY
from django.contrib.auth import SESSION_KEY as USER_KEY
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.management import call_command

from security.backends.sql.models import InputRequestLog
from security.delivery import lost_entries
from security.enums import RequestLogState
from tests.differential.exchange import LOGGER, SESSION_KEY, Notes, Scenario, run
from tests.differential.harm import HARMS
from tests.differential.scenarios import SCENARIOS

# What Django warns of works all the same, and is compared.
pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")


@pytest.fixture(scope="module")
def db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Stand in for the fixture of pytest-django, as to empty all tables for each test takes longer than the tests."""
    with django_db_blocker.unblock():
        User.objects.create_user("ann", password="correct horse")
        yield
        call_command("flush", verbosity=0, interactive=False)


@pytest.fixture(scope="module", autouse=True)
def site(db: None) -> None: ...


def prepare() -> None:
    Group.objects.all().delete()
    Session.objects.all().delete()
    InputRequestLog.objects.all().delete()
    user = User.objects.get()
    session = SessionStore(SESSION_KEY)
    session.update({USER_KEY: str(user.pk), HASH_SESSION_KEY: user.get_session_auth_hash(), "seen": "before"})
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session.save(must_create=True)


def exchange(scenario: Scenario, server: str, *middleware: str) -> Notes:
    prepare()
    return run(scenario, server, middleware)


def without_session_read(notes: Notes) -> Notes:
    """Leave out the one query that the logger may add, which must be there."""
    reads = [number for number, (what, value) in enumerate(notes) if what == "sql" and "django_session" in value]
    assert reads, "the logger did not read the session"
    return [note for number, note in enumerate(notes) if number != reads[0]]


@pytest.mark.parametrize(
    ("server", "scenario"),
    [(server, scenario) for scenario in SCENARIOS for server in scenario.servers],
    ids=str,
)
def test_the_site_is_the_same_with_the_middleware(server: str, scenario: Scenario) -> None:
    lost = lost_entries()
    plain = exchange(scenario, server, *scenario.stand_in)
    logged = exchange(scenario, server, LOGGER)
    if scenario.reads_session:
        logged = without_session_read(logged)
    assert logged == plain
    assert lost_entries() == lost
    # The comparison says nothing unless the logger was at work.
    states = {log.state for log in InputRequestLog.objects.all()}
    assert len(states) == int(scenario.reaches_logger)
    assert RequestLogState.INCOMPLETE not in states


@pytest.mark.parametrize(("harm", "name"), HARMS.items(), ids=HARMS)
def test_a_middleware_that_does_harm_is_found_out(harm: str, name: str) -> None:
    (scenario,) = (scenario for scenario in SCENARIOS if scenario.name == name)
    plain = exchange(scenario, "wsgi")
    assert exchange(scenario, "wsgi") == plain
    assert exchange(scenario, "wsgi", f"tests.differential.harm.{harm}") != plain


def test_there_are_scenarios_enough() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names))
    assert len(names) >= 100
