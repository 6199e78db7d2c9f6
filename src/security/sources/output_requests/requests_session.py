"""A session of `requests` that records what it sends: each redirect and each retry by itself.

It observes at the adapters, which is where a request leaves the library, and where what the site mounted is.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, cast

from django.db.models import Model

try:
    import requests
    from urllib3.util.retry import Retry
except ImportError as error:
    raise ImportError(
        'security.requests needs the library requests: pip install "django-security-logger[requests]"'
    ) from error

from security.delivery import deliver
from security.faults import log_fault
from security.records import Entry
from security.references import ObjectReference

from .calls import Call, Calling, current_call
from .exchange import Headers, OutputExchange
from .requests_bodies import watch_response_body, watched_request_body

_attempt: Final[ContextVar[_Attempt | None]] = ContextVar("security_requests_attempt", default=None)


class Session(Calling, requests.Session):
    """A session whose calls take a `slug` and `related_objects` more (published section "Output requests").

    What is given to the session itself holds for all its calls that do not say otherwise.
    """

    def __init__(self, *, slug: str | None = None, related_objects: Iterable[Model] | None = None) -> None:
        super().__init__()
        self._tell(slug, related_objects)

    @classmethod
    def recording(
        cls,
        session: requests.Session | None,
        *,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
    ) -> Session:
        """Give a session that shares all that `session` has; one that records already is itself if nothing is said."""
        references = ObjectReference.to_all(related_objects)
        if isinstance(session, cls) and slug is None and not references:
            return session
        recording = cls(slug=slug)
        for name in session.__attrs__ if session is not None else ():
            setattr(recording, name, getattr(session, name))
        if isinstance(session, cls):
            recording.slug = slug if slug is not None else session.slug
            references = references or session.references
        recording.references = references
        return recording

    def request(
        self,
        method: str | bytes,
        url: str | bytes,
        *args: Any,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a request as `requests` does; raises `ValueError` for a related object that is not saved."""
        with self._calling(slug, related_objects, is_new=True) as call:
            try:
                return super().request(method, url, *args, **kwargs)
            except Exception as error:
                # The library takes them as the third argument behind the address as well.
                deliver(call.failure(method, url, error, self.headers, kwargs.get("headers"), *args[2:3]))
                raise

    def send(
        self,
        request: requests.PreparedRequest,
        *,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
        **kwargs: Any,
    ) -> requests.Response:
        """Send a prepared request as `requests` does; raises `ValueError` for a related object that is not saved."""
        with self._calling(slug, related_objects):
            return super().send(request, **kwargs)

    def get_adapter(self, url: str) -> Any:
        adapter = super().get_adapter(url)
        call = current_call(self)
        return adapter if call is None else _RecordingAdapter(adapter, call)


class _RecordingAdapter:
    """An adapter, behaving as it does, whose requests are recorded."""

    def __init__(self, adapter: Any, call: Call) -> None:
        self._adapter = adapter
        self._call = call

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        attempt = _Attempt(self._call, request)
        if not attempt.begin():
            return self._adapter.send(request, *args, **kwargs)
        _watch_retries(self._adapter)
        token = _attempt.set(attempt)
        try:
            response = self._adapter.send(request, *args, **kwargs)
        except BaseException as error:
            deliver(attempt.exchange.fail(error))
            raise
        finally:
            _attempt.reset(token)
            attempt.restore()
        attempt.exchange.answered(response.status_code, _headers_of(response.headers, getattr(response, "raw", None)))
        watch_response_body(response, attempt.exchange)
        if getattr(response, "connection", None) is self._adapter:
            # Authentication sends its second request by way of it.
            response.connection = self
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._adapter, name)


class _Attempt:
    """A request on its way through an adapter, which may try more than once."""

    def __init__(self, call: Call, request: Any) -> None:
        self._call = call
        self._request = request
        self._body = request.body
        self._added: dict[str, str] = {}
        self.exchange: OutputExchange

    def retry(self, response: Any, error: BaseException | None) -> None:
        """Complete the record of a try that failed, and begin that of the next one."""
        self.note_answer(response)
        if response is not None:
            deliver(self.exchange.finish())
        elif error is not None:
            deliver(self.exchange.fail(error))
        self.restore()
        self.begin()

    def note_answer(self, response: Any) -> None:
        """Note the head of a response that the library does not hand on."""
        if response is not None:
            self.exchange.answered(response.status, _headers_of(response.headers, response))

    def restore(self) -> None:
        """Give the request back as it was."""
        self._request.body = self._body
        for name in self._added:
            self._request.headers.pop(name, None)
        self._added = {}

    def begin(self) -> bool:
        """Begin the record of a try; where that fails, the request is sent as it was, and False is given."""
        try:
            entries = self._prepare()
        except Exception:
            log_fault("An output request could not be recorded; it is sent.")
            self.restore()
            return False
        deliver(entries)
        return True

    def _prepare(self) -> list[Entry]:
        request = self._request
        exchange = self._call.new_exchange()
        body = watched_request_body(request.body, exchange.request_body)
        entries = exchange.send(request.method or "", request.url or "", request.headers)
        request.body = body
        for name, value in exchange.trace_headers().items():
            if name not in request.headers:
                request.headers[name] = value
                self._added[name] = value
        self.exchange = exchange
        return entries


def _watch_retries(adapter: Any) -> None:
    """Have the retries of an adapter tell of each try."""
    retries = getattr(adapter, "max_retries", None)
    if isinstance(retries, Retry) and not isinstance(retries, _WatchedRetry):
        retries.__class__ = _watched_class(cast(Any, type(retries)))


class _WatchedRetry(Retry):
    """Tells of each try that is followed by another one."""

    def __reduce__(self) -> tuple[Any, ...]:
        # A copy, or one that was pickled, is of the class that the site knows.
        return (_unwatched, (type(self).__mro__[2], dict(vars(self))))

    def increment(
        self,
        method: Any = None,
        url: Any = None,
        response: Any = None,
        error: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        attempt = _attempt.get()
        try:
            following = super().increment(method, url, response, error, *args, **kwargs)
        except Exception:
            if attempt is not None:
                attempt.note_answer(response)
            raise
        if attempt is not None:
            attempt.retry(response, error)
        return following


@lru_cache(maxsize=64)
def _watched_class(retry_class: Any) -> type[Any]:
    return type(retry_class.__name__, (_WatchedRetry, retry_class), {"__module__": retry_class.__module__})


def _unwatched(retry_class: type[Retry], values: dict[str, Any]) -> Retry:
    retries = retry_class.__new__(retry_class)
    vars(retries).update(values)
    return retries


def _headers_of(headers: Any, raw: Any) -> Headers:
    """Give the headers of a response, its cookies one by one: the library joins them with commas."""
    values: dict[str, str | list[str]] = dict(headers)
    get_list = getattr(getattr(raw, "headers", None), "getlist", None)
    cookies = [] if get_list is None else get_list("Set-Cookie")
    if cookies:
        name = next((name for name in values if name.lower() == "set-cookie"), "Set-Cookie")
        values[name] = list(cookies)
    return values
