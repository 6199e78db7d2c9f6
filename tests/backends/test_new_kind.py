"""A kind that the library does not have needs a record and a table, and no change anywhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, models
from django.test import override_settings
from django.test.utils import isolate_apps

from security import recording, records
from security.backends.reader import get_logs_related_with_object
from security.backends.sql.fields import StateField
from security.backends.sql.models import LOG_MODELS, Ending, InputRequestLog, Log, RelatedObject
from security.backends.testing import capture_security_logs
from security.context import inside
from security.delivery import deliver
from security.enums import Event
from security.fields import Name, Plain, Text, stored
from security.ids import first_id_at
from security.records import InputRequestRecord, Loss, Record, Transition, register
from security.references import ObjectReference

ORDER = ObjectReference("default", "shop.order", "7")


class ParcelState(models.IntegerChoices):
    PENDING = 1
    SENT = 2
    REFUSED = 3


@dataclass(slots=True, kw_only=True, eq=False)
class ParcelRecord(Record):
    """A parcel that the site sends."""

    kind = "shop-parcel"
    logger_name = "security.parcel"
    subject = 'Parcel "{id}" to "{recipient}"'
    own_predicates = {Event.SUCCEEDED: "was sent"}
    transitions = {
        Event.STARTED: Transition(ParcelState.PENDING),
        Event.SUCCEEDED: Transition(ParcelState.SENT, is_final=True),
        Event.FAILED: Transition(ParcelState.REFUSED, is_final=True, level=logging.ERROR),
    }

    loss = Loss(ParcelState.REFUSED, timedelta(minutes=5))

    recipient: str = stored(Name(255), default="", settled=True)
    text: str = stored(Text(1000), default="")
    state: IntEnum = stored(Plain(), default=ParcelState.PENDING)


@pytest.fixture(autouse=True)
def parcel() -> Iterator[None]:
    register(ParcelRecord)
    yield
    for known in (records.RECORD_TYPES, records.FIELDS, records.SETTLED_FIELDS, records.LAYOUTS, records.TRANSITIONS):
        del known["shop-parcel"]


@pytest.fixture
def parcel_log(transactional_db: None) -> Iterator[type[Log]]:
    with isolate_apps("security.backends.sql"):

        class ParcelLog(Log, Ending):
            kind = "shop-parcel"

            recipient = models.CharField(max_length=255)
            text = models.TextField()
            state = StateField(ParcelState, default=ParcelState.PENDING)

            class Meta(Log.Meta):
                app_label = "security_sql"

    with connection.schema_editor() as editor:
        editor.create_model(ParcelLog)
    yield ParcelLog
    del LOG_MODELS["shop-parcel"]
    with connection.schema_editor() as editor:
        editor.delete_model(ParcelLog)


def send(event: Event, **values: Any) -> ParcelRecord:
    record = ParcelRecord(recipient="jo@shop.example", related_objects=(ORDER,), **values)
    with inside(InputRequestRecord()):
        deliver(recording.begin(record))
    deliver(recording.complete(record, event))
    return record


@override_settings(SECURITY_BACKENDS=["logging"])
def test_it_is_masked_logged_in_words_of_its_own_and_captured(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "security")
    with capture_security_logs() as logs:
        sent = send(Event.SUCCEEDED, text="password=secret")
        refused = send(Event.FAILED)
        assert get_logs_related_with_object("shop-parcel", ORDER) == [logs.shop_parcel[1], logs.shop_parcel[0]]
    assert [(line.name, line.levelname, line.getMessage()) for line in caplog.records] == [
        ("security.parcel", "INFO", f'Parcel "{sent.id}" to "jo@shop.example" was started'),
        ("security.parcel", "INFO", f'Parcel "{sent.id}" to "jo@shop.example" was sent'),
        ("security.parcel", "INFO", f'Parcel "{refused.id}" to "jo@shop.example" was started'),
        ("security.parcel", "ERROR", f'Parcel "{refused.id}" to "jo@shop.example" failed'),
    ]
    assert [log.text for log in logs.shop_parcel] == ["password=[Filtered]", ""]
    assert [log.state for log in logs.shop_parcel_started] == [ParcelState.PENDING] * 2
    assert [log.state for log in logs.shop_parcel] == [ParcelState.SENT, ParcelState.REFUSED]
    assert logs.shop_parcel[0].parent_log.startswith("input-request|")


@override_settings(SECURITY_BACKENDS=["sql"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_it_is_stored_found_and_masked_again(parcel_log: type[Any]) -> None:
    sent = send(Event.SUCCEEDED, text="Hello")
    (row,) = get_logs_related_with_object("shop-parcel", ORDER)
    assert (row.id, row.state, row.version, row.text) == (sent.id, ParcelState.SENT, 2, "Hello")
    assert row.reference == f"shop-parcel|{sent.id}"
    parcel_log.objects.update(text="password=secret")
    call_command("mask_logs", "--type", "shop-parcel", verbosity=0)
    assert parcel_log.objects.get().text == "password=[Filtered]"


def lose_a_parcel() -> None:
    start = datetime.now(UTC) - timedelta(minutes=10)
    deliver(recording.begin(ParcelRecord(id=first_id_at(start), start=start)))


@override_settings(SECURITY_BACKENDS=["sql"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_it_is_settled_after_its_own_time_when_its_process_was_killed(parcel_log: type[Any]) -> None:
    lose_a_parcel()
    call_command("set_log_state", stdout=StringIO())
    assert parcel_log.objects.get().state == ParcelState.REFUSED


@pytest.mark.django_db
@override_settings(SECURITY_BACKENDS=["sql"])
def test_where_it_has_no_table_it_is_passed_over_in_settling_masking_again_and_finding() -> None:
    out = StringIO()
    call_command("set_log_state", stdout=out)
    call_command("mask_logs", stdout=out)
    assert out.getvalue() == "Nothing to settle.\nNothing to look at.\n"
    assert get_logs_related_with_object("shop-parcel", ORDER) == []


@pytest.mark.django_db
@override_settings(SECURITY_BACKENDS=["sql", "logging"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_where_it_has_no_table_the_other_backends_and_its_neighbours_are_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "security.parcel")
    deliver([*recording.begin(ParcelRecord(related_objects=(ORDER,))), *recording.begin(InputRequestRecord())])
    deliver(recording.begin(ParcelRecord()))
    assert (InputRequestLog.objects.count(), RelatedObject.objects.count()) == (1, 0)
    assert [line.name for line in caplog.records] == ["security.parcel"] * 2


@pytest.mark.django_db(transaction=True)
@override_settings(SECURITY_BACKENDS=["sql"])
def test_it_leaves_no_connection_open_in_a_thread_that_nobody_tends(parcel_log: type[Any]) -> None:
    def send_in_thread() -> bool:
        deliver(recording.begin(ParcelRecord(recipient="jo@shop.example")))
        return connection.connection is not None

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(send_in_thread).result()
    assert parcel_log.objects.count() == 1


@pytest.mark.parametrize("name", ["Shop parcel", "shop|parcel", "", "-parcel", "p" * 41])
def test_a_name_that_is_no_name_of_a_kind_is_refused(name: str) -> None:
    class OddRecord(ParcelRecord):
        """A record of an odd name."""

        kind = name

    with pytest.raises(ValueError, match="write up to 40 small letters and hyphens"):
        register(OddRecord)


def test_a_name_that_another_kind_has_is_refused() -> None:
    @dataclass(slots=True, kw_only=True, eq=False)
    class OtherRecord(ParcelRecord):
        """A record of the same name."""

    with pytest.raises(ValueError, match=r"ParcelRecord is the kind 'shop-parcel': give .*OtherRecord another\."):
        register(OtherRecord)
