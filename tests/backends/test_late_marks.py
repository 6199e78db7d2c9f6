"""A decorator that others hide from the middleware comes to light when its view is called."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as site_settings
from django.http import HttpRequest, HttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from security import view_marks
from security.backends.sql.models import InputRequestLog
from security.decorators import hide_request_body, log_exempt, throttling_exempt

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]

SECRET = '{"a": "between us"}'


def hiding_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a view as many do: without `functools.wraps`."""

    def wrapper(request: HttpRequest, *args: Any) -> Any:
        return view(request, *args)

    return csrf_exempt(wrapper)


class RequestOfFramework:
    """What Django REST framework hands to its views."""

    def __init__(self, request: HttpRequest) -> None:
        self._request = request
        self.body = request.body


def copying_decorator(view: Callable[..., Any]) -> Callable[..., Any]:
    """Hand a copy of the request on, once its body is read."""

    def wrapper(request: HttpRequest) -> Any:
        return view(copy.copy(request)) if request.body else None

    return csrf_exempt(wrapper)


def framework_view(view: Callable[..., Any]) -> Callable[..., Any]:
    return hiding_decorator(lambda request: view(RequestOfFramework(request)))


def read(request: Any) -> HttpResponse:
    return HttpResponse(f"{len(request.body)}")


async def aread(request: Any) -> HttpResponse:
    return HttpResponse(f"{len(request.body)}")


@method_decorator(csrf_exempt, name="dispatch")
class Page(View):
    def post(self, request: HttpRequest) -> HttpResponse:
        return self.save(request)

    @hide_request_body
    def save(self, request: HttpRequest) -> HttpResponse:
        return read(request)


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError(request.body.decode() or "no body")


def fail_of_form(request: HttpRequest) -> HttpResponse:
    raise ValueError(request.POST["word"])


class ParsesForms:
    """A middleware before the log's that asks for the form, as one for other methods does."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        assert request.POST["word"]
        return self.get_response(request)


class FailsAfterwards:
    """A middleware before the log's that quotes the body once the view has answered."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        self.get_response(request)
        raise ValueError(f"cannot {request.body.decode()}")


async def around(request: HttpRequest) -> HttpResponse:
    return await hide_request_body(aread)(request)


urlpatterns = [
    path("open/", hiding_decorator(read)),
    path("wrapped/", hiding_decorator(hide_request_body(read))),
    path("framework/", framework_view(hide_request_body(read))),
    path("copied/", copying_decorator(hide_request_body(read))),
    path("copied-fails/", copying_decorator(hide_request_body(fail))),
    path("form-fails/", csrf_exempt(hide_request_body(fail_of_form))),
    path("page/", Page.as_view()),
    path("fails/", hiding_decorator(hide_request_body(fail))),
    path("hidden-fails/", csrf_exempt(hide_request_body(fail))),
    path("open-fails/", csrf_exempt(fail)),
    path("async/", csrf_exempt(around)),
    path("exempt/", hiding_decorator(log_exempt(read))),
    path("unlimited/", hiding_decorator(throttling_exempt(read))),
    path("seen/", csrf_exempt(log_exempt(throttling_exempt(read)))),
]


def post(address: str) -> InputRequestLog:
    Client(raise_request_exception=False).post(address, SECRET, content_type="application/json")
    return InputRequestLog.objects.get()


def test_the_body_is_there_where_nothing_hides_it() -> None:
    assert post("/open/").request_body == SECRET


@pytest.mark.parametrize("address", ["/wrapped/", "/framework/", "/copied/", "/page/"])
def test_the_body_is_hidden_all_the_same(address: str) -> None:
    log = post(address)
    assert (log.response_code, log.request_body) == (200, "")


def test_the_body_of_a_view_that_fails_is_hidden_all_the_same() -> None:
    log = post("/fails/")
    assert (log.response_code, log.request_body) == (500, "")
    assert str(log.error_message).endswith(
        'in fail\n    raise ValueError(request.body.decode() or "no body")\nValueError: [Filtered]\n'
    )


@pytest.mark.parametrize(
    ("address", "read", "told"),
    [
        ("/hidden-fails/", True, "[Filtered]"),
        ("/hidden-fails/", False, "no body"),
        ("/copied-fails/", True, "[Filtered]"),
        ("/open-fails/", True, SECRET),
    ],
)
def test_an_error_can_quote_only_a_body_that_is_not_hidden(address: str, read: bool, told: str) -> None:
    content = SECRET if read else ""
    Client(raise_request_exception=False).post(address, content, content_type="application/json")
    assert str(InputRequestLog.objects.get().error_message).endswith(f"\nValueError: {told}\n")


def test_an_error_cannot_quote_a_hidden_form_that_a_middleware_has_parsed_already() -> None:
    middleware = [f"{__name__}.ParsesForms", *site_settings.MIDDLEWARE]
    with override_settings(MIDDLEWARE=middleware):
        Client(raise_request_exception=False).post("/form-fails/", {"word": "between us"})
    assert str(InputRequestLog.objects.get().error_message).endswith("\nValueError: [Filtered]\n")


@pytest.mark.parametrize(("address", "told"), [("/wrapped/", "[Filtered]"), ("/open/", f"cannot {SECRET}")])
def test_an_error_of_a_middleware_can_quote_only_a_body_that_is_not_hidden(address: str, told: str) -> None:
    with override_settings(MIDDLEWARE=[f"{__name__}.FailsAfterwards", *site_settings.MIDDLEWARE]):
        log = post(address)
    assert log.response_code == 500
    assert str(log.error_message).endswith(f"\nValueError: {told}\n")


async def test_the_body_of_an_async_view_is_hidden_all_the_same() -> None:
    response = await AsyncClient().post("/async/", SECRET, content_type="application/json")
    assert response.content == b"19"
    assert (await InputRequestLog.objects.aget()).request_body == ""


@pytest.mark.parametrize(("address", "decorator"), [("/exempt/", "log_exempt"), ("/unlimited/", "throttling")])
def test_what_comes_too_late_is_said_once(address: str, decorator: str, caplog: pytest.LogCaptureFixture) -> None:
    view_marks._warn.cache_clear()
    with caplog.at_level(logging.WARNING, "security"):
        for _ in range(2):
            Client().post(address, SECRET, content_type="application/json")
    (message,) = [record.getMessage() for record in caplog.records if record.name == "security"]
    assert f"decorator {decorator} of {__name__}.read was found only when the view was called" in message
    assert InputRequestLog.objects.count() == 2


def test_nothing_is_said_of_a_decorator_that_was_seen(caplog: pytest.LogCaptureFixture) -> None:
    view_marks._warn.cache_clear()
    assert Client().post("/seen/", SECRET, content_type="application/json").status_code == 200
    assert (InputRequestLog.objects.count(), caplog.records) == (0, [])
