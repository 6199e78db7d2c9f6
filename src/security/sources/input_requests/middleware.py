"""The middleware: where the steps of an exchange are taken, and their entries stored."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils.module_loading import import_string

from security.body import capture_bound
from security.config import settings
from security.context import inside
from security.delivery import adeliver, deliver
from security.faults import log_fault
from security.throttling.current import serving
from security.throttling.exception import NotCountedError, ThrottlingException

from . import throttled
from .body_watch import Beginning
from .content_watch import Ending, WatchedAsyncContent, WatchedContent
from .exchange import Exchange, exchange_of


class LogMiddleware:
    """Records input requests (published section "Input requests"); it belongs after the authentication middleware.

    The record is `request.input_logged_request`. Its row is there before the view runs, and complete before a plain
    response leaves the middleware; the row of a streaming response is complete when its stream ends.

    Raises `ImproperlyConfigured` where the app `security` is not installed: nobody else would say so.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        if not apps.is_installed("security"):
            raise ImproperlyConfigured(f"Add 'security' to INSTALLED_APPS: {type(self).__qualname__} needs its app.")
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)
            # Django would move a synchronous hook of an asynchronous site to a thread.
            self.process_view: Callable[..., Any] = self._process_view_async
        else:
            self.process_view = self._process_view

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        if self.is_async:
            return self._call_async(request)
        exchange = Exchange(request)
        exchange.arrive()
        try:
            with inside(exchange.record), serving(request):
                response: HttpResponseBase = self.get_response(request)
            if throttled.concerns(exchange, response):
                response = throttled.after(exchange, response)
            if exchange.needs_session():
                exchange.read_session()
        except BaseException as error:
            deliver(exchange.fail(error))
            raise
        if isinstance(response, StreamingHttpResponse):
            _watch(exchange, response)
        else:
            deliver(exchange.answer(response))
        return response

    async def _call_async(self, request: HttpRequest) -> HttpResponseBase:
        exchange = Exchange(request)
        exchange.arrive()
        try:
            with inside(exchange.record), serving(request):
                response: HttpResponseBase = await self.get_response(request)
            if throttled.concerns(exchange, response):
                response = await throttled.aafter(exchange, response)
            if exchange.needs_session():
                await exchange.aread_session()
        except BaseException as error:
            await adeliver(exchange.fail(error))
            raise
        if isinstance(response, StreamingHttpResponse):
            _watch(exchange, response)
        else:
            await adeliver(exchange.answer(response))
        return response

    def _process_view(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        exchange = exchange_of(request)
        if exchange is None:
            return None
        exchange.follow(request)
        return throttled.before(exchange, view)

    async def _process_view_async(
        self, request: HttpRequest, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        exchange = exchange_of(request)
        if exchange is None:
            return None
        exchange.follow(request)
        return await throttled.abefore(exchange, view)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponseBase | None:
        """Answer a refusal that the site's own code raised (published section "View")."""
        exchange = exchange_of(request)
        if exchange is None or not isinstance(exception, (ThrottlingException, NotCountedError)):
            return None
        return throttled.refuse(exchange, exception)


def is_log_middleware(path: str) -> bool:
    """Tell whether a path in MIDDLEWARE is that of the log's middleware, or of a subclass of the site's own."""
    try:
        middleware = import_string(path)
    except ImportError:
        return False  # Django says so when it starts
    return isinstance(middleware, type) and issubclass(middleware, LogMiddleware)


def _watch(exchange: Exchange, response: StreamingHttpResponse) -> None:
    """Let the record of a streaming response be completed when its stream ends."""
    exchange.start_stream(response)
    if not exchange.record.is_recorded:
        return
    try:
        _watch_content(exchange, response)
    except Exception:  # then the record is completed when the response is closed
        log_fault("The content of a streaming response could not be watched; the site goes on.")


def _watch_content(exchange: Exchange, response: StreamingHttpResponse) -> None:
    beginning = Beginning(capture_bound(settings.LOG_RESPONSE_BODY_LENGTH))

    def end(ending: Ending, error: BaseException | None) -> None:
        deliver(exchange.end_stream(beginning, ending, error))

    async def end_async(ending: Ending, error: BaseException | None) -> None:
        await adeliver(exchange.end_stream(beginning, ending, error))

    def end_at_close() -> None:
        # When the client went away, or the site failed, the response is closed while that error is on its way.
        error = sys.exception()
        if isinstance(error, Exception) and not isinstance(error, OSError):
            end(Ending.FAILED, error)
        else:
            end(Ending.EXHAUSTED if error is None else Ending.ABANDONED, None)

    content: Any = response
    if getattr(response, "file_to_stream", None) is not None or not _has_content_of_django(type(response)):
        # A server may send the file by itself (PEP 3333, wsgi.file_wrapper), and must not be kept from it. It closes
        # the response in any case.
        content._resource_closers.append(end_at_close)  # noqa: SLF001 as Django does for its own
        return
    watched: WatchedContent | WatchedAsyncContent
    if response.is_async:
        watched = WatchedAsyncContent(content.streaming_content, exchange.record, beginning, end, end_async)
    else:
        watched = WatchedContent(content.streaming_content, exchange.record, beginning, end)
    content.streaming_content = watched
    if not _is_iterated_by_django(type(response)):
        # Nobody may ask for the content: it is closed first of all, and what was asked for has ended by then.
        content._resource_closers.insert(0, lambda: None if watched.has_begun else end_at_close())  # noqa: SLF001


def _has_content_of_django(kind: type[StreamingHttpResponse]) -> bool:
    return kind.streaming_content is StreamingHttpResponse.streaming_content


def _is_iterated_by_django(kind: type[StreamingHttpResponse]) -> bool:
    return all(getattr(kind, name) is getattr(StreamingHttpResponse, name) for name in ("__iter__", "__aiter__"))
