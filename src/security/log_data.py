"""`log_with_data`: data for what is logged in a block or a function (published section "Decorators")."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from functools import partial, wraps
from inspect import isasyncgenfunction, iscoroutinefunction, isgeneratorfunction
from typing import Any, ParamSpec, TypeVar, cast, overload

from django.db.models import Model

from security.context import Scope, enter, inside, leave
from security.delivery import aflush, flush
from security.references import ObjectReference

P = ParamSpec("P")
R = TypeVar("R")


class LogWithData:
    """A context manager, sync and async, and a decorator; it can be used again, also while it is open."""

    def __init__(
        self,
        *,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
        output_requests_related_objects: Iterable[Model] | None = None,
        extra_data: Mapping[str, Any] | None = None,
    ) -> None:
        self._slug = slug
        self._related_objects = ObjectReference.to_all(related_objects)
        self._output_requests_related_objects = ObjectReference.to_all(output_requests_related_objects)
        self._extra_data = dict(extra_data or {})

    def __enter__(self) -> None:
        enter(self._scope())

    def __exit__(self, *exception: object) -> None:
        scope = leave(self)
        if scope is not None:
            flush(scope)

    async def __aenter__(self) -> None:
        enter(self._scope())

    async def __aexit__(self, *exception: object) -> None:
        scope = leave(self)
        if scope is not None:
            await aflush(scope)

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Decorate a function, a generator function, or a coroutine function or asynchronous generator function."""
        if isinstance(function, type):
            raise TypeError(f"A class has no scope: decorate the methods of {function.__name__} that are to have one.")
        if isasyncgenfunction(function):
            wrapper: Any = self._around_async_generator(function)
        elif iscoroutinefunction(function):
            wrapper = self._around_coroutine(function)
        elif isgeneratorfunction(function):
            wrapper = self._around_generator(function)
        else:
            wrapper = self._around_function(function)
        return cast("Callable[P, R]", wrapper)

    def _scope(self) -> Scope:
        return Scope(
            slug=self._slug,
            related_objects=self._related_objects,
            output_requests_related_objects=self._output_requests_related_objects,
            extra_data=self._extra_data,
            owner=self,
        )

    def _around_function(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return scoped

    def _around_coroutine(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def scoped(*args: Any, **kwargs: Any) -> Any:
            async with self:
                return await function(*args, **kwargs)

        return scoped

    def _around_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
            scope = self._scope()
            try:
                return (yield from _ScopedGenerator(function(*args, **kwargs), scope))
            finally:
                flush(scope)

        return scoped

    def _around_async_generator(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        async def scoped(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
            scope = self._scope()
            generator = function(*args, **kwargs)
            step = partial(generator.asend, None)
            try:
                while True:
                    try:
                        with inside(scope):
                            item = await step()
                    except StopAsyncIteration:
                        return
                    try:
                        step = partial(generator.asend, (yield item))
                    except GeneratorExit:
                        raise
                    except BaseException as error:
                        step = partial(generator.athrow, error)
            finally:
                with inside(scope):
                    await generator.aclose()
                await aflush(scope)

        return scoped


class _ScopedGenerator(Generator[Any, Any, Any]):
    """A generator whose steps run in a scope, and what happens between them does not."""

    def __init__(self, generator: Generator[Any, Any, Any], scope: Scope) -> None:
        self._generator = generator
        self._scope = scope

    def send(self, value: Any) -> Any:
        with inside(self._scope):
            return self._generator.send(value)

    def throw(self, *exception: Any) -> Any:
        with inside(self._scope):
            return self._generator.throw(*exception)

    def close(self) -> None:
        with inside(self._scope):
            self._generator.close()


@overload
def log_with_data(
    related_objects: Iterable[Model] | None = None,
    slug: str | None = None,
    extra_data: Mapping[str, Any] | None = None,
    output_requests_related_objects: Iterable[Model] | None = None,
) -> LogWithData: ...
@overload
def log_with_data(related_objects: Callable[P, R]) -> Callable[P, R]: ...
def log_with_data(
    related_objects: Any = None,
    slug: str | None = None,
    extra_data: Mapping[str, Any] | None = None,
    output_requests_related_objects: Iterable[Model] | None = None,
) -> Any:
    """Give data to all that is logged in a block or a function, and keep its logs when a transaction is rolled back.

    `related_objects` are related to every record that begins inside, `output_requests_related_objects` to those of
    output requests. What a record says itself goes before the scope's `slug` and `extra_data`, and an inner scope goes
    before an outer one. What is logged inside transactions is stored when the outermost scope ends.

    Raises `ValueError` for a related object that is not saved, and `TypeError` for what is no model instance.
    """
    function = related_objects if callable(related_objects) else None
    scope = LogWithData(
        slug=slug,
        related_objects=None if function is not None else related_objects,
        output_requests_related_objects=output_requests_related_objects,
        extra_data=extra_data,
    )
    return scope if function is None else scope(function)
