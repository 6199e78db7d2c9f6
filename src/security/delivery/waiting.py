"""Entries that wait until a transaction of the site has ended, so that its rollback does not take them with it.

They wait in the outermost scope or record that is open, and are written when it ends. Where there is none, they wait
for the transaction itself. Django tells nobody about a rollback, but it drops what was to be done on commit: a room
that is dropped with entries in it has them written by a thread of the library, on a connection of its own.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from functools import partial
from threading import Lock, local
from typing import Final, cast
from uuid import UUID
from weakref import WeakValueDictionary

from security.backends.base import TransactionalWriter
from security.context import Frame, Scope, outermost
from security.delivery.leftovers import leave_behind, start
from security.delivery.patience import write_in_time
from security.delivery.threads import run_apart
from security.delivery.writing import Batch, write_all, write_all_apart
from security.records import Entry, Record

# What waits is bounded by both, for each backend; what goes beyond is written at once.
_MOST_RECORDS: Final = 1000
_MOST_CHARACTERS: Final = 8_000_000


class _Content:
    """The first and the latest entry of each record that waits, for each backend."""

    __slots__ = ("characters", "entries", "lock")

    def __init__(self) -> None:
        self.lock = Lock()
        self.entries: dict[str, tuple[TransactionalWriter, dict[UUID, list[Entry]]]] = {}
        self.characters = 0

    def add(self, batch: Batch) -> None:
        waiting = self.entries.setdefault(batch.name, (cast("TransactionalWriter", batch.writer), {}))[1]
        for entry in batch.entries:
            known = waiting.setdefault(entry.id, [])
            if not known:
                # The first entry of a record tells the backend that there is no row yet.
                known.append(entry)
                self.characters += _length(entry)
            elif known[-1].version < entry.version:
                # An entry holds all that the earlier ones do: a child is one row.
                if len(known) == 2:
                    self.characters -= _length(known.pop())
                known.append(entry)
                self.characters += _length(entry)

    def is_full(self, name: str) -> bool:
        return len(self.entries[name][1]) >= _MOST_RECORDS or self.characters >= _MOST_CHARACTERS

    def take(self) -> list[Batch]:
        with self.lock:
            taken, self.entries, self.characters = self.entries, {}, 0
        return [
            Batch(name, writer, [entry for entries in waiting.values() for entry in entries])
            for name, (writer, waiting) in taken.items()
        ]


class Room:
    """Where entries wait; one that nobody refers to any more has what is left in it written."""

    __slots__ = ("__weakref__", "_content", "is_closed")

    def __init__(self) -> None:
        start()
        self._content = _Content()
        self.is_closed = False
        weakref.finalize(self, _write_left, self._content)

    def add(self, batch: Batch) -> list[Batch]:
        """Let entries wait; give all that wait for their backend once they are too many."""
        content = self._content
        with content.lock:
            content.add(batch)
            if not content.is_full(batch.name):
                return []
        return content.take()

    def take(self) -> list[Batch]:
        return self._content.take()

    def take_back(self, batch: Batch) -> bool:
        """Let what was taken wait on; False if nothing is let in any more."""
        content = self._content
        with content.lock:
            # Closing sets the flag before it takes what waits.
            if self.is_closed:
                return False
            content.add(Batch(batch.name, batch.writer, batch.waited))
        return True

    def close(self) -> list[Batch]:
        """Take what waits; nothing is let in any more."""
        self.is_closed = True
        return self._content.take()


def _write_left(content: _Content) -> None:
    batches = content.take()
    if batches:
        leave_behind(partial(write_all_apart, batches))


def _length(entry: Entry) -> int:
    return sum(len(value) for value in map(str, entry.values.values()))


_rooms: Final[WeakValueDictionary[UUID, Room]] = WeakValueDictionary()
_transactions: Final = local()


def hold(batch: Batch) -> None:
    """Let entries wait that a write now would leave to the fate of an open transaction."""
    room = _open_room() or _room_of_transaction(batch)
    for full in [batch] if room is None else room.add(batch):
        writer = cast("TransactionalWriter", full.writer)
        if writer.allows_concurrent_writes() and not writer.is_in_test():
            run_apart(write_all_apart, [full])
        else:
            # In the transaction is the worse place, but better than nowhere.
            write_all([full])


def hold_or_write_apart(batch: Batch) -> None:
    """Let entries wait for their outermost frame; where there is none, have a thread of the library write them."""
    room = _open_room()
    full = [batch] if room is None else room.add(batch)
    if full:
        run_apart(write_all_apart, full)


def waiting_around() -> list[Batch]:
    """Take what waits in the outermost open frame: a write that goes through takes it along, another one does not."""
    frame = outermost()
    room = None if frame is None else frame.waiting
    if not isinstance(room, Room):
        return []
    return [Batch(taken.name, taken.writer, (), taken.entries, room.take_back) for taken in room.take()]


def goes_along_with(entries: Sequence[Entry]) -> bool:
    """Tell whether something waits that a write of `entries` could take along."""
    if _rooms and any(entry.transition.is_final and entry.id in _rooms for entry in entries):
        return True
    frame = outermost()
    return frame is not None and isinstance(frame.waiting, Room)


def ended_with(entries: Sequence[Entry]) -> list[Batch]:
    """Take what waited for the end of the records that `entries` complete."""
    if not _rooms:
        return []
    rooms = [_rooms.get(entry.id) for entry in entries if entry.transition.is_final]
    return [batch for room in rooms if room is not None for batch in room.close()]


def close(scope: Scope) -> list[Batch]:
    """Take what waited for the end of a scope, which has come."""
    scope.has_ended = True
    room = scope.waiting
    return room.close() if isinstance(room, Room) else []


def _open_room() -> Room | None:
    frame = outermost()
    if frame is None:
        return None
    room = _room_of_frame(frame)
    return None if room.is_closed else room


def _room_of_frame(frame: Frame) -> Room:
    if not isinstance(frame.waiting, Room):
        frame.waiting = Room()
        if isinstance(frame, Record):
            _rooms[frame.id] = frame.waiting
    return frame.waiting


def _room_of_transaction(batch: Batch) -> Room | None:
    rooms: dict[str, weakref.ref[Room]] = vars(_transactions)
    known = rooms.get(batch.name)
    room = known() if known is not None else None
    if room is None or room.is_closed:
        writer = cast("TransactionalWriter", batch.writer)
        if writer.is_in_test():
            return None
        room = Room()
        if not writer.on_commit(_Leave(room)):
            return None
        rooms[batch.name] = weakref.ref(room)
    return room


class _Leave:
    """What is to be done on commit; on rollback Django drops it, and its room with it."""

    __slots__ = ("_room",)

    def __init__(self, room: Room) -> None:
        self._room = room

    def __call__(self) -> None:
        write_in_time(self._room.close())
