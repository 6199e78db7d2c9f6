"""Capturing the logs of a block of code, or of a test."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from difflib import get_close_matches
from functools import wraps
from inspect import isasyncgenfunction, isgeneratorfunction
from threading import Lock
from typing import Any, ClassVar, Final, NoReturn, TypeVar, cast, overload
from uuid import UUID

from security.backends.base import Counter, InputRequestFilter, Reader, Writer
from security.backends.registry import attached
from security.enums import Event
from security.rates import Counts, Limit, Verdict
from security.records import TRANSITIONS, Entry
from security.references import ObjectReference

F = TypeVar("F", bound=Callable[..., Any])

_LOGS_PARAMETER: Final = "logged_data"


def _list_of(kind: str, event: Event | None = None) -> str:
    """Give the name of the list of a kind, or of one event of it."""
    name = kind.replace("-", "_")
    return name if event is None else f"{name}_{event}"


def _all_lists() -> Iterator[str]:
    for kind, transitions in TRANSITIONS.items():
        yield _list_of(kind)
        yield from (_list_of(kind, event) for event in transitions)


class CapturedLogs:
    """What was logged: a list for each kind and for each event of a kind.

    `logs.input_request` holds each request as it became; `logs.input_request_started` holds each as it was then. What
    is in the lists is what would be stored: masked and cut.
    """

    backend_name: ClassVar[str] = "testing"

    def __init__(self) -> None:
        self._lists: dict[str, list[Entry]] = {name: [] for name in _all_lists()}
        self._positions: dict[UUID, int] = {}
        self._lock = Lock()
        self.writer: Writer = _CaptureWriter(self)
        self.reader: Reader = _CaptureReader(self)
        self.counter: Counter = _CaptureCounter()

    def __getattr__(self, name: str) -> list[Entry]:
        # Whoever copies a capture asks before there is a list.
        lists: dict[str, list[Entry]] = vars(self).get("_lists", {})
        if name in lists:
            return lists[name]
        nearest = get_close_matches(name, lists, n=1)
        hint = f": did you mean {nearest[0]!r}?" if nearest else "."
        raise AttributeError(f"There is no list of logs named {name!r}{hint} The lists are {', '.join(sorted(lists))}.")

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._lists[_list_of(entry.kind, entry.event)].append(entry)
            latest = self._lists[_list_of(entry.kind)]
            position = self._positions.setdefault(entry.id, len(latest))
            if position == len(latest):
                latest.append(entry)
            elif latest[position].version < entry.version:
                latest[position] = entry


class _CaptureWriter(Writer):
    blocks: ClassVar[bool] = False

    def __init__(self, logs: CapturedLogs) -> None:
        self._logs = logs

    def write(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self._logs.add(entry)


class _CaptureReader(Reader):
    def __init__(self, logs: CapturedLogs) -> None:
        self._logs = logs

    def count_input_requests(self, wanted: InputRequestFilter) -> int:
        values = wanted.wanted()
        return sum(
            entry.start >= wanted.from_time
            and str(entry.id) != str(wanted.exclude_log_id)
            and all(getattr(entry, name) == value for name, value in values.items())
            for entry in self._logs.input_request
        )

    def logs_related_with(self, kind: str, reference: ObjectReference) -> list[Any]:
        entries = getattr(self._logs, _list_of(kind))
        return sorted(
            (entry for entry in entries if reference in entry.related_objects),
            key=lambda entry: entry.id,
            reverse=True,
        )


class _CaptureCounter(Counter):
    blocks: ClassVar[bool] = False

    def __init__(self) -> None:
        self._counts = Counts()
        self._lock = Lock()

    def count(self, limits: Sequence[Limit], now: int) -> Verdict:
        with self._lock:
            return self._counts.count(limits, now)


class _Capturing:
    """One use of `capture_security_logs`; it can be entered again, also while it is open."""

    def __init__(self) -> None:
        self._exits: list[ExitStack] = []

    def __enter__(self) -> CapturedLogs:
        logs = CapturedLogs()
        exits = ExitStack()
        exits.enter_context(attached(logs))
        self._exits.append(exits)
        return logs

    def __exit__(self, *exception: object) -> None:
        self._exits.pop().close()

    async def __aenter__(self) -> NoReturn:
        raise TypeError("capture_security_logs is opened by a plain `with`, in asynchronous tests too.")

    async def __aexit__(self, *exception: object) -> None:
        """Stand here for Python, which asks for both before it calls one."""

    def __call__(self, function: F) -> F:
        if isinstance(function, type) or isgeneratorfunction(function) or isasyncgenfunction(function):
            raise TypeError(
                f"capture_security_logs decorates functions and coroutine functions, not {function!r}: "
                "decorate each test, or open it with `with` where it is needed."
            )
        signature = inspect.signature(function)
        wants_logs = _LOGS_PARAMETER in signature.parameters

        def given(logs: CapturedLogs, kwargs: dict[str, Any]) -> dict[str, Any]:
            return {**kwargs, _LOGS_PARAMETER: logs} if wants_logs else kwargs

        @wraps(function)
        def captured(*args: Any, **kwargs: Any) -> Any:
            with _Capturing() as logs:
                return function(*args, **given(logs, kwargs))

        @wraps(function)
        async def captured_async(*args: Any, **kwargs: Any) -> Any:
            with _Capturing() as logs:
                return await function(*args, **given(logs, kwargs))

        wrapper: Any = captured_async if inspect.iscoroutinefunction(function) else captured
        # pytest would look for a fixture of that name.
        parameters = [parameter for name, parameter in signature.parameters.items() if name != _LOGS_PARAMETER]
        wrapper.__signature__ = signature.replace(parameters=parameters)
        return cast(F, wrapper)


@overload
def capture_security_logs(function: None = None) -> _Capturing: ...
@overload
def capture_security_logs(function: F) -> F: ...
def capture_security_logs(function: F | None = None) -> _Capturing | F:
    """Capture the logs of a block, or of each call of a function, sync or async.

    As a context manager it gives the `CapturedLogs`. As a decorator, with or without parentheses, it hands them to the
    function if that has a parameter named `logged_data`. A capture takes the logs of all threads, whatever
    SECURITY_BACKENDS selects, and answers the readers while it is open. Captures can be nested: each takes what is
    logged while it is open.
    """
    return _Capturing() if function is None else _Capturing()(function)
