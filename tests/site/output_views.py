"""Views that ask a remote service, whose address is a query parameter, in every way that there is."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.auth.models import Group
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path

from security import httpx, requests
from security.context import bind


def call(request: HttpRequest) -> HttpResponse:
    answer = requests.get(f"{request.GET['remote']}/echo", params={"number": request.GET["number"]}, slug="call")
    return HttpResponse(answer.content, content_type="application/json")


async def call_async(request: HttpRequest) -> HttpResponse:
    async with httpx.AsyncClient(verify=False) as client:
        number = {"number": request.GET["number"]}
        answer = await client.get(f"{request.GET['remote']}/echo", params=number, slug="call")
    return HttpResponse(answer.content, content_type="application/json")


def call_in_transaction(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        Group.objects.exists()
        return call(request)


def call_in_threads(request: HttpRequest) -> HttpResponse:
    with ThreadPoolExecutor(2) as pool:
        return next(iter(pool.map(bind(call), [request])))


async def call_at_once(request: HttpRequest) -> HttpResponse:
    answers: list[Any] = await asyncio.gather(call_async(request), call_async(request))
    return HttpResponse(answers[0])


urlpatterns = [
    path("call/", call, name="call"),
    path("call-async/", call_async, name="call-async"),
    path("call-in-transaction/", call_in_transaction, name="call-in-transaction"),
    path("call-in-threads/", call_in_threads, name="call-in-threads"),
    path("call-at-once/", call_at_once, name="call-at-once"),
]
