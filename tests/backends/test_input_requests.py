"""What is recorded of a request, sync and async, as the backends would store it."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, ClassVar

import pytest
from asgiref.sync import async_to_sync
from django import urls
from django.conf import settings as site_settings
from django.contrib.auth.models import Group, User
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.http import HttpResponse
from django.template.response import SimpleTemplateResponse
from django.test import AsyncClient, Client, RequestFactory, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls.converters import IntConverter

from security.backends.sql.models import InputRequestLog
from security.backends.testing import CapturedLogs, capture_security_logs
from security.enums import RequestLogState
from security.middleware import LogMiddleware
from security.sources.input_requests import refused
from security.sources.input_requests.exchange import Exchange
from tests.site.views import home

pytestmark = pytest.mark.django_db

Ask = Callable[..., Any]


def ask_sync(method: str, path: str, *, client: Client | None = None, **kwargs: Any) -> Any:
    headers = kwargs.pop("headers", None)
    client = client or Client(raise_request_exception=False)
    response = client.generic(method, path, headers=headers, **kwargs)
    if response.streaming:
        b"".join(response)
    return response


def ask_async(method: str, path: str, **kwargs: Any) -> Any:
    @async_to_sync
    async def ask() -> Any:
        client = AsyncClient(raise_request_exception=False)
        response = await client.generic(method, path, **kwargs)
        if response.streaming:
            async for _ in response:
                pass
        return response

    return ask()


both = pytest.mark.parametrize("ask", [ask_sync, ask_async])


def only(logs: CapturedLogs) -> Any:
    (entry,) = logs.input_request
    return entry


@both
def test_a_request_and_its_response_are_recorded(ask: Ask) -> None:
    before = perf_counter()
    with capture_security_logs() as logs:
        ask("POST", "/echo/?a=1&a=2&b=&c=%C5%99", data='{"x": 1}', content_type="application/json")
    passed = perf_counter() - before
    entry = only(logs)
    assert (entry.host, entry.method, entry.path) == ("testserver", "POST", "/echo/")
    assert entry.queries == {"a": ["1", "2"], "b": "", "c": "ř"}
    assert (entry.is_secure, entry.ip, entry.user_id, entry.view_slug) == (False, "127.0.0.1", None, "echo")
    assert entry.request_headers["Content-Type"] == "application/json"
    assert entry.request_body == entry.response_body == '{"x": 1}'
    assert (entry.response_code, entry.response_headers["Content-Type"]) == (200, "application/json")
    assert entry.state is RequestLogState.INFO
    assert entry.start < entry.stop
    assert 0 < entry.time < passed
    assert (entry.slug, entry.extra_data, entry.related_objects, entry.error_message) == (None, {}, (), None)


@both
def test_the_row_is_the_entry(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("POST", "/echo/?a=1", data='{"x": 1}', content_type="application/json", headers={"X-Token": "secret"})
    row, entry = InputRequestLog.objects.get(), only(logs)
    for field in row._meta.concrete_fields:
        assert getattr(row, field.attname) == entry.values[field.attname], field.attname
    assert row.state.name == "INFO"
    assert row.request_headers["X-Token"] == "[Filtered]"


@both
def test_the_started_entry_comes_before_the_view_and_the_finished_one_after(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("GET", "/")
    (started,), (finished,) = logs.input_request_started, logs.input_request_finished
    assert (started.version, started.state, started.view_slug) == (1, RequestLogState.INCOMPLETE, "home")
    assert (finished.version, finished.id) == (2, started.id)
    assert logs.input_request_error == []


@both
@override_settings(SECURITY_RELEASE="1f3c")
def test_the_release_is_that_of_the_site(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("GET", "/")
    assert only(logs).release == "1f3c"


@both
@pytest.mark.parametrize("path", ["/fail/", "/fail-async/", "/write-and-fail/"])
def test_an_unhandled_exception_is_recorded_with_its_traceback(ask: Ask, path: str) -> None:
    with capture_security_logs() as logs:
        assert ask("GET", path).status_code == 500
    entry = only(logs)
    assert (entry.state, entry.response_code, entry.event) == (RequestLogState.ERROR, 500, "error")
    assert entry.error_message.startswith("Traceback (most recent call last):")
    assert "ValueError: " in entry.error_message.splitlines()[-1]
    assert "views.py" in entry.error_message
    assert not Group.objects.filter(name="rolled back").exists()


def test_an_exception_that_reaches_the_client_is_recorded_too() -> None:
    with capture_security_logs() as logs, pytest.raises(ValueError, match="no such thing"):
        Client().get("/fail/")
    assert "ValueError: no such thing" in only(logs).error_message


@both
@pytest.mark.parametrize(
    ("path", "code", "slug"),
    [
        ("/missing/", 404, "missing"),
        ("/nowhere/", 404, None),
        ("/suspicious/", 400, "suspicious"),
        ("/async", 301, "home-async"),
    ],
)
def test_answers_of_django_are_recorded(ask: Ask, path: str, code: int, slug: str | None) -> None:
    with capture_security_logs() as logs:
        assert ask("GET", path).status_code == code
    entry = only(logs)
    # CommonMiddleware, around the log's, makes a redirect of the 404 that is seen here.
    assert entry.response_code == (404 if code == 301 else code)
    assert entry.state is RequestLogState.WARNING
    assert entry.view_slug == slug
    assert entry.error_message is None
    assert len(logs.input_request_started) == 1


@pytest.mark.parametrize("name", ["SECURITY_APPEND_SLASH", "APPEND_SLASH"])
def test_without_append_slash_a_path_without_its_slash_has_no_view(name: str) -> None:
    with override_settings(**{name: False}), capture_security_logs() as logs:
        Client().get("/async")
    assert only(logs).view_slug is None


LOG, COMMON = "security.middleware.LogMiddleware", "django.middleware.common.CommonMiddleware"


@both
@pytest.mark.parametrize("middleware", [[LOG, COMMON], [COMMON, LOG]], ids=["first", "behind"])
def test_a_host_that_is_not_allowed_is_recorded_as_the_client_wrote_it(ask: Ask, middleware: list[str]) -> None:
    with (
        override_settings(ALLOWED_HOSTS=["good.example"], MIDDLEWARE=middleware),
        capture_security_logs() as logs,
    ):
        assert ask("GET", "/", headers={"host": "evil.example"}).status_code == 400
    entry = only(logs)
    # The asynchronous test client sends its own host as well.
    assert entry.host.endswith("evil.example")
    assert (entry.response_code, entry.view_slug) == (400, "home")
    assert entry.state is RequestLogState.WARNING


@both
@pytest.mark.parametrize(
    ("setting", "value", "status"),
    [("SECURE_SSL_REDIRECT", True, 301), ("DISALLOWED_USER_AGENTS", [re.compile("scraper")], 403)],
)
def test_what_a_middleware_before_answers_leaves_no_row(ask: Ask, setting: str, value: Any, status: int) -> None:
    with override_settings(**{setting: value}), capture_security_logs() as logs:
        assert ask("GET", "/", headers={"user-agent": "a scraper"}).status_code == status
    assert logs.input_request == []


@override_settings(ALLOWED_HOSTS=["good.example"], MIDDLEWARE=[COMMON, "tests.site.middleware.OwnLogMiddleware"])
def test_a_refused_request_is_recorded_by_a_subclass_of_the_middleware_too() -> None:
    with capture_security_logs() as logs:
        assert Client().get("/").status_code == 400
    assert only(logs).response_code == 400


REFUSALS = "django.security.DisallowedHost"


@pytest.fixture
def begin_with() -> Iterator[Callable[[str, int], list[logging.LogRecord]]]:
    """Begin as in a process whose site gives a logger a level, and give what handlers of refusals get."""
    names = ("django", "django.security", REFUSALS)
    before = [(logging.getLogger(name), logging.getLogger(name).level) for name in names]
    refusals, filters = logging.getLogger(REFUSALS), logging.getLogger(REFUSALS).filters[:]
    handled: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = handled.append  # type: ignore[method-assign]

    def begin(name: str, level: int) -> list[logging.LogRecord]:
        refusals.filters.clear()
        refusals.setLevel(logging.NOTSET)
        logging.getLogger(name).setLevel(level)
        refused.watch()
        refusals.addHandler(handler)
        return handled

    yield begin
    refusals.removeHandler(handler)
    refusals.filters[:] = filters
    for logger, level in before:
        logger.setLevel(level)


@pytest.mark.parametrize("name", ["django", "django.security", REFUSALS])
@pytest.mark.parametrize(("level", "messages"), [(logging.CRITICAL, 0), (logging.ERROR, 1), (logging.DEBUG, 1)])
@override_settings(ALLOWED_HOSTS=["good.example"])
def test_a_refused_request_is_recorded_whatever_level_the_site_gives_to_its_message(
    begin_with: Callable[[str, int], list[logging.LogRecord]], name: str, level: int, messages: int
) -> None:
    handled = begin_with(name, level)
    with capture_security_logs() as logs:
        assert Client().get("/").status_code == 400
    assert only(logs).response_code == 400
    assert len(handled) == messages


@override_settings(ALLOWED_HOSTS=["good.example"])
def test_a_level_that_the_site_changes_later_counts(
    begin_with: Callable[[str, int], list[logging.LogRecord]],
) -> None:
    handled = begin_with("django.security", logging.CRITICAL)
    logging.getLogger("django.security").setLevel(logging.INFO)
    Client().get("/")
    assert len(handled) == 1


@override_settings(ALLOWED_HOSTS=["good.example"])
def test_a_filter_of_the_site_takes_the_message_and_not_the_record() -> None:
    refusals = logging.getLogger(REFUSALS)
    filters = refusals.filters[:]
    refusals.filters[:] = [lambda record: False]
    try:
        refused.watch()
        with capture_security_logs() as logs:
            assert Client().get("/").status_code == 400
    finally:
        refusals.filters[:] = filters
    assert only(logs).response_code == 400


def test_the_message_of_a_refusal_reaches_whoever_it_reached_before() -> None:
    # A logger with a handler of its own would no longer fall back on `logging.lastResort`.
    assert logging.getLogger("django.security.DisallowedHost").handlers == []


@override_settings(ALLOWED_HOSTS=["good.example"], MIDDLEWARE=[COMMON])
def test_a_refused_request_is_not_recorded_where_the_middleware_is_not_installed() -> None:
    with capture_security_logs() as logs:
        assert Client().get("/").status_code == 400
    assert logs.input_request == []


@both
@pytest.mark.parametrize("path", ["/hidden/", "/hidden-async/", "/hidden-class/", "/hidden-method/"])
def test_a_hidden_request_body_is_not_recorded(ask: Ask, path: str) -> None:
    with capture_security_logs() as logs:
        assert ask("POST", path, data='{"a": 1}', content_type="application/json").content == b"8"
    assert only(logs).request_body == ""


@both
@pytest.mark.parametrize("path", ["/exempt/", "/exempt-async/", "/exempt-class/", "/exempt-child/"])
def test_a_request_to_an_exempt_view_is_not_recorded(ask: Ask, path: str) -> None:
    with capture_security_logs() as logs:
        assert ask("GET", path).content == b"unseen"
    assert logs.input_request == []
    assert not InputRequestLog.objects.exists()


class Refuses:
    """A middleware that reads the body and answers before the view is reached."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Any) -> None:
        pass

    def __call__(self, request: Any) -> Any:
        return HttpResponse(request.body, status=403, content_type="application/json")


