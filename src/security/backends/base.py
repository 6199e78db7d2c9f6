"""What a backend can do; each implements the parts that it can.

A backend of a third party is a Django app whose AppConfig extends `SecurityBackend`: it is found when it is installed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum
from typing import Any, ClassVar
from uuid import UUID

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured

from security.rates import Limit, Verdict
from security.records import Entry
from security.references import ObjectReference


class Writer(ABC):
    """Stores entries."""

    blocks: ClassVar[bool] = True
    """Whether `write` waits for something outside the process, and so must not run in an event loop."""

    @abstractmethod
    def write(self, entries: Sequence[Entry]) -> None:
        """Store entries, in order; storing one again, or one older than what is stored, changes nothing.

        Several threads may call it at once. Entries of a kind for which there is no place are left out.

        Raises `EntriesRefusedError` when some were refused and all others are stored; any other error means that the
        store cannot be reached, and that none of them is. What to do about an error may be added to it as a note
        (`add_note`), which is logged with the loss.
        """

    async def awrite(self, entries: Sequence[Entry]) -> bool:
        """Store entries in an event loop without a thread; gives False where `write` has to do it, in a thread.

        It is asked under an ASGI server only, for entries that wait for nothing, and must be part of no transaction of
        the site's. A caller that is cancelled has `write` called as well, which can come first. Raises what says that
        the store cannot be reached.
        """
        return False


class TransactionalWriter(Writer):
    """Stores entries where the site can have a transaction open, whose rollback would take them with it."""

    @abstractmethod
    def shares_fate(self, entries: Sequence[Entry]) -> bool:
        """Tell whether a write of `entries` by this thread would now be part of a transaction of the site."""

    @abstractmethod
    def is_connected(self) -> bool:
        """Tell whether this thread has a connection open, which the site closes again."""

    @abstractmethod
    def is_in_test(self) -> bool:
        """Tell whether all that this thread writes is undone at the end of a test, so that nothing may be put off."""

    @abstractmethod
    def on_commit(self, action: Callable[[], None]) -> bool:
        """Have `action` called when the open transaction is committed, and dropped when it is rolled back.

        False where nobody would tell of its end, as of a transaction that the site began past Django.
        """

    @abstractmethod
    def write_apart(self, entries: Sequence[Entry]) -> None:
        """Do as `write`, in a thread of the library, and leave no connection open behind it."""

    @abstractmethod
    def allows_concurrent_writes(self) -> bool:
        """Tell whether `write_apart` gets through while the site's transaction is open."""


@dataclass(frozen=True, slots=True)
class InputRequestFilter:
    """Which input requests to count; None matches all."""

    from_time: datetime
    ip: str | None = None
    path: str | None = None
    view_slug: str | None = None
    slug: str | None = None
    method: str | None = None
    exclude_log_id: UUID | str | None = None

    def wanted(self) -> dict[str, str]:
        """Give the fields that are compared, with their values."""
        names = ("ip", "path", "view_slug", "slug", "method")
        return {name: value for name in names if (value := getattr(self, name)) is not None}


class Reader(ABC):
    """Finds entries again."""

    @abstractmethod
    def count_input_requests(self, wanted: InputRequestFilter) -> int:
        """Count the input requests that `wanted` describes."""

    @abstractmethod
    def logs_related_with(self, kind: str, reference: ObjectReference) -> list[Any]:
        """Give the logs of a kind that are related with an object, the newest first."""


class Counter(ABC):
    """Counts hits against limits, for all processes of the site together."""

    blocks: ClassVar[bool] = True
    """Whether `count` waits for something outside the process, and so must not run in an event loop."""

    @abstractmethod
    def count(self, limits: Sequence[Limit], now: int) -> Verdict:
        """Hit all limits that count, if all of them have room at `now` (milliseconds); otherwise none.

        Of any number of calls at once, as many pass as there is room for. Any error means that the store cannot be
        reached.
        """

    def can_be_rolled_back(self) -> bool:
        """Tell whether what is counted now is undone where the site rolls its transaction back."""
        return False


