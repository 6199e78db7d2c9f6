"""Marks that decorators put on views, and how they are found again.

A decorator marks, and marks are read before the view runs, as the row of a request is written by then. A mark counts
wherever a reader of the site's code would expect it to: on the function, on the class of a view, and on the method that
answers. One that is hidden from there, by a decorator without `functools.wraps`, comes to light only when it is called.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache, partial, wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast, overload

from django.http import HttpRequest

from security.faults import log_fault

V = TypeVar("V", bound=Callable[..., Any])
C = TypeVar("C", bound=type)

logger = logging.getLogger("security")


class ViewMark:
    """A decorator of a view function that marks a copy of it; works bare and called with `()`."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def value(self, view: Any) -> Any:
        """Give the value of the mark on a view."""
        return True

    @overload
    def __call__(self, view: None = None) -> ViewMark: ...
    @overload
    def __call__(self, view: V) -> V: ...
    def __call__(self, view: V | None = None) -> ViewMark | V:
        if view is None:
            return self
        if isinstance(view, type):
            raise TypeError(f"{view.__name__} is a class: decorate it with the decorator whose name ends in _all.")
        if not callable(view):
            raise TypeError(f"{view!r} is no view: the decorator takes a function, or nothing at all.")
        # As with Django's csrf_exempt, the undecorated view stays as it is wherever else it is used.
        if iscoroutinefunction(view):

            async def marked_async(*args: Any, **kwargs: Any) -> Any:
                self._reach(view, args)
                return await view(*args, **kwargs)

            return self._named_as(view, marked_async)

        def marked(*args: Any, **kwargs: Any) -> Any:
            self._reach(view, args)
            return view(*args, **kwargs)

        return self._named_as(view, marked)

    def found_late(self, view: Callable[..., Any], request: HttpRequest) -> None:
        """Do what can still be done once the view of a request turned out to be marked as it was called."""
        _warn(self.mark.removeprefix("_security_"), f"{view.__module__}.{getattr(view, '__qualname__', view)}")

    def _reach(self, view: Callable[..., Any], args: Sequence[Any]) -> None:
        try:
            request = _request_in(args)
            match = None if request is None else request.resolver_match
            is_logged = request is not None and vars(request).get("_security_exchange") is not None
            if request is not None and is_logged and match is not None and not marks_of(match.func, request, self.mark):
                self.found_late(view, request)
        except Exception:
            log_fault("A decorator of the logger failed; the view goes on.")

    def _named_as(self, view: V, marked: Callable[..., Any]) -> V:
        wrapped = wraps(view)(marked)
        setattr(wrapped, self.mark, self.value(view))
        return cast("V", wrapped)


class ViewClassMark:
    """A decorator of a view class, which marks it and its subclasses; works bare and called with `()`."""

    def __init__(self, mark: str) -> None:
        self.mark = mark

    def value(self, view_class: type) -> Any:
        """Give the value of the mark on a class."""
        return True

    @overload
    def __call__(self, view_class: None = None) -> ViewClassMark: ...
    @overload
    def __call__(self, view_class: C) -> C: ...
    def __call__(self, view_class: C | None = None) -> ViewClassMark | C:
        if view_class is None:
            return self
        if not isinstance(view_class, type):
            raise TypeError(
                f"{getattr(view_class, '__qualname__', view_class)} is no class: write the decorator whose name has no"
                " _all, or put this one above the class."
            )
        setattr(view_class, self.mark, self.value(view_class))
        return view_class


def marks_of(view: Callable[..., Any], request: HttpRequest, mark: str) -> list[Any]:
    """Give the values of a mark on a view, on its class, and on the method of the class that answers `request`."""
    while isinstance(view, partial):
        view = view.func
    places: list[Any] = [view, type(view).__call__]
    # Django's class-based views, and those of Django REST framework
    view_class = getattr(view, "view_class", None) or getattr(view, "cls", None)
    if view_class is not None:
        actions = getattr(view, "actions", None) or {}
        method = (request.method or "").lower()
        if method == "head" and not hasattr(view_class, "head"):
            method = "get"
        places += [view_class, getattr(view_class, str(actions.get(method, method)), None)]
    return [value for place in places if (value := getattr(place, mark, None)) is not None]


def is_marked(view: Callable[..., Any], request: HttpRequest, mark: str) -> bool:
    """Tell whether a mark is on a view, on its class, or on the method that answers."""
    return any(marks_of(view, request, mark))


def _request_in(args: Sequence[Any]) -> HttpRequest | None:
    """Find the request among the arguments of a view or of a method, one of Django REST framework's included."""
    requests = (getattr(arg, "_request", arg) for arg in args[:2])
    return next((request for request in requests if isinstance(request, HttpRequest)), None)


@lru_cache(maxsize=256)
def _warn(decorator: str, view: str) -> None:
    logger.warning(
        "The decorator %s of %s was found only when the view was called, and does nothing then: write it above all"
        " other decorators, on the view that the address leads to.",
        decorator,
        view,
    )
