"""Clients of httpx that record what they send: each redirect and each step of an authentication by itself.

They observe at the transports, which is where a request leaves the library, and where what the site mounted is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, contextmanager
from typing import Any

from django.db.models import Model

try:
    import httpx
except ImportError as error:
    raise ImportError('security.httpx needs the library httpx: pip install "django-security-logger[httpx]"') from error

from security.delivery import adeliver, deliver
from security.faults import log_fault
from security.records import Entry

from .calls import Call, Calling, current_call
from .exchange import OutputExchange
from .httpx_streams import watch_response_stream, watched_request_stream

_Objects = Iterable[Model] | None


def _verb(name: str) -> Callable[..., Any]:
    """Make the method of a client that takes a `slug` and `related_objects` more."""

    def call(
        self: Client | AsyncClient,
        url: Any,
        *,
        slug: str | None = None,
        related_objects: _Objects = None,
        **kwargs: Any,
    ) -> Any:
        return self.request(name.upper(), url, slug=slug, related_objects=related_objects, **kwargs)

    call.__name__ = name
    call.__qualname__ = f"Client.{name}"
    call.__doc__ = f"Send a {name.upper()} request."
    return call


class _Verbs:
    get = _verb("get")
    options = _verb("options")
    head = _verb("head")
    post = _verb("post")
    put = _verb("put")
    patch = _verb("patch")
    delete = _verb("delete")


class Client(Calling, _Verbs, httpx.Client):
    """A client whose calls take a `slug` and `related_objects` more.

    What is given to the client itself holds for all its calls that do not say otherwise.
    """

    def __init__(self, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tell(slug, related_objects)

    def request(
        self, method: str, url: Any, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> httpx.Response:
        """Send a request as httpx does; raises `ValueError` for a related object that is not saved."""
        with self._calling(slug, related_objects, is_new=True) as call:
            try:
                return super().request(method, url, **kwargs)
            except Exception as error:
                deliver(call.failure(method, url, error))
                raise

    def send(
        self, request: httpx.Request, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> httpx.Response:
        with self._calling(slug, related_objects):
            return super().send(request, **kwargs)

    @contextmanager
    def stream(
        self, method: str, url: Any, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> Iterator[httpx.Response]:
        with ExitStack() as stack:
            with self._calling(slug, related_objects, is_new=True):
                response = stack.enter_context(super().stream(method, url, **kwargs))
            yield response

    def _transport_for_url(self, url: httpx.URL) -> httpx.BaseTransport:
        transport = super()._transport_for_url(url)
        call = current_call(self)
        return transport if call is None else _RecordingTransport(transport, call)


class AsyncClient(Calling, _Verbs, httpx.AsyncClient):
    """An asynchronous client whose calls take a `slug` and `related_objects` more.

    What is given to the client itself holds for all its calls that do not say otherwise.
    """

    def __init__(self, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._tell(slug, related_objects)

    async def request(
        self, method: str, url: Any, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> httpx.Response:
        """Send a request as httpx does; raises `ValueError` for a related object that is not saved."""
        with self._calling(slug, related_objects, is_new=True) as call:
            try:
                return await super().request(method, url, **kwargs)
            except Exception as error:
                await adeliver(call.failure(method, url, error))
                raise

    async def send(
        self, request: httpx.Request, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> httpx.Response:
        with self._calling(slug, related_objects):
            return await super().send(request, **kwargs)

    @asynccontextmanager
    async def stream(
        self, method: str, url: Any, *, slug: str | None = None, related_objects: _Objects = None, **kwargs: Any
    ) -> AsyncIterator[httpx.Response]:
        async with AsyncExitStack() as stack:
            with self._calling(slug, related_objects, is_new=True):
                response = await stack.enter_async_context(super().stream(method, url, **kwargs))
            yield response

    def _transport_for_url(self, url: httpx.URL) -> httpx.AsyncBaseTransport:
        transport = super()._transport_for_url(url)
        call = current_call(self)
        return transport if call is None else _RecordingAsyncTransport(transport, call)


class _Sending:
    """A request on its way through a transport."""

    def __init__(self, call: Call, request: httpx.Request) -> None:
        self._request = request
        self._stream = request.stream
        self._call = call
        self._added: list[str] = []
        self.exchange: OutputExchange | None = None

    def start(self) -> list[Entry]:
        """Begin the record; where that fails, the request is sent as it was, and nothing is recorded of it."""
        try:
            self.exchange = exchange = self._call.new_exchange()
            return self._prepare(exchange)
        except Exception:
            log_fault("An output request could not be recorded; it is sent.")
            self.restore()
            self.exchange = None
            return []

    def fail(self, error: BaseException) -> list[Entry]:
        return [] if self.exchange is None else self.exchange.fail(error)

    def _prepare(self, exchange: OutputExchange) -> list[Entry]:
        request = self._request
        request.stream = watched_request_stream(request, exchange.request_body)
        entries = exchange.send(request.method, str(request.url), request.headers)
        for name, value in exchange.trace_headers().items():
            if name not in request.headers:
                request.headers[name] = value
                self._added.append(name)
        return entries

    def restore(self) -> None:
        """Give the request back as it was."""
        self._request.stream = self._stream
        for name in self._added:
            del self._request.headers[name]
        self._added = []

    def answered(self, response: httpx.Response) -> list[Entry]:
        if self.exchange is None:
            return []
        headers: dict[str, str | list[str]] = dict(response.headers)
        cookies = response.headers.get_list("Set-Cookie")
        if cookies:
            headers["set-cookie"] = cookies
        self.exchange.answered(response.status_code, headers)
        return [] if watch_response_stream(response, self.exchange) else self.exchange.finish()


class _RecordingTransport(httpx.BaseTransport):
    def __init__(self, transport: httpx.BaseTransport, call: Call) -> None:
        self._transport = transport
        self._call = call

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        sending = _Sending(self._call, request)
        try:
            deliver(sending.start())
            response = self._transport.handle_request(request)
        except BaseException as error:
            deliver(sending.fail(error))
            raise
        finally:
            sending.restore()
        deliver(sending.answered(response))
        return response


class _RecordingAsyncTransport(httpx.AsyncBaseTransport):
    def __init__(self, transport: httpx.AsyncBaseTransport, call: Call) -> None:
        self._transport = transport
        self._call = call

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        sending = _Sending(self._call, request)
        try:
            await adeliver(sending.start())
            response = await self._transport.handle_async_request(request)
        except BaseException as error:
            await adeliver(sending.fail(error))
            raise
        finally:
            sending.restore()
        await adeliver(sending.answered(response))
        return response
