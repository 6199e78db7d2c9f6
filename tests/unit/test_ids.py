"""Ids sort by time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from security.ids import first_id_at, new_id


def test_an_id_lies_between_the_bounds_of_its_time() -> None:
    before = datetime.now(UTC)
    made = new_id()
    assert first_id_at(before) <= made < first_id_at(datetime.now(UTC) + timedelta(milliseconds=1))
    assert made.version == first_id_at(before).version == 7


def test_ids_made_one_after_another_sort() -> None:
    ids = [new_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)
