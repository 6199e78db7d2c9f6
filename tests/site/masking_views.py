"""Views that let a secret out in the ways in which sites do."""

from __future__ import annotations

import json

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
def fail_with_body(request: HttpRequest) -> HttpResponse:
    """Quote what was sent in an exception, as parsers and database drivers do."""
    raise ValueError(request.body.decode())


@csrf_exempt
def answer_with_headers(request: HttpRequest) -> HttpResponse:
    """Answer with the headers that the body names, and the cookies."""
    wanted = json.loads(request.body)
    response = HttpResponse("ok", content_type="text/html")
    for name, value in wanted["headers"].items():
        response[name] = value
    for name, value in wanted.get("cookies", {}).items():
        response.set_cookie(name, value, httponly=True)
    return response


@csrf_exempt
def anything(request: HttpRequest, rest: str) -> HttpResponse:
    return HttpResponse("ok")


urlpatterns = [
    path("fail-with-body/", fail_with_body),
    path("answer-with-headers/", answer_with_headers),
    path("any/<path:rest>", anything),
]
