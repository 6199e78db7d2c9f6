"""One request that the site sends, and its response: what to record at each step.

The steps are the same for every client library. None of them raises: a fault of the logger is logged, and the site
goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import SplitResult, urlsplit

from security.body import Beginning, Body, capture_bound
from security.config import settings
from security.decoding import decoded_beginning
from security.enums import Event, RequestLogState
from security.faults import log_fault
from security.queries import parse_queries
from security.recording import begin, complete
from security.records import Entry, OutputRequestRecord, Record
from security.references import ObjectReference
from security.sources.quoted import without_quoted
from security.tracebacks import traceback_of

from .line import write_line

P = ParamSpec("P")
Headers = Mapping[str, str | list[str]]


def _step(
    step: Callable[Concatenate[OutputExchange, P], list[Entry]],
) -> Callable[Concatenate[OutputExchange, P], list[Entry]]:
    """Keep a fault of the logger from becoming the site's."""

    @wraps(step)
    def guarded(self: OutputExchange, *args: P.args, **kwargs: P.kwargs) -> list[Entry]:
        try:
            return step(self, *args, **kwargs)
        except Exception:
            log_fault("An output request could not be recorded in full; the site goes on.")
            return []

    return guarded  # type: ignore[return-value]  # its parameters have names


class OutputExchange:
    """What is known of a request that is sent, and of its response so far."""

    def __init__(
        self,
        *,
        slug: str | None = None,
        references: tuple[ObjectReference, ...] = (),
        parent: Record | None = None,
    ) -> None:
        self.record = OutputRequestRecord(slug=slug, related_objects=references)
        if parent is not None:
            self.record.parent_log = parent.reference
        self.request_body = Beginning(capture_bound(settings.LOG_REQUEST_BODY_LENGTH))
        self.response_body = Beginning(capture_bound(settings.LOG_RESPONSE_BODY_LENGTH))
        self._url = urlsplit("")
        # The encoding of the bytes that are seen of the response's body; none where the library unpacks them first.
        self.response_encoding = ""

    @property
    def has_ended(self) -> bool:
        return self.record.stop is not None

    @_step
    def send(self, method: str, url: str, headers: Mapping[str, Any]) -> list[Entry]:
        """Begin the record of a request that is about to be sent."""
        record = self.record
        self._url = parts = _split(url)
        record.method = method
        record.host = parts.netloc.rpartition("@")[2]
        record.path = parts.path or "/"
        record.queries = parse_queries(parts.query)
        record.is_secure = parts.scheme == "https"
        record.request_headers = {text_of(name): text_of(value) for name, value in headers.items()}
        self._note_request_body()
        return begin(record)

    def trace_headers(self) -> dict[str, str]:
        """Give the headers that pass the trace on (W3C Trace Context)."""
        record = self.record
        if record.traceparent is None or not settings.TRACE_CONTEXT:
            return {}
        state = {"tracestate": record.tracestate} if record.tracestate else {}
        return {"traceparent": record.traceparent, **state}

    @_step
    def answered(self, code: int, headers: Headers) -> list[Entry]:
        """Note the head of the response."""
        self.record.response_code = code
        self.record.response_headers = {text_of(name): _texts(value) for name, value in headers.items()}
        return []

    @_step
    def finish(self) -> list[Entry]:
        """Complete the record: the response was read, or the site wants no more of it. Only the first end counts."""
        if self.has_ended:
            return []
        self._note_bodies()
        state = RequestLogState.of_response_code(self.record.response_code or 0)
        return self._ended(complete(self.record, Event.FINISHED, state=state))

    @_step
    def fail(self, error: BaseException, *headers: object) -> list[Entry]:
        """Complete the record of a request that failed, or whose response broke off.

        `headers` are those that it would have had, where nothing was sent.
        """
        if self.has_ended:
            return []
        self._note_bodies()
        given = [some.items() for some in (*headers, self.record.request_headers) if isinstance(some, Mapping)]
        quoted = {text_of(name): text_of(value) for items in given for name, value in items}
        message = without_quoted(traceback_of(error), self._url, quoted)
        return self._ended(complete(self.record, Event.ERROR, error_message=message))

    def _ended(self, entries: list[Entry]) -> list[Entry]:
        for entry in entries:
            write_line(entry)
        return entries

    def _note_request_body(self) -> None:
        headers = {name.lower(): value for name, value in self.record.request_headers.items()}
        content = bytes(self.request_body)
        encoding = str(headers.get("content-encoding", ""))
        if encoding:
            content = decoded_beginning(content, encoding, capture_bound(settings.LOG_REQUEST_BODY_LENGTH)) or b""
        self.record.request_body = Body(content, str(headers.get("content-type", ""))) if content else ""

    def _note_bodies(self) -> None:
        self._note_request_body()
        headers = {name.lower(): value for name, value in self.record.response_headers.items()}
        bound = capture_bound(settings.LOG_RESPONSE_BODY_LENGTH)
        content = decoded_beginning(bytes(self.response_body), self.response_encoding, bound)
        self.record.response_body = Body(content, str(headers.get("content-type", ""))) if content else ""


def _split(url: str) -> SplitResult:
    with suppress(ValueError):
        parts = urlsplit(url)
        if parts.netloc or parts.path.startswith("/"):
            return parts
    # An address that is none is recorded as it is.
    return SplitResult("", "", url, "", "")


def text_of(value: object) -> str:
    """Give what a client library takes for a text, which may be bytes."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _texts(value: str | list[str]) -> str | list[str]:
    return [text_of(item) for item in value] if isinstance(value, list) else text_of(value)
