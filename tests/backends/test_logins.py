"""Logins are counted at whatever view they happen, by client and by account, and locking a victim out is in vain."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User, UserManager
from django.contrib.auth.signals import user_login_failed
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext

from security.backends.reader import get_count_input_requests
from security.backends.sql.models import InputRequestLog, ThrottlingCount
from security.enums import InputRequestSlug, RequestLogState
from tests.site import login_validators

both = pytest.mark.parametrize("path", ["/login/", "/login-async/"])


# In a test's transaction logins are counted after the view, outside of one at once.
@pytest.fixture(
    params=[
        pytest.param("in a transaction", marks=pytest.mark.django_db),
        pytest.param("outside of one", marks=pytest.mark.django_db(transaction=True)),
    ],
    autouse=True,
)
def throttled(request: Any, settings: Any, db: None) -> None:
    settings.SECURITY_THROTTLING_ENABLED = True
    settings.SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH = "tests.site.login_validators"
    for name in ("alice", "bob", "carol"):
        User.objects.create_user(name, email=f"{name}@shop.example", password="right")


def log_in(
    name: str, password: str, path: str = "/login/", *, address: str = "192.0.2.1", client: Client | None = None
) -> int:
    """Try to log in; 302 says that it succeeded, 200 that it failed."""
    client = client or Client(raise_request_exception=False)
    response = client.post(path, {"username": name, "password": password}, REMOTE_ADDR=address)
    return int(response.status_code)


@both
def test_failures_of_one_client_are_limited_at_all_login_views_together(path: str) -> None:
    assert [log_in(f"user{n}", "wrong", path) for n in range(2)] == [200, 200]
    assert log_in("user3", "wrong", "/login-too/") == 200
    assert [log_in(f"user{n}", "wrong", path) for n in range(2)] == [429, 429]
    assert log_in("alice", "wrong", path, address="192.0.2.2") == 200


@both
def test_the_right_password_is_refused_too_and_nobody_is_logged_in(path: str) -> None:
    for number in range(3):
        log_in(f"user{number}", "wrong", path)
    client = Client()
    assert log_in("alice", "right", path, client=client) == 429
    assert client.get("/whoami/", REMOTE_ADDR="192.0.2.1").content == b"AnonymousUser"
    assert not Session.objects.exists()
    row = InputRequestLog.objects.filter(path=path).first()
    assert row is not None
    assert (row.state, row.error_message) == (RequestLogState.THROTTLED, "Too many failures.")


@pytest.mark.parametrize(
    ("path", "refused"),
    [
        ("/token/", 429),
        ("/token-async/", 429),
        ("/token-without-request/", 429),
        ("/token-without-request-async/", 429),
        ("/token-whatever/", 401),
    ],
)
def test_who_guesses_is_refused_also_where_nobody_is_logged_in(path: str, refused: int) -> None:
    assert [log_in(f"user{number}", "wrong", path) for number in range(4)] == [401] * 3 + [refused]
    assert log_in("alice", "right", path) == refused
    assert log_in("alice", "right", path, address="192.0.2.2") == 200


def test_one_request_does_not_get_round_a_limit_by_many_passwords() -> None:
    assert log_in("alice", "2", "/token-many/") == 401
    assert log_in("alice", "2", "/token-many/") == 429
    assert log_in("alice", "3", "/token-many/", address="192.0.2.2") == 429
    assert log_in("bob", "3", "/token-many/", address="192.0.2.3") == 401
    assert log_in("bob", "1", "/token-many/", address="192.0.2.3") == 429
    assert log_in("bob", "100", "/token-many/", address="192.0.2.4") == 429


@both
@pytest.mark.parametrize("limit", ["failures", "successes"])
def test_a_refused_login_does_not_tell_whether_the_password_was_right(
    path: str, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        log_in("carol" if limit == "successes" else f"user{number}", "right", path)
    client = Client()
    client.force_login(User.objects.get(username="bob"))
    monkeypatch.setattr(User, "check_password", None)  # which nobody calls
    told = []
    for password in ("wrong", "right"):
        asked = {"username": "alice", "password": password}
        response = client.post(path, asked, REMOTE_ADDR="192.0.2.1")
        row = InputRequestLog.objects.filter(path=path).first()
        assert row is not None
        told.append((response.status_code, dict(response.cookies), response.get("Vary"), row.slug, row.error_message))
    assert told[0] == told[1]
    assert (told[0][0], told[0][1]) == (429, {})
    assert User.objects.get(username="alice").last_login is None
    assert client.get("/whoami/", REMOTE_ADDR="192.0.2.1").content == b"bob"


@both
def test_an_attacker_that_is_refused_fills_no_count_of_the_account(path: str) -> None:
    answers = [log_in("alice", "wrong", path, address="198.51.100.1") for _ in range(12)]
    assert answers == [200] * 3 + [429] * 9
    assert log_in("alice", "right", path, address="203.0.113.1") == 302


def test_nor_does_it_where_another_view_is_guarded() -> None:
    assert login_validators.default_validators
    answers = [log_in("alice", "wrong", "/login-unguarded/", address="198.51.100.1") for _ in range(12)]
    assert answers == [200] * 12
    assert log_in("alice", "right", address="203.0.113.1") == 302
    assert log_in("alice", "right", address="198.51.100.1") == 429


def test_a_client_that_failed_too_often_may_still_read() -> None:
    for _ in range(5):
        log_in("alice", "wrong")
    assert Client().get("/", REMOTE_ADDR="192.0.2.1").status_code == 200


def test_a_decorated_view_is_refused_before_it_runs() -> None:
    assert [log_in("alice", "wrong", "/login-guarded/") for _ in range(4)] == [200, 200, 200, 429]
    # It counts what happens elsewhere, too.
    assert [log_in("bob", "wrong", "/login/", address="192.0.2.9") for _ in range(3)] == [200] * 3
    assert log_in("bob", "right", "/login-guarded/", address="192.0.2.9") == 429


@both
def test_successes_of_one_client_are_limited(path: str) -> None:
    assert [log_in("alice", "right", path) for _ in range(5)] == [302] * 4 + [429]


@both
def test_an_account_asks_more_only_of_clients_that_never_logged_in_to_it(path: str) -> None:
    assert log_in("alice", "right", path, address="192.0.2.1") == 302
    # Each attacker fails less often than its own limit.
    attackers = [f"198.51.100.{number}" for number in range(9)]
    answers = [log_in("alice", "wrong", path, address=attacker) for attacker in attackers]
    assert answers == [200] * 5 + [429] * 4
    # Also with the right password, so that nothing is learned; in whatever letters.
    assert log_in("alice", "right", path, address="203.0.113.1") == 429
    assert log_in("alice ", "wrong", path, address="203.0.113.2") == 429
    # The victim is not locked out, also when it mistypes; nor is anybody else.
    assert log_in("alice", "wrong", path, address="192.0.2.1") == 200
    assert log_in("alice", "right", path, address="192.0.2.1") == 302
    assert log_in("bob", "right", path, address="203.0.113.1") == 302


def test_an_account_is_one_in_whatever_way_it_is_written() -> None:
    spellings = [
        "alice",
        "ALICE",
        "álice",
        "a\u0301lice",
        "\uff41lice",
        "al\u200bice",
        "a\u034flice",
        "alice\ufe0f",
        "alïcé",
    ]
    answers = [log_in(name, "wrong", address=f"198.51.100.{number}") for number, name in enumerate(spellings)]
    assert answers == [200] * 5 + [429] * 4
    assert log_in("alicia", "wrong", address="203.0.113.1") == 200


def test_an_account_is_one_in_whatever_way_the_site_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    # As a collation does, which takes more for the same than Unicode does.
    find = UserManager.get_by_natural_key
    monkeypatch.setattr(UserManager, "get_by_natural_key", lambda self, name: find(self, name.replace("ø", "o")))
    User.objects.create_user("bob-bob-bob", password="right")
    spellings = ["bob-bob-bob", "bøb-bob-bob", "bob-bøb-bob", "bob-bob-bøb", "bøb-bøb-bob", "bob-bøb-bøb"]
    answers = [log_in(name, "wrong", address=f"198.51.100.{number}") for number, name in enumerate(spellings)]
    assert answers == [200] * 5 + [429]


@both
def test_a_login_gives_its_record_a_slug(path: str, settings: Any) -> None:
    settings.SECURITY_THROTTLING_ENABLED = False
    log_in("alice", "wrong", path)
    log_in("alice", "right", path)
    slugs = list(InputRequestLog.objects.order_by("id").values_list("slug", flat=True))
    assert slugs == [InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST, InputRequestSlug.SUCCESSFUL_LOGIN_REQUEST]
    start = InputRequestLog.objects.earliest("id").start
    assert get_count_input_requests(start, slug=InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST) == 1
    assert not ThrottlingCount.objects.exists()


def test_a_failure_counts_though_the_site_rolls_back() -> None:
    assert [log_in("alice", "wrong", "/login-fails/") for _ in range(4)] == [401, 401, 401, 429]


def test_a_second_factor_is_counted_by_the_slug_of_its_record() -> None:
    client = Client()
    assert [client.post("/verify-code/").status_code for _ in range(3)] == [200, 200, 429]


def test_a_login_without_a_request_that_came_in_is_left_alone() -> None:
    assert Client().login(username="alice", password="right")
    assert not Client().login(username="alice", password="wrong")
    user_login_failed.send(sender=__name__, credentials={"username": "alice"}, request=None)
    user_login_failed.send(sender=__name__, credentials={}, request=RequestFactory().get("/"))
    assert not ThrottlingCount.objects.exists()


def test_a_view_where_nobody_logs_in_pays_nothing_for_the_default_login_validators() -> None:
    with CaptureQueriesContext(connection) as queries:
        Client().get("/")
    assert not [query for query in queries if "throttling" in query["sql"]]


@override_settings(SECURITY_THROTTLING_FAIL_OPEN=False, SECURITY_BACKEND_READER="logging")
@both
def test_a_login_that_cannot_be_counted_is_unavailable_where_the_site_wants_it_so(path: str) -> None:
    assert log_in("alice", "wrong", path) == 503
