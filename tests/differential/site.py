"""The site under comparison: a request says which steps its view takes, and how it answers.

`/sync/?do=body,POST&answer=json` reads the body and then the form, and answers JSON with what came of each.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth import authenticate, login, logout
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.core.files.uploadhandler import FileUploadHandler, StopUpload
from django.db import transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase, HttpResponseRedirect
from django.template import engines
from django.template.response import TemplateResponse
from django.urls import path, re_path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.gzip import gzip_page
from django.views.decorators.vary import vary_on_headers

from tests.differential.both_ways import BothWays
from tests.differential.notebook import note, outcome


class Quota(FileUploadHandler):
    """An upload handler of the site's own, that watches and stops at 100 bytes."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        note("upload handler received", len(raw_data))
        if start + len(raw_data) > 100:
            raise StopUpload(connection_reset=False)
        return raw_data

    def file_complete(self, file_size: int) -> None:
        note("upload handler completed", file_size)


def logged_in(request: HttpRequest) -> str:
    user = authenticate(request, username="ann", password="correct horse")
    login(request, user)
    return str(request.user)


def wrote_and_rolled_back(request: HttpRequest) -> None:
    with transaction.atomic():
        Group.objects.create(name="rolled back")
        raise ValueError("roll back")


def set_upload_handlers(request: HttpRequest) -> None:
    request.upload_handlers = [Quota(request), *request.upload_handlers]


def set_encoding(request: HttpRequest) -> None:
    request.encoding = "latin-1"


def set_session(request: HttpRequest) -> None:
    request.session["seen"] = True


# Each step is what a view may do with a request; its outcome is part of the answer.
STEPS: dict[str, Callable[[Any], Any]] = {
    "body": lambda request: request.body,
    "body-twice": lambda request: request.body == request.body,
    "POST": lambda request: request.POST,
    "FILES": lambda request: request.FILES,
    "file": lambda request: next(iter(request.FILES.values())).read(),
    "read": lambda request: request.read(),
    "read-7": lambda request: request.read(7),
    "readline": lambda request: request.readline(),
    "readlines": lambda request: request.readlines(),
    "lines": lambda request: list(request),
    "wrap": lambda request: io.BufferedReader(request).read() if hasattr(request, "readinto") else "no raw stream",
    "stream": lambda request: request._stream.read(5),
    "GET": lambda request: request.GET,
    "COOKIES": lambda request: request.COOKIES,
    "headers": lambda request: dict(request.headers),
    "META": lambda request: {name: value for name, value in request.META.items() if isinstance(value, str)},
    "host": lambda request: request.get_host(),
    "port": lambda request: request.get_port(),
    "scheme": lambda request: request.scheme,
    "uri": lambda request: request.build_absolute_uri(),
    "full-path": lambda request: request.get_full_path(),
    "accepts": lambda request: request.accepts("application/json"),
    "match": lambda request: repr(request.resolver_match),
    "method": lambda request: request.method,
    "content-type": lambda request: (request.content_type, request.content_params),
    "encoding": set_encoding,
    "upload-handlers": set_upload_handlers,
    "lazy-user": lambda request: "_cached_user" in vars(request),
    "user": lambda request: request.user,
    "session": lambda request: request.session.get("seen"),
    "session-state": lambda request: (request.session.accessed, request.session.modified),
    "set-session": set_session,
    "flush-session": lambda request: request.session.flush(),
    "login": logged_in,
    "logout": logout,
    "write": lambda request: Group.objects.create(name="written").name,
    "write-and-roll-back": wrote_and_rolled_back,
    "copy": lambda request: type(__import__("copy").copy(request)).__name__,
    "pickle": lambda request: type(__import__("pickle").dumps(request.META["PATH_INFO"])).__name__,
    "late-headers": lambda request: (request.META.update(HTTP_X_LATE="late"), request.headers.get("X-Late")),
    "late-cookie": lambda request: (request.META.update(HTTP_COOKIE="late=1"), request.COOKIES),
    "late-query": lambda request: (request.META.update(QUERY_STRING="late=1"), request.GET),
}
RAISED: dict[str, BaseException] = {
    "value-error": ValueError("a fault of the site"),
    "404": Http404("nothing here"),
    "403": PermissionDenied("not you"),
    "suspicious": SuspiciousOperation("odd"),
    "exit": SystemExit(3),
}


def chunks() -> Iterator[bytes]:
    try:
        for number in range(3):
            note("the site makes a chunk", number)
            yield f"chunk {number},".encode()
    finally:
        note("the site's stream is closed")


async def chunks_async() -> AsyncIterator[bytes]:
    try:
        for number in range(3):
            note("the site makes a chunk", number)
            await asyncio.sleep(0)
            yield f"chunk {number},".encode()
    finally:
        note("the site's stream is closed")


def broken_chunks() -> Iterator[bytes]:
    yield b"chunk 0,"
    raise ValueError("the stream breaks")


async def broken_chunks_async() -> AsyncIterator[bytes]:
    yield b"chunk 0,"
    raise ValueError("the stream breaks")


def with_cookies(outcomes: Any) -> HttpResponse:
    response = JsonResponse(outcomes, safe=False)
    response.set_cookie("a", "1", httponly=True, samesite="Lax")
    response.set_cookie("b", "2")
    response.delete_cookie("c")
    return response


def with_headers(outcomes: Any) -> HttpResponse:
    return HttpResponse(b"\xff\x00", status=299, reason="Odd", headers={"X-Own": "1", "Vary": "Accept"})


