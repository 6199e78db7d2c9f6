"""Marks that decorators put on views, and how they are found again.

A decorator marks; nothing is decided while the view runs, as the row of a request is written before it does. A mark
counts wherever a reader of the site's code would expect it to: on the function, on the class of a view, and on the
method that answers.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, TypeVar, cast, overload

from django.http import HttpRequest

V = TypeVar("V", bound=Callable[..., Any])
C = TypeVar("C", bound=type)


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
        # As with Django's csrf_exempt, the undecorated view stays as it is wherever else it is used.
        if iscoroutinefunction(view):

            async def marked_async(*args: Any, **kwargs: Any) -> Any:
                return await view(*args, **kwargs)

            return self._named_as(view, marked_async)

        def marked(*args: Any, **kwargs: Any) -> Any:
            return view(*args, **kwargs)

        return self._named_as(view, marked)

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
            raise TypeError(f"{view_class!r} is no class: decorate it with the decorator whose name has no _all.")
        setattr(view_class, self.mark, self.value(view_class))
        return view_class


def marks_of(view: Callable[..., Any], request: HttpRequest, mark: str) -> list[Any]:
    """Give the values of a mark on a view, on its class, and on the method of the class that answers `request`."""
    places: list[Any] = [view]
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
