"""Views that answer throttled requests, well and badly."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse


def teapot(request: HttpRequest, exception: Exception) -> HttpResponse:
    return HttpResponse(f"no: {exception}", status=429, headers={"Retry-After": "7"})


async def teapot_async(request: HttpRequest, exception: Exception) -> HttpResponse:
    return teapot(request, exception)


def broken(request: HttpRequest, exception: Exception) -> HttpResponse:
    raise ValueError("broken")


def nothing(request: HttpRequest, exception: Exception) -> None:
    return None