class AnswersWithTemplate(Refuses):
    """A middleware whose response is rendered further out."""

    def __call__(self, request: Any) -> Any:
        return SimpleTemplateResponse("nowhere.html", content_type="text/html")


class Renders:
    """A middleware that gives such a response its content."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        response = self.get_response(request)
        response.content = "rendered"
        return response


@override_settings(MIDDLEWARE=[f"{__name__}.Renders", LOG, f"{__name__}.AnswersWithTemplate"])
def test_a_response_that_is_rendered_further_out_has_no_body_yet(caplog: pytest.LogCaptureFixture) -> None:
    with capture_security_logs() as logs:
        assert Client().get("/").content == b"rendered"
    entry = only(logs)
    assert (entry.state, entry.error_message, entry.response_body) == (RequestLogState.INFO, None, "")
    assert [record for record in caplog.records if record.name == "security"] == []


class Counted(IntConverter):
    """A converter that looks for what is in its path, as one that asks a database does."""

    looked_for: ClassVar[list[str]] = []

    def to_python(self, value: str) -> int:
        self.looked_for.append(value)
        raise ValueError("not found")


urls.register_converter(Counted, "counted")
urlpatterns = [urls.path("counted/<counted:number>/", home)]


@pytest.mark.urls(__name__)
def test_what_was_not_found_is_not_looked_for_again() -> None:
    Counted.looked_for.clear()
    with capture_security_logs() as logs:
        assert Client().get("/counted/7/").status_code == 404
    assert (only(logs).response_code, only(logs).view_slug) == (404, None)
    assert Counted.looked_for == ["7"]


@both
@override_settings(MIDDLEWARE=["security.middleware.LogMiddleware", f"{__name__}.Refuses"])
def test_the_decorators_hold_for_a_view_that_is_never_reached(ask: Ask) -> None:
    sent: dict[str, Any] = {"data": '{"a": 1}', "content_type": "application/json"}
    with capture_security_logs() as logs:
        ask("POST", "/exempt/", **sent)
        ask("POST", "/hidden/", **sent)
        ask("POST", "/echo/", **sent)
    assert [(entry.view_slug, entry.request_body) for entry in logs.input_request] == [
        ("hidden", ""),
        ("echo", '{"a": 1}'),
    ]


@both
@pytest.mark.parametrize(
    "given",
    [
        {"SECURITY_LOG_REQUEST_IGNORE_URL_PATHS": {"/"}},
        {"SECURITY_LOG_REQUEST_IGNORE_IP": ("127.0.0.1",)},
        {"SECURITY_LOG_REQUEST_IGNORE_IP": ("127.0.0.0/8",)},
    ],
)
def test_ignored_paths_and_addresses_are_not_recorded(ask: Ask, given: dict[str, Any]) -> None:
    with capture_security_logs() as logs, override_settings(**given):
        ask("GET", "/")
        assert logs.input_request == []
    with capture_security_logs() as logs:
        ask("GET", "/")
    assert len(logs.input_request) == 1


@both
def test_what_a_view_adds_is_recorded(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("GET", "/orders/7/")
    entry, group = only(logs), Group.objects.get()
    assert (entry.slug, entry.extra_data, entry.view_slug) == ("order", {"number": 7}, "order")
    assert [reference.pk for reference in entry.related_objects] == [str(group.pk)]
    (relation,) = InputRequestLog.objects.get().related_objects
    assert relation.object == group


@pytest.fixture
def user() -> User:
    return User.objects.create_user("ann", password="pass")


@pytest.mark.parametrize("path", ["/", "/whoami/"])
def test_who_asked_is_recorded_whether_or_not_the_site_looked(user: User, path: str) -> None:
    client = Client()
    client.force_login(user)
    with capture_security_logs() as logs:
        client.get(path)
    assert only(logs).user_id == str(user.pk)
    assert InputRequestLog.objects.get().user == user


def test_a_session_is_taken_at_its_word_where_the_site_does_not_look(user: User) -> None:
    client = Client()
    client.force_login(user)
    user.set_password("another")
    user.save()
    for path in ("/", "/whoami/"):
        with capture_security_logs() as logs:
            client.get(path)
        # Django drops such a session when it looks for the user.
        assert only(logs).user_id == (str(user.pk) if path == "/" else None)


@pytest.mark.parametrize("source", ["session", "loaded"])
def test_the_cookies_are_left_alone_where_nothing_is_to_be_found_in_them(source: str) -> None:
    request = RequestFactory().get("/", headers={"Cookie": "theme=dark" if source == "session" else "sessionid=abc"})
    request.session = SessionStore()
    exchange = Exchange(request)
    with override_settings(SECURITY_LOG_USER=source):
        assert not exchange.needs_session()
    assert "COOKIES" not in vars(request)


@override_settings(
    MIDDLEWARE=[
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.auth.middleware.LoginRequiredMiddleware",
        LOG,
    ]
)
def test_who_asked_is_in_the_first_entry_where_the_site_looked_before_the_view(user: User) -> None:
    client = Client()
    client.force_login(user)
    with capture_security_logs() as logs:
        client.get("/")
    assert [entry.user_id for entry in logs.input_request_started] == [str(user.pk)]


class Guest:
    """A visitor of a site that gives each of them a key."""

    pk = 7
    is_authenticated = False


def test_a_guest_with_a_key_is_no_user() -> None:
    request = RequestFactory().get("/")
    request.user = Guest()  # type: ignore[assignment]
    with capture_security_logs() as logs:
        LogMiddleware(lambda request: HttpResponse())(request)
    assert only(logs).user_id is None


def test_the_session_is_read_once_and_only_if_the_site_did_not(user: User) -> None:
    client = Client()
    client.force_login(user)

    def session_queries(path: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            client.get(path)
        return sum(Session._meta.db_table in query["sql"] for query in queries)

    assert session_queries("/") == session_queries("/whoami/") == 1
    with override_settings(SECURITY_LOG_USER="loaded"):
        assert session_queries("/") == 0


def test_logging_in_and_out_is_recorded_with_the_user_whose_it_is() -> None:
    user = User.objects.create_superuser("ann", password="pass")
    client = Client()
    with capture_security_logs() as logs:
        client.post("/admin/login/?next=/", {"username": "ann", "password": "pass"})
        client.post("/admin/logout/")
        client.get("/")
    assert [entry.user_id for entry in logs.input_request] == [str(user.pk), str(user.pk), None]


@override_settings(
    SECURITY_LOG_RESPONSE_BODY_CONTENT_TYPES=["application/x-www-form-urlencoded", "multipart/form-data"]
)
@both
def test_forms_are_recorded_where_the_site_asks_for_it_with_their_passwords_hidden(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("POST", "/form/", data="name=ann&password=secret", content_type="application/x-www-form-urlencoded")
    assert only(logs).request_body == "name=ann&password=[Filtered]"
    body = '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nsecret\r\n--b--\r\n'
    with capture_security_logs() as logs:
        ask("POST", "/form/", data=body, content_type="multipart/form-data; boundary=b")
    assert "secret" not in only(logs).request_body
    assert "[Filtered]" in only(logs).request_body


def test_a_form_is_not_recorded_by_default() -> None:
    with capture_security_logs() as logs:
        Client().post("/form/", {"name": "ann", "file": io.BytesIO(b"x")})
    assert only(logs).request_body == ""


@both
def test_a_long_json_body_stays_json(ask: Ask) -> None:
    with capture_security_logs() as logs:
        ask("POST", "/echo/", data=json.dumps({"a": ["x" * 300] * 50}), content_type="application/json")
    entry = only(logs)
    assert len(entry.request_body) <= 1000
    assert json.loads(entry.request_body)["a"][0] == "x" * 250 + "…"
    assert json.loads(entry.response_body)


@override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=None, SECURITY_LOG_RESPONSE_BODY_LENGTH=None)
def test_a_site_can_ask_for_whole_bodies() -> None:
    text = json.dumps({"a": "x" * 100_000})
    with capture_security_logs() as logs:
        Client().post("/echo/", text, content_type="application/json")
    assert only(logs).request_body == only(logs).response_body == text


def test_a_compressed_body_is_not_taken_for_text() -> None:
    with capture_security_logs() as logs:
        Client().post("/echo/", b"\x1f\x8b", content_type="application/json", headers={"content-encoding": "gzip"})
    assert only(logs).request_body == ""


def test_a_site_without_the_app_is_told_to_install_it() -> None:
    apps = [path for path in site_settings.INSTALLED_APPS if not path.startswith("security")]
    with override_settings(INSTALLED_APPS=apps), pytest.raises(ImproperlyConfigured, match="Add 'security' to INSTALL"):
        LogMiddleware(lambda request: HttpResponse())
