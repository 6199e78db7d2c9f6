"""What is going on: the records and scopes that are open around the running code, innermost last.

They follow the code into coroutines, tasks and `sync_to_async` by themselves, as context variables do; into threads
that it starts, `bind` takes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, Token
from dataclasses import dataclass, field
from functools import wraps
from inspect import iscoroutinefunction
from typing import Any, Final, ParamSpec, TypeVar, cast

from security.records import Record
from security.references import ObjectReference

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(slots=True, kw_only=True, eq=False)
class Scope:
    """Data for the records that begin inside it, of which `log_with_data` opens one each time it is entered."""

    slug: str | None = None
    related_objects: tuple[ObjectReference, ...] = ()
    output_requests_related_objects: tuple[ObjectReference, ...] = ()
    extra_data: dict[str, Any] = field(default_factory=dict)
    owner: object = None
    """What opened the scope."""
    waiting: object = None
    """What delivery keeps back until the scope ends."""
    has_ended: bool = False


Frame = Record | Scope

_open: Final[ContextVar[tuple[Frame, ...]]] = ContextVar("security_open_frames", default=())

_bound: Final[ContextVar[bool]] = ContextVar("security_is_bound", default=False)


def is_bound() -> bool:
    """Tell whether this is a thread that the site started, with the records and scopes that `bind` brought there."""
    return _bound.get()


def parent_of(record: Record) -> Record | None:
    """Give the innermost open record around `record` that is stored."""
    for frame in reversed(_open.get()):
        if isinstance(frame, Record) and frame is not record and frame.is_recorded:
            return frame
    return None


def open_scopes() -> Iterator[Scope]:
    """Go through the open scopes, the outermost first."""
    return (frame for frame in _open.get() if isinstance(frame, Scope))


def outermost() -> Frame | None:
    """Give the outermost open scope or record that has not ended: what began first, and ends last."""
    for frame in _open.get():
        if not frame.has_ended if isinstance(frame, Scope) else frame.is_recorded and frame.stop is None:
            return frame
    return None


def enter(scope: Scope) -> None:
    """Open a scope until `leave` closes it; `inside` does both."""
    _open.set((*_open.get(), scope))


def leave(owner: object) -> Scope | None:
    """Close the innermost scope that `owner` opened and give it; None where it was opened in another context."""
    frames = _open.get()
    for index in reversed(range(len(frames))):
        frame = frames[index]
        if isinstance(frame, Scope) and frame.owner is owner:
            _open.set(frames[:index] + frames[index + 1 :])
            return frame
    return None


class inside:  # noqa: N801 it is called as a function is
    """Make a record the parent, or a scope the giver of data, of the records that begin in this block."""

    __slots__ = ("_frame", "_token")

    _token: Token[tuple[Frame, ...]]

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    def __enter__(self) -> None:
        self._token = _open.set((*_open.get(), self._frame))

    def __exit__(self, *args: object) -> None:
        _open.reset(self._token)


def bind(function: Callable[P, R]) -> Callable[P, R]:
    """Give `function` the open records and scopes of the caller, for a thread that knows none.

    Records that begin in the thread then have the caller's as their parent: `pool.map(bind(fetch), addresses)` or
    `Thread(target=bind(work))`. It may run in many threads at once. A thread that has no connection to the database of
    the logs is given none: its records are stored when what the caller is doing ends.
    """
    frames = _open.get()
    if iscoroutinefunction(function):

        @wraps(function)
        async def bound_async(*args: P.args, **kwargs: P.kwargs) -> Any:
            with _bringing(frames):
                return await function(*args, **kwargs)

        return cast("Callable[P, R]", bound_async)

    @wraps(function)
    def bound(*args: P.args, **kwargs: P.kwargs) -> R:
        with _bringing(frames):
            return function(*args, **kwargs)

    return bound


@contextmanager
def _bringing(frames: tuple[Frame, ...]) -> Iterator[None]:
    token, token_of_bound = _open.set(frames), _bound.set(True)
    try:
        yield
    finally:
        _open.reset(token)
        _bound.reset(token_of_bound)
