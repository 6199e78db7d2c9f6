"""Middleware that do harm, each in a way in which loggers have done it; the comparison must see every one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase


class Harm:
    """A synchronous middleware with something to do before the view, and after it."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def before(self, request: HttpRequest) -> None: ...

    def after(self, request: HttpRequest, response: Any) -> Any:
        return response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self.before(request)
        response: HttpResponseBase = self.after(request, self.get_response(request))
        return response


class ReadsTheBody(Harm):
    def before(self, request: HttpRequest) -> None:
        len(request.body)


class ReadsTheForm(Harm):
    def before(self, request: HttpRequest) -> None:
        len(request.POST)


class AsksForTheUser(Harm):
    def before(self, request: HttpRequest) -> None:
        str(request.user)


class AsksForTheUserAfterwards(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        str(request.user)
        return response


class LooksAtHeaders(Harm):
    def before(self, request: HttpRequest) -> None:
        dict(request.headers)


class LooksAtTheQuery(Harm):
    def before(self, request: HttpRequest) -> None:
        dict(request.GET)


class MarksTheSession(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        request.session.modified = True
        return response


class CollectsTheStream(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        if response.streaming:
            response.streaming_content = list(response.streaming_content)
        return response


class SendsTheFileItself(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        if response.streaming:
            response.streaming_content = (chunk for chunk in response.streaming_content)
        return response


class AddsAHeader(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        response["X-Request-Id"] = "1"
        return response


class Rerenders(Harm):
    def after(self, request: HttpRequest, response: Any) -> Any:
        if hasattr(response, "render"):
            response._is_rendered = False
            response.render()
        return response


class AnswersFaults(Harm):
    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        return HttpResponse("logged", status=500)


class OpensATransaction(Harm):
    def before(self, request: HttpRequest) -> None:
        from django.db import transaction

        with transaction.atomic(), transaction.atomic():
            pass


# Each with a scenario that shows it.
HARMS: dict[str, str] = {
    "ReadsTheBody": "sync reads read of json",
    "ReadsTheForm": "sync reads body,POST,FILES of an upload",
    "AsksForTheUser": "nobody looks at the session of a user",
    "AsksForTheUserAfterwards": "sync answers text to GET",
    "LooksAtHeaders": "a view reads late-headers",
    "LooksAtTheQuery": "a view reads late-query",
    "MarksTheSession": "a view looks at the session",
    "CollectsTheStream": "sync answers stream to GET",
    "SendsTheFileItself": "sync answers file to GET",
    "AddsAHeader": "sync answers text to GET",
    "Rerenders": "sync answers template to GET",
    "AnswersFaults": "sync raises value-error",
    "OpensATransaction": "sync answers text to GET",
}
