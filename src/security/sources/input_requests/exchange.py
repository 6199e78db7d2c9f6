"""One request and its response, as the middleware sees them: what to record at each step.

Each step gives the entries to store and stores nothing itself, so that the synchronous and the asynchronous middleware
share all of it. A step never raises: a fault of the logger is logged, and the site goes on.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextlib import suppress
from enum import IntEnum
from functools import wraps
from typing import Any, Concatenate, Final, ParamSpec
from urllib.parse import SplitResult

from django.core.signals import got_request_exception
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from security.body import capture_bound
from security.client_address import client_address
from security.config import settings
from security.delivery import deliver
from security.enums import Event, RequestLogState
from security.faults import log_fault
from security.recording import begin, complete
from security.records import Entry, InputRequestRecord
from security.sources.quoted import without_quoted
from security.tracebacks import traceback_of
from security.traces import incoming

from . import client, messages
from .body_watch import Beginning, WatchedStream
from .content_watch import Ending
from .session_reading import session_reading
from .view_match import match_of, name_of
from .view_options import HIDE_REQUEST_BODY, LOG_EXEMPT, is_marked

_CLIENT_LEFT: Final = "The client went away before its request was read."
_CLIENT_LEFT_EARLY: Final = "The client went away before the response was complete."
_NOT_IN_FULL: Final = "The logger failed to record this request in full; its own log says why."
_REPLACED: Final = "A middleware sent another response in place of the one that is recorded."

P = ParamSpec("P")


Step = Callable[Concatenate["Exchange", P], list[Entry]]


def _step(step: Step[P]) -> Step[P]:
    """Keep a fault of the logger from becoming the site's."""
    return _guarded(step, is_last=False)


def _last_step(step: Step[P]) -> Step[P]:
    """Do so for a step that completes the record, and complete it all the same."""
    return _guarded(step, is_last=True)


def _guarded(step: Step[P], *, is_last: bool) -> Step[P]:
    @wraps(step)
    def guarded(self: Exchange, *args: P.args, **kwargs: P.kwargs) -> list[Entry]:
        try:
            return step(self, *args, **kwargs)
        except Exception:
            log_fault("A request could not be recorded in full; the site goes on.")
            if not is_last or self.record.version == 0 or self.record.stop is not None:
                return []
            return complete(self.record, Event.ERROR, error_message=self.error_message or _NOT_IN_FULL)

    return guarded  # type: ignore[return-value]  # its parameters have names


