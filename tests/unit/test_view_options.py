"""The decorators of views mark what they are put on, and nothing else."""

from __future__ import annotations

from functools import partial
from inspect import iscoroutinefunction
from typing import Any

import pytest
from django.test import RequestFactory
from django.views import View

from security.decorators import hide_request_body, log_exempt, log_exempt_all
from security.sources.input_requests.view_options import HIDE_REQUEST_BODY, LOG_EXEMPT, is_marked
from tests.site import views

request = RequestFactory().get("/")


def test_the_undecorated_view_stays_as_it_is() -> None:
    decorated = log_exempt(views.home)
    assert is_marked(decorated, request, LOG_EXEMPT)
    assert not is_marked(views.home, request, LOG_EXEMPT)
    assert decorated.__name__ == "home"


def test_an_async_view_stays_async_and_a_sync_one_sync() -> None:
    assert iscoroutinefunction(log_exempt(views.home_async))
    assert not iscoroutinefunction(log_exempt(views.home))


def test_a_partial_can_be_decorated() -> None:
    assert is_marked(log_exempt(partial(views.order, number=1)), request, LOG_EXEMPT)


def test_the_mark_counts_inside_of_a_partial_and_on_the_method_call_of_an_object() -> None:
    class Page:
        @log_exempt
        def __call__(self, request: Any) -> None:
            pass

    assert is_marked(partial(partial(log_exempt(views.order)), number=1), request, LOG_EXEMPT)
    assert is_marked(Page(), request, LOG_EXEMPT)


def test_what_is_no_view_is_refused() -> None:
    for nothing in (True, "home", property(views.home)):
        with pytest.raises(TypeError, match="takes a function"):
            log_exempt(nothing)  # type: ignore[call-overload]


def test_the_mark_of_a_class_counts_for_its_subclasses_and_not_for_its_parents() -> None:
    assert is_marked(views.ExemptChild.as_view(), request, LOG_EXEMPT)
    assert is_marked(views.Hidden.as_view(), request, HIDE_REQUEST_BODY)
    assert not is_marked(views.Reads.as_view(), request, HIDE_REQUEST_BODY)


def test_the_mark_of_a_method_counts_for_that_method_only() -> None:
    view = views.HiddenMethod.as_view()
    assert is_marked(view, RequestFactory().post("/"), HIDE_REQUEST_BODY)
    assert not is_marked(view, request, HIDE_REQUEST_BODY)


def test_a_head_request_is_answered_by_get() -> None:
    class Page(View):
        @hide_request_body
        def get(self, request: Any) -> None:
            pass

    assert is_marked(Page.as_view(), RequestFactory().head("/"), HIDE_REQUEST_BODY)


def test_the_wrong_decorator_says_which_is_the_right_one() -> None:
    with pytest.raises(TypeError, match="ends in _all"):
        log_exempt(views.Reads)
    with pytest.raises(TypeError, match="has no _all"):
        log_exempt_all(views.home)  # type: ignore[call-overload]
