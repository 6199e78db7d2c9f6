"""Logs are related with any object of the site, whatever its key and its database, and whether it is still there."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import Group
from django.db import models

from security import recording
from security.backends.reader import get_logs_related_with_object
from security.backends.sql.models import RelatedObject
from security.decorators import log_with_data
from security.delivery import deliver
from security.enums import LoggerName
from security.records import RECORD_TYPES
from security.references import ObjectReference

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("reading")]


class _Keyed(models.Model):
    class Meta:
        abstract = True
        managed = False
        app_label = "site_under_test"

    def __str__(self) -> str:
        return f"object {self.pk}"


class ByUUID(_Keyed):
    id = models.UUIDField(primary_key=True)

    class Meta(_Keyed.Meta):
        pass


class ByText(_Keyed):
    name = models.CharField(max_length=1000, primary_key=True)

    class Meta(_Keyed.Meta):
        pass


class ByDate(_Keyed):
    day = models.DateField(primary_key=True)

    class Meta(_Keyed.Meta):
        pass


class ByNumber(_Keyed):
    number = models.BigIntegerField(primary_key=True)

    class Meta(_Keyed.Meta):
        pass


class ByTwo(_Keyed):
    pk = models.CompositePrimaryKey("order_id", "line")
    order_id = models.UUIDField()
    line = models.IntegerField()

    class Meta(_Keyed.Meta):
        pass


class NumberProxy(ByNumber):
    class Meta:
        proxy = True
        app_label = "site_under_test"


A, B = UUID(int=1), UUID(int=2)
KEYED: dict[str, tuple[models.Model, models.Model]] = {
    "uuid": (ByUUID(id=A), ByUUID(id=B)),
    "text": (ByText(name="ř|'\"%_ " * 20 + "a"), ByText(name="ř|'\"%_ " * 20 + "b")),
    "date": (ByDate(day=date(2026, 1, 1)), ByDate(day=date(2026, 1, 2))),
    "number": (ByNumber(number=-(2**63)), ByNumber(number=2**63 - 1)),
    "composite": (ByTwo(order_id=A, line=1), ByTwo(order_id=A, line=2)),
}


def logged(kind: LoggerName, *objects: models.Model) -> Any:
    record = RECORD_TYPES[kind]()
    record.add_related_objects(*objects)
    deliver(recording.begin(record))
    return record.id


def found(kind: LoggerName, obj: models.Model | ObjectReference) -> list[Any]:
    return [log.id for log in get_logs_related_with_object(kind, obj)]


@pytest.mark.parametrize("kind", LoggerName)
@pytest.mark.parametrize("key", KEYED)
def test_logs_of_every_kind_are_found_by_an_object_of_any_key(key: str, kind: LoggerName) -> None:
    one, other = KEYED[key]
    first, second = logged(kind, one), logged(kind, one, other)
    assert found(kind, one) == [second, first]
    assert found(kind, other) == [second]
    assert not any(found(another, one) for another in LoggerName if another is not kind)


def test_objects_of_two_databases_with_the_same_key_are_two() -> None:
    here, there = Group(pk=7), Group(pk=7)
    there._state.db = "log"
    first, second = logged(LoggerName.COMMAND, here), logged(LoggerName.COMMAND, there)
    assert found(LoggerName.COMMAND, here) == [first]
    assert found(LoggerName.COMMAND, there) == [second]


def test_objects_of_two_models_with_the_same_key_are_two() -> None:
    first = logged(LoggerName.COMMAND, ByNumber(number=7))
    assert found(LoggerName.COMMAND, Group(pk=7)) == []
    # A proxy is its model under another name.
    assert found(LoggerName.COMMAND, NumberProxy(number=7)) == [first]


def test_the_logs_of_a_deleted_object_are_found_by_its_reference() -> None:
    group = Group.objects.create(name="a")
    reference = ObjectReference.to(group)
    with log_with_data(related_objects=[group]):
        first = logged(LoggerName.OUTPUT_REQUEST)
    group.delete()
    assert found(LoggerName.OUTPUT_REQUEST, reference) == [first]
    assert found(LoggerName.OUTPUT_REQUEST, ObjectReference("default", "auth.group", reference.pk)) == [first]
    with pytest.raises(ValueError, match="save it before"):
        found(LoggerName.OUTPUT_REQUEST, group)
    assert all(relation.object is None for relation in RelatedObject.objects.all())