class Exchange:
    """What is known of a request and its response so far."""

    def __init__(self, request: HttpRequest) -> None:
        self._request: HttpRequest | None = request
        self.record = InputRequestRecord()
        self.watched_body: WatchedStream | None = None
        self.hides_request_body = False
        self.error_message: str | None = None
        self.refusal: str | None = None
        self._has_hidden = False
        # A middleware before this one can have parsed a form.
        self._had_been_read = bool(vars(request).get("_read_started"))
        self.is_decided = False
        self.response_head: messages.ResponseHead | None = None

    @property
    def request(self) -> HttpRequest:
        if self._request is None:
            raise RuntimeError("This exchange is over.")
        return self._request

    def __reduce__(self) -> tuple[Any, ...]:
        # A site may pickle or copy its request; the exchange is not part of that.
        return (_no_exchange, ())

    @_step
    def arrive(self) -> list[Entry]:
        """Note what the client sent, and watch what will be read of its body.

        Nothing is stored yet: the view may be exempt.
        """
        request, record = self.request, self.record
        attributes = vars(request)
        attributes |= {"input_logged_request": record, "input_request_logger": record, "_security_exchange": self}
        attributes["close"] = Closing(self, request.close)
        record.path = request.path
        record.method = request.method or ""
        record.ip = client_address(request.META)
        if client.is_ignored_address(record.ip) or request.path in settings.LOG_REQUEST_IGNORE_URL_PATHS:
            record.is_recorded = False
            return []
        stream = attributes.get("_stream")
        if stream is not None:
            bound = capture_bound(settings.LOG_REQUEST_BODY_LENGTH)
            self.watched_body = WatchedStream(stream, bound, messages.announced_length(request))
            attributes["_stream"] = self.watched_body
        record.host = messages.host_of(request)
        if settings.TRACE_CONTEXT:
            meta = request.META
            record.traceparent, record.tracestate = incoming(meta.get("HTTP_TRACEPARENT"), meta.get("HTTP_TRACESTATE"))
        record.queries = messages.queries_of(request)
        record.request_headers = messages.headers_of(request)
        record.is_secure = request.is_secure()
        return []

    def follow(self, request: HttpRequest) -> None:
        """Go on with the request that the view is given, where a middleware made a copy."""
        if self._request is not None:
            self._request = request

    @_step
    def reach_view(self, view: Callable[..., Any]) -> list[Entry]:
        """Begin the record, now that the view is known."""
        request, record = self.request, self.record
        self._heed(view)
        record.view_slug = name_of(request.resolver_match)
        record.user_id = client.loaded_user_id(request)
        return begin(record)

    @_last_step
    def fail(self, error: BaseException) -> list[Entry]:
        """Complete the record of a request that ends with an exception and without a response."""
        if isinstance(error, (asyncio.CancelledError, GeneratorExit)):
            return self._complete(Event.FINISHED, RequestLogState.ABORTED, _CLIENT_LEFT_EARLY)
        return self._complete(Event.ERROR, None, self._traceback_of(error))

    @_last_step
    def answer(self, response: HttpResponseBase) -> list[Entry]:
        """Complete the record of a request with its whole response."""
        self._note_response(response)
        if self.record.is_recorded:
            self.record.response_body = messages.response_body_of(response, settings.LOG_RESPONSE_BODY_LENGTH)
        return self._complete_as_answered()

    @_last_step
    def refuse(self, response_code: int, reason: str) -> list[Entry]:
        """Complete the record of a request that Django answered itself, in place of the site."""
        self.record.response_code = response_code
        return self._complete(Event.FINISHED, RequestLogState.of_response_code(response_code), reason)

    @_step
    def start_stream(self, response: HttpResponseBase) -> list[Entry]:
        """Note the head of a response whose body is yet to be made."""
        self.response_head = messages.ResponseHead.of(response)
        self._note_response(response)
        return []

    @_last_step
    def end_stream(self, beginning: Beginning, ending: Ending, error: BaseException | None) -> list[Entry]:
        """Complete the record of a request whose response was streaming; only the first ending counts."""
        head = self.response_head
        if head is None or self.record.stop is not None:
            return []
        self.record.response_body = head.body_of(beginning)
        # A server may close the answer to a HEAD request, which has no content, without asking for any.
        if ending is Ending.ABANDONED and self.record.method != "HEAD":
            return self._complete(Event.FINISHED, RequestLogState.ABORTED, _CLIENT_LEFT_EARLY)
        if ending is Ending.FAILED and error is not None:
            return self._complete(Event.ERROR, None, self._traceback_of(error))
        return self._complete_as_answered()

    @_last_step
    def settle(self) -> list[Entry]:
        """Complete the record of a request that is over although nothing else completed it."""
        if self.record.version == 0 or self.record.stop is not None:
            return []
        if self.error_message is not None:
            self.record.response_code = 500
            return self._complete(Event.ERROR, None, self.error_message)
        return self._complete(Event.FINISHED, RequestLogState.of_response_code(self.record.response_code), _REPLACED)

    @_step
    def note_exception(self) -> list[Entry]:
        """Keep the traceback of the exception for which Django answers 500 (signal got_request_exception).

        A middleware around the log's may raise one after the response was recorded: the client gets the 500.
        """
        error = sys.exception()
        if error is None:
            return []
        self.error_message = self._traceback_of(error)
        if self.record.stop is None:
            return []
        self.record.response_code = 500
        return complete(self.record, Event.ERROR, error_message=self.error_message)

    def needs_session(self) -> bool:
        """Tell whether the session has to be read to know who asked."""
        try:
            return (
                self.record.is_recorded and client.has_unread_session(self.request) and not session_reading.is_paused()
            )
        except Exception:
            log_fault("It could not be told whether a session has to be read; the site goes on.")
            return False

    def read_session(self) -> None:
        """Find out who asked; whatever fails, the site goes on."""
        self.record.user_id = session_reading.user_id(self.request)

    async def aread_session(self) -> None:
        """Do as `read_session`, without blocking the event loop, nor waiting for long."""
        self.record.user_id = await session_reading.auser_id(self.request)

    def _traceback_of(self, error: BaseException) -> str:
        path = SplitResult("", "", self.record.path, "", "")
        # What a view says of a body that it read can be any part of it.
        instead = settings.SENSITIVE_DATA_REPLACEMENT if self._hides_what_was_read() else None
        traceback = traceback_of(error, instead_of_texts=instead)
        return without_quoted(traceback, path, self.record.request_headers)

    def _hides_what_was_read(self) -> bool:
        if self._request is not None:
            was_watched = self.watched_body is not None and self.watched_body.was_read
            body = vars(self._request).get("_body")
            was_read = was_watched or (self._had_been_read if body is None else bool(body))
            self._has_hidden = was_read and self.hides_request_body
        return self._has_hidden

    def _heed(self, view: Callable[..., Any]) -> None:
        """Do as the decorators of a view say."""
        request, record = self.request, self.record
        record.is_recorded = record.is_recorded and not is_marked(view, request, LOG_EXEMPT)
        self.hides_request_body = self.hides_request_body or is_marked(view, request, HIDE_REQUEST_BODY)

    def _note_response(self, response: HttpResponseBase) -> None:
        record = self.record
        record.response_code = messages.code_of(response)
        if record.is_recorded:
            record.response_headers = messages.response_headers_of(response)

    def _complete_as_answered(self) -> list[Entry]:
        if self.watched_body is not None and self.watched_body.was_cut_off:
            return self._complete(Event.FINISHED, RequestLogState.ABORTED, self.error_message or _CLIENT_LEFT)
        if self.error_message is not None:
            return self._complete(Event.ERROR, None, self.error_message)
        if self.refusal is not None:
            return self._complete(Event.FINISHED, RequestLogState.THROTTLED, self.refusal)
        return self._complete(Event.FINISHED, RequestLogState.of_response_code(self.record.response_code))

    def _complete(self, event: Event, state: IntEnum | None, error_message: str | None = None) -> list[Entry]:
        record, request = self.record, self.request
        entries: list[Entry] = []
        if record.version == 0 and record.is_recorded:
            # A middleware answered before the view was reached; what the view's decorators say holds all the same.
            match = match_of(request, record.response_code)
            if match is not None:
                self._heed(match.func)
            record.view_slug = name_of(match)
            entries = begin(record)
        if not record.is_recorded:
            self._let_go()
            return []
        if not self.hides_request_body:
            watched = self.watched_body.beginning if self.watched_body is not None else Beginning(0)
            record.request_body = messages.request_body_of(request, watched, settings.LOG_REQUEST_BODY_LENGTH)
        record.user_id = client.loaded_user_id(request) or record.user_id
        entries += complete(record, event, state=state, error_message=error_message)
        self._let_go()
        return entries

    def _let_go(self) -> None:
        """Undo the circle of the request and its exchange: it would keep all that the client sent for a while."""
        # An error can still come, from a middleware around the log's.
        self._hides_what_was_read()
        vars(self.request).pop("close", None)
        self._request = self.watched_body = None


def exchange_of(request: HttpRequest) -> Exchange | None:
    """Give the exchange that the middleware began for a request."""
    exchange: Exchange | None = vars(request).get("_security_exchange")
    return exchange


def _no_exchange() -> None:
    return None


class Closing:
    """The method `close` of a request, which Django calls when the response that was sent is closed.

    A middleware around the log's may have sent another response, and let go of the one that was to be recorded.
    """

    def __init__(self, exchange: Exchange, close: Callable[[], None]) -> None:
        self._exchange = exchange
        self._close = close

    def __call__(self) -> None:
        deliver(self._exchange.settle())
        self._close()

    def __reduce__(self) -> tuple[Any, ...]:
        return (_closing_of_none, ())


def _closing_of_none() -> Callable[[], None]:
    return _no_exchange


def _note_request_exception(request: HttpRequest | None = None, **kwargs: Any) -> None:
    exchange = None if request is None else exchange_of(request)
    if exchange is not None:
        # Django is about to answer. What cannot be written is counted, and raised elsewhere where the site wants it.
        with suppress(Exception):
            deliver(exchange.note_exception())


got_request_exception.connect(_note_request_exception, dispatch_uid="security.input_requests")