@dataclass(frozen=True, slots=True)
class PastRequest:
    """What the log knows of a request that came in."""

    start: datetime
    ip: str | None
    path: str
    view_slug: str | None
    slug: str | None
    user_id: str | None
    response_code: int | None


class History(ABC):
    """Tells the input requests of the past."""

    @abstractmethod
    def input_requests(self, start: datetime, end: datetime) -> Iterator[PastRequest]:
        """Go through the requests that began at `start` or later and before `end`, in their order."""


@dataclass(frozen=True, slots=True)
class StoredEntry:
    """An entry as it is read back, to be changed."""

    id: UUID
    version: int
    values: Mapping[str, Any]


class Rewritable(ABC):
    """Changes entries that are stored already."""

    @abstractmethod
    def count_stored(self, kind: str, after: UUID | None) -> int:
        """Count the entries of a kind with an id behind `after`."""

    @abstractmethod
    def read_stored(self, kind: str, after: UUID | None, size: int) -> list[StoredEntry]:
        """Give the first `size` entries of a kind with an id behind `after`, in the order of their ids."""

    @abstractmethod
    def rewrite_stored(self, kind: str, changes: Sequence[tuple[StoredEntry, Mapping[str, Any]]]) -> int:
        """Change fields of entries, and give how many were changed; one that has a newer version by now stays."""


class OpenLogs(ABC):
    """Knows which logs are still open, and closes them; who decides which are to be closed asks it."""

    batch_size: ClassVar[int] = 500

    @abstractmethod
    def open_logs(self, kind: str, after: UUID | None, count: int, *, before: UUID | None = None) -> list[Any]:
        """Give at most `count` logs of a kind whose state is one of its `open_states`, in the order of their ids.

        Their ids are above `after`, and below `before`.
        """

    @abstractmethod
    def settle(
        self,
        kind: str,
        ids: Sequence[UUID],
        expected: IntEnum,
        state: IntEnum,
        message: str | None,
        moment: datetime,
    ) -> int:
        """Let those of the logs that are in the state `expected` rest in `state`; tell how many there were.

        Their version stays: a later word of their own process is stored over this one.
        """

    def batches(self, kind: str, *, after: UUID | None = None, before: UUID | None = None) -> Iterator[list[Any]]:
        """Go through all open logs of a kind, a batch at a time; those of a batch may be settled before the next."""
        while batch := self.open_logs(kind, after, self.batch_size, before=before):
            yield batch
            after = batch[-1].id

    def settle_all(self, kind: str, logs: Iterable[Any], state: IntEnum, message: str | None, moment: datetime) -> int:
        """Do as `settle` with logs that were read, each of which is expected in the state that it had then."""
        by_state: defaultdict[IntEnum, list[UUID]] = defaultdict(list)
        for log in logs:
            by_state[log.state].append(log.id)
        return sum(self.settle(kind, ids, expected, state, message, moment) for expected, ids in by_state.items())


class TaskLogs(OpenLogs):
    """Knows the logs of Celery's tasks as well."""

    @abstractmethod
    def runs_of(self, task_ids: Collection[str]) -> list[Any]:
        """Give all runs of the tasks with these Celery ids, in the order of their ids."""


class EntriesRefusedError(Exception):
    """Some entries of a batch were refused for what they hold; all others are stored."""

    def __init__(self, causes: Sequence[Exception]) -> None:
        super().__init__(f"{len(causes)} refused, the first because of: {causes[0]}")
        self.causes = causes


class SecurityBackend(AppConfig):
    """The app of a backend."""

    # Django takes the one app class of a module by itself, and this one is in the module of each backend's, too.
    default = False

    backend_name: ClassVar[str]
    """The name by which settings call the backend."""
    writer: Writer | None = None
    reader: Reader | None = None
    counter: Counter | None = None
    history: History | None = None
    rewriter: Rewritable | None = None
    open_logs: OpenLogs | None = None
    task_logs: TaskLogs | None = None

    def ready(self) -> None:
        if not apps.is_installed("security"):
            raise ImproperlyConfigured(f"Add 'security' to INSTALLED_APPS: '{self.name}' stores what it records.")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.default = True
