"""Views that let a secret out in the ways in which sites do."""

from __future__ import annotations

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def fail_with_body(request: HttpRequest) -> HttpResponse:
    """Quote what was sent in an exception, as parsers and database drivers do."""
    raise ValueError(request.body.decode())


def fail_with_path(request: HttpRequest, rest: str) -> HttpResponse:
    """Quote the address in an exception."""
    raise ValueError(f"There is nothing at {request.path}.")


def fail_with_header(request: HttpRequest) -> HttpResponse:
    """Quote a header in an exception."""
    raise ValueError(f"What should {request.headers[request.GET['name']]!r} be?")


@csrf_exempt
def answer_with_headers(request: HttpRequest) -> HttpResponse:
    """Answer with the headers that the body names."""
    response = HttpResponse("ok", content_type="text/html")
    for name, value in json.loads(request.body)["secret"]:
        if name == "Set-Cookie":
            response.cookies.load(value)
        else:
            response[name] = value
    return response


@csrf_exempt
def keep_body(request: HttpRequest) -> HttpResponse:
    """Keep what was sent in the record."""
    text = request.body.decode()
    record: Any = request.input_logged_request  # type: ignore[attr-defined]
    record.update_extra_data({"sent": {"as": [text]}})
    return HttpResponse("ok")


@csrf_exempt
def anything(request: HttpRequest, rest: str) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("fail-with-body/", fail_with_body),
    path("fail-with-path/<path:rest>", fail_with_path),
    path("fail-with-header/", fail_with_header),
    path("answer-with-headers/", answer_with_headers),
    path("extra-data/", keep_body),
    path("any/<path:rest>", anything),
]
