"""Views, and middleware around the log's, that go wrong in ways that could be taken for the logger's business."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path, register_converter
from django.views import View


class ForgottenSelf(View):
    """Python would look for a suggestion among the attributes, and find this property."""

    @property
    def order(self) -> Any:
        raise RuntimeError("no order yet")

    def get(self, request: HttpRequest) -> HttpResponse:
        return order  # type: ignore[name-defined,no-any-return]  # noqa: F821


class BrokenConverter:
    regex = "[a-z]+"

    def to_python(self, value: str) -> str:
        raise RuntimeError("no such converter")

    def to_url(self, value: str) -> str:
        return value


register_converter(BrokenConverter, "broken")


def odd_code(request: HttpRequest, code: str) -> HttpResponse:
    response = HttpResponse("odd")
    response.status_code = int(code)
    return response


def tagged_stream(request: HttpRequest) -> HttpResponseBase:
    return StreamingHttpResponse(["one,", "two"], content_type="text/csv", headers={"ETag": '"x"'})


class OneShotResponse(HttpResponseBase):
    """A response of a site's own, whose content can be had once."""

    streaming = False

    def __init__(self, chunks: Iterable[bytes], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._chunks = iter(chunks)

    def __iter__(self) -> Iterator[bytes]:
        return self._chunks


class OwnStream(OneShotResponse):
    """One that says of itself that it is streaming."""

    streaming = True


class CopiesRequest:
    """A middleware below the log's that hands on a copy of the request."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase = self.get_response(copy.copy(request))
        return response


class ForgetsToReturn:
    """A middleware below the log's that lacks the word `return`."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> None:
        self.get_response(request)


class FailsAfterwards:
    """A middleware around the log's whose fault makes a 500 of a good answer."""

    def __init__(self, get_response: Callable[[HttpRequest], Any]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        self.get_response(request)
        raise ValueError(f"after the answer to {request.headers.get('X-Api-Key')}")


urlpatterns = [
    path("forgotten/", ForgottenSelf.as_view()),
    path("converted/<broken:value>/", odd_code),
    path("code/<str:code>/", odd_code),
    path("tagged/", tagged_stream),
]
