"""The views that are measured: the smallest ones that sites have, and those through which 50 MB pass."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator

from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

MEGABYTE = 1_000_000
CHUNK = 65_536


def answer(request: HttpRequest) -> HttpResponse:
    asked = json.loads(request.body) if request.method == "POST" else {"item": "lamp"}
    return JsonResponse({"item": asked["item"], "price": "12.50", "currency": "EUR", "in_stock": True})


@csrf_exempt
def small(request: HttpRequest) -> HttpResponse:
    return answer(request)


@csrf_exempt
async def asmall(request: HttpRequest) -> HttpResponse:
    return answer(request)


def read_all(request: HttpRequest) -> HttpResponse:
    size = 0
    while chunk := request.read(CHUNK):
        size += len(chunk)
    return JsonResponse({"size": size})


@csrf_exempt
def raw(request: HttpRequest) -> HttpResponse:
    return read_all(request)


@csrf_exempt
async def araw(request: HttpRequest) -> HttpResponse:
    return read_all(request)


def sizes_of_files(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"size": sum(file.size or 0 for file in request.FILES.values())})


@csrf_exempt
def files(request: HttpRequest) -> HttpResponse:
    return sizes_of_files(request)


@csrf_exempt
async def afiles(request: HttpRequest) -> HttpResponse:
    return sizes_of_files(request)


def rows(size: int) -> Iterator[bytes]:
    for start in range(0, size, CHUNK):
        yield b"x" * min(CHUNK, size - start)


async def arows(size: int) -> AsyncIterator[bytes]:
    for chunk in rows(size):
        yield chunk


def download(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(rows(int(request.GET["size"])), content_type="text/csv")


async def adownload(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(arows(int(request.GET["size"])), content_type="text/csv")


urlpatterns = [
    path("small/", small),
    path("asmall/", asmall),
    path("raw/", raw),
    path("araw/", araw),
    path("files/", files),
    path("afiles/", afiles),
    path("download/", download),
    path("adownload/", adownload),
]
