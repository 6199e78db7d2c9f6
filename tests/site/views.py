"""The views of the site under test: each does one thing that a site does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.contrib.auth.models import Group
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt

from security.decorators import hide_request_body, hide_request_body_all, log_exempt, log_exempt_all


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


async def home_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("home")


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type=request.headers.get("Content-Type"))


@csrf_exempt
async def echo_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.body, content_type=request.headers.get("Content-Type"))


@csrf_exempt
def form(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"fields": sorted(request.POST), "files": sorted(request.FILES)})


def order(request: HttpRequest, number: int) -> HttpResponse:
    record: Any = request.input_logged_request  # type: ignore[attr-defined]
    record.set_slug("order")
    record.add_related_objects(Group.objects.get_or_create(name=f"order {number}")[0])
    record.update_extra_data({"number": number})
    return HttpResponse("ordered")


def fail(request: HttpRequest) -> HttpResponse:
    raise ValueError("no such thing")


async def fail_async(request: HttpRequest) -> HttpResponse:
    raise ValueError("no such thing")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404


def suspicious(request: HttpRequest) -> HttpResponse:
    raise SuspiciousOperation("odd")


def write_and_fail(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Group.objects.create(name="rolled back")
        raise ValueError("roll back")


def whoami(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


def chunks() -> Iterator[str]:
    yield "one,"
    yield "two,"
    yield "three"


async def chunks_async() -> AsyncIterator[str]:
    for chunk in chunks():
        yield chunk


def stream(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(chunks(), content_type="text/csv")


async def stream_async(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(chunks_async(), content_type="text/csv")


def broken_stream(request: HttpRequest) -> HttpResponseBase:
    def broken() -> Iterator[str]:
        yield "one,"
        raise ValueError("the stream broke")

    return StreamingHttpResponse(broken(), content_type="text/csv")


def endless(request: HttpRequest) -> HttpResponseBase:
    def rows() -> Iterator[bytes]:
        # Bounded, so that a server that never notices its client's leaving stops as well.
        for _ in range(10_000):
            yield b"x" * 65_536

    return StreamingHttpResponse(rows(), content_type="text/csv")


async def endless_async(request: HttpRequest) -> HttpResponseBase:
    async def rows() -> AsyncIterator[bytes]:
        for _ in range(10_000):
            yield b"x" * 65_536
            await asyncio.sleep(0)

    return StreamingHttpResponse(rows(), content_type="text/csv")


async def waits_for_ever(request: HttpRequest) -> HttpResponse:
    await asyncio.Event().wait()
    return HttpResponse("never")


def download(request: HttpRequest) -> HttpResponseBase:
    return FileResponse(open(__file__, "rb"), content_type="text/csv")  # noqa: PTH123 the response closes it


@csrf_exempt
@hide_request_body
def hidden(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


@csrf_exempt
@hide_request_body()
async def hidden_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(len(request.body)))


@log_exempt
def exempt(request: HttpRequest) -> HttpResponse:
    return HttpResponse("unseen")


@log_exempt()
async def exempt_async(request: HttpRequest) -> HttpResponse:
    return HttpResponse("unseen")


class Reads(View):
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(len(request.body)))


@hide_request_body_all
@method_decorator(csrf_exempt, name="dispatch")
class Hidden(Reads):
    pass


@method_decorator(csrf_exempt, name="dispatch")
class HiddenMethod(View):
    @method_decorator(hide_request_body)
    def post(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse(str(len(request.body)))


@log_exempt_all()
class Exempt(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return HttpResponse("unseen")


class ExemptChild(Exempt):
    pass
