"""The answer to a request that is refused: the failure view's, and the headers that say when to return."""

from __future__ import annotations

import logging
from inspect import iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.module_loading import import_string

from security.config import settings
from security.rates import Limit

from .exception import NotCountedError, ThrottlingException, text_of

logger = logging.getLogger("security")

Refusal = ThrottlingException | NotCountedError


def answer(request: HttpRequest, refusal: Refusal) -> HttpResponseBase:
    """Answer a request that is refused: by 429, or by 503 where it could not be counted."""
    if isinstance(refusal, NotCountedError):
        return _unavailable()
    try:
        view = import_string(settings.THROTTLING_FAILURE_VIEW)
        call = async_to_sync(view) if iscoroutinefunction(view) else view
        response = _rendered(call(request, refusal))
    except Exception as error:  # the request is refused whatever the view does
        response = _plain(refusal, error)
    return _with_headers(response, refusal)


async def aanswer(request: HttpRequest, refusal: Refusal) -> HttpResponseBase:
    """Do as `answer`, from a coroutine."""
    if isinstance(refusal, NotCountedError):
        return _unavailable()
    try:
        view = import_string(settings.THROTTLING_FAILURE_VIEW)
        if iscoroutinefunction(view):
            response = _rendered(await view(request, refusal))
        else:
            response = await sync_to_async(lambda: _rendered(view(request, refusal)), thread_sensitive=True)()
    except Exception as error:  # the request is refused whatever the view does
        response = _plain(refusal, error)
    return _with_headers(response, refusal)


def _rendered(response: Any) -> HttpResponseBase:
    if not isinstance(response, HttpResponseBase):
        raise TypeError(f"The view gave {type(response).__name__}, which is no response.")
    if not getattr(response, "is_rendered", True):
        response.render()  # type: ignore[attr-defined]  # what has it is a TemplateResponse
    return response


def _plain(refusal: ThrottlingException, error: Exception) -> HttpResponse:
    logger.error(
        "SECURITY_THROTTLING_FAILURE_VIEW, %r, failed; the client is answered without it.",
        settings.THROTTLING_FAILURE_VIEW,
        exc_info=error,
    )
    return HttpResponse(text_of(refusal), status=429, content_type="text/plain; charset=utf-8")


def _unavailable() -> HttpResponse:
    response = HttpResponse("Service Unavailable", status=503, content_type="text/plain; charset=utf-8")
    response["Retry-After"] = "5"
    return response


def _with_headers(response: HttpResponseBase, refusal: ThrottlingException) -> HttpResponseBase:
    """Add what the view did not: Retry-After (RFC 9110, 10.2.3), RateLimit (draft-ietf-httpapi-ratelimit-headers).

    Nobody may keep the answer (RFC 6585, 4).
    """
    response.headers.setdefault("Cache-Control", "no-store")
    if refusal.retry_after is not None:
        response.headers.setdefault("Retry-After", str(refusal.retry_after))
    if refusal.policies:
        policies = ", ".join(
            f"{_name(limit)};q={limit.throttle_at};w={limit.timeframe // 1000}" for limit in refusal.policies
        )
        response.headers.setdefault("RateLimit-Policy", policies)
    if refusal.limit is not None:
        response.headers.setdefault("RateLimit", f"{_name(refusal.limit)};r=0;t={refusal.retry_after}")
    return response


def _name(limit: Limit) -> str:
    return f'"{limit.throttle_at}-per-{limit.timeframe // 1000}s"'