def template(request: HttpRequest, outcomes: Any) -> TemplateResponse:
    page = engines["django"].from_string("{{ outcomes }} of {{ request.method }}")
    response = TemplateResponse(request, page, {"outcomes": outcomes})
    response.add_post_render_callback(lambda rendered: note("rendered", rendered.content))
    return response


def file(outcomes: Any) -> FileResponse:
    return FileResponse(io.BytesIO(b"a file of the site"), filename="site.txt", as_attachment=True)


ANSWERS: dict[str, Callable[[Any, Any], HttpResponseBase]] = {
    "json": lambda request, outcomes: JsonResponse(outcomes, safe=False, json_dumps_params={"default": repr}),
    "text": lambda request, outcomes: HttpResponse(repr(outcomes), content_type="text/plain; charset=latin-1"),
    "iterator": lambda request, outcomes: HttpResponse(iter([b"one", "two"])),
    "empty": lambda request, outcomes: HttpResponse(status=204),
    "not-modified": lambda request, outcomes: HttpResponse(status=304),
    "redirect": lambda request, outcomes: HttpResponseRedirect("/elsewhere/?token=1"),
    "error": lambda request, outcomes: HttpResponse("broken", status=503),
    "cookies": lambda request, outcomes: with_cookies(outcomes),
    "headers": lambda request, outcomes: with_headers(outcomes),
    "template": template,
    "stream": lambda request, outcomes: StreamingHttpResponse(chunks()),
    "stream-async": lambda request, outcomes: StreamingHttpResponse(chunks_async()),
    "stream-broken": lambda request, outcomes: StreamingHttpResponse(broken_chunks()),
    "stream-broken-async": lambda request, outcomes: StreamingHttpResponse(broken_chunks_async()),
    "stream-list": lambda request, outcomes: StreamingHttpResponse(["one", b"two"], headers={"X-Own": "1"}),
    "file": lambda request, outcomes: file(outcomes),
    "own-file": lambda request, outcomes: FileResponse(Path(__file__).with_name("__init__.py").open("rb")),
    "none": lambda request, outcomes: None,  # type: ignore[return-value]
    "exception-response": lambda request, outcomes: HttpResponse("x", status=418, charset="utf-16"),
}


def steps_of(request: HttpRequest) -> list[str]:
    # Not request.GET: a view that never looks at it must find it untouched.
    query = dict(pair.split("=", 1) for pair in request.META["QUERY_STRING"].split("&") if "=" in pair)
    return [step for step in query.get("do", "").split(",") if step]


def answer_of(request: HttpRequest, outcomes: Any) -> HttpResponseBase:
    query = dict(pair.split("=", 1) for pair in request.META["QUERY_STRING"].split("&") if "=" in pair)
    if "raise" in query:
        raise RAISED[query["raise"]]
    response = ANSWERS[query.get("answer", "text")](request, outcomes)
    note("view answers", type(response).__name__)
    return response


def take_steps(request: HttpRequest) -> list[Any]:
    outcomes = []
    for step in steps_of(request):
        outcomes.append((step, outcome(lambda step=step: STEPS[step](request))))  # type: ignore[misc]
        note(f"step {step}", outcomes[-1][1])
    return outcomes


@csrf_exempt
def sync_view(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    return answer_of(request, take_steps(request))


@csrf_exempt
async def async_view(request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
    outcomes = []
    for step in steps_of(request):
        if step == "auser":
            value = str(await request.auser())
        else:
            value = await sync_to_async(outcome)(lambda step=step: STEPS[step](request))  # type: ignore[misc]
        outcomes.append((step, value))
        note(f"step {step}", value)
    return answer_of(request, outcomes)


@method_decorator(csrf_exempt, name="dispatch")
class ClassView(View):
    def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return answer_of(request, take_steps(request))

    post = put = get


@method_decorator(csrf_exempt, name="dispatch")
class AsyncClassView(View):
    async def get(self, request: HttpRequest, **kwargs: Any) -> HttpResponseBase:
        return await async_view(request)

    post = put = get


class Reread(BothWays):
    """A middleware of the site's own before the logger: it reads the body first."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        note("a middleware read", len(request.body))
        return super().__call__(request)


class AnswersItself(BothWays):
    """A middleware of the site's own behind the logger, that answers before any view."""

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        response = HttpResponse("closed for repairs", status=503)
        if not self.is_async:
            return response

        async def answer() -> HttpResponseBase:
            return response

        return answer()


class HandlesExceptions(BothWays):
    """A middleware of the site's own that turns an exception into an answer."""

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse:
        note("process_exception", repr(exception))
        return HttpResponse("handled", status=400)


class SyncOnly:
    """A middleware of the site's own that Django has to run in a thread under ASGI."""

    sync_capable, async_capable = True, False

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(request)
        response["X-Sync-Only"] = "1"
        return response

    def process_template_response(self, request: HttpRequest, response: Any) -> Any:
        note("process_template_response", response.is_rendered)
        return response


urlpatterns = [
    path("sync/", sync_view, name="sync"),
    path("async/", async_view, name="async"),
    path("class/", ClassView.as_view(), name="class"),
    path("async-class/", AsyncClassView.as_view(), name="async-class"),
    re_path(r"^(?P<number>[0-9]+)/(?P<rest>.*)$", sync_view, name="arguments"),
    path("csrf/", csrf_protect(sync_view), name="csrf"),
    path("gzip/", gzip_page(sync_view), name="gzip"),
    path("vary/", vary_on_headers("X-Own")(sync_view), name="vary"),
    path("never-cache/", never_cache(sync_view), name="never-cache"),
    path("not-atomic/", transaction.non_atomic_requests(sync_view), name="not-atomic"),
]
