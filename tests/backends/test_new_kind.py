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


class MailState(models.IntegerChoices):
    PENDING = 1
    SENT = 2
    REFUSED = 3


@dataclass(slots=True, kw_only=True, eq=False)
class MailRecord(Record):
    """A mail that the site sends."""

    kind = "sent-mail"
    logger_name = "security.mail"
    subject = 'Mail "{id}" to "{recipient}"'
    own_predicates = {Event.SUCCEEDED: "was sent"}
    transitions = {
        Event.STARTED: Transition(MailState.PENDING),
        Event.SUCCEEDED: Transition(MailState.SENT, is_final=True),
        Event.FAILED: Transition(MailState.REFUSED, is_final=True, level=logging.ERROR),
    }

    loss = Loss(MailState.REFUSED, timedelta(minutes=5))

    recipient: str = stored(Name(255), default="", settled=True)
    text: str = stored(Text(1000), default="")
    state: IntEnum = stored(Plain(), default=MailState.PENDING)


@pytest.fixture(autouse=True)
def mail() -> Iterator[None]:
    register(MailRecord)
    yield
    for known in (records.RECORD_TYPES, records.FIELDS, records.SETTLED_FIELDS, records.LAYOUTS, records.TRANSITIONS):
        del known["sent-mail"]


@pytest.fixture
def mail_log(transactional_db: None) -> Iterator[type[Log]]:
    with isolate_apps("security.backends.sql"):

        class MailLog(Log, Ending):
            kind = "sent-mail"

            recipient = models.CharField(max_length=255)
            text = models.TextField()
            state = StateField(MailState, default=MailState.PENDING)

            class Meta(Log.Meta):
                app_label = "security_sql"

    with connection.schema_editor() as editor:
        editor.create_model(MailLog)
    yield MailLog
    del LOG_MODELS["sent-mail"]
    with connection.schema_editor() as editor:
        editor.delete_model(MailLog)


def send(event: Event, **values: Any) -> MailRecord:
    record = MailRecord(recipient="jo@shop.example", related_objects=(ORDER,), **values)
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
        assert get_logs_related_with_object("sent-mail", ORDER) == [logs.sent_mail[1], logs.sent_mail[0]]
    assert [(line.name, line.levelname, line.getMessage()) for line in caplog.records] == [
        ("security.mail", "INFO", f'Mail "{sent.id}" to "jo@shop.example" was started'),
        ("security.mail", "INFO", f'Mail "{sent.id}" to "jo@shop.example" was sent'),
        ("security.mail", "INFO", f'Mail "{refused.id}" to "jo@shop.example" was started'),
        ("security.mail", "ERROR", f'Mail "{refused.id}" to "jo@shop.example" failed'),
    ]
    assert [log.text for log in logs.sent_mail] == ["password=[Filtered]", ""]
    assert [log.state for log in logs.sent_mail_started] == [MailState.PENDING] * 2
    assert [log.state for log in logs.sent_mail] == [MailState.SENT, MailState.REFUSED]
    assert logs.sent_mail[0].parent_log.startswith("input-request|")


@override_settings(SECURITY_BACKENDS=["sql"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_it_is_stored_found_and_masked_again(mail_log: type[Any]) -> None:
    sent = send(Event.SUCCEEDED, text="Hello")
    (row,) = get_logs_related_with_object("sent-mail", ORDER)
    assert (row.id, row.state, row.version, row.text) == (sent.id, MailState.SENT, 2, "Hello")
    assert row.reference == f"sent-mail|{sent.id}"
    mail_log.objects.update(text="password=secret")
    call_command("mask_logs", "--type", "sent-mail", verbosity=0)
    assert mail_log.objects.get().text == "password=[Filtered]"


def lose_a_mail() -> None:
    start = datetime.now(UTC) - timedelta(minutes=10)
    deliver(recording.begin(MailRecord(id=first_id_at(start), start=start)))


@override_settings(SECURITY_BACKENDS=["sql"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_it_is_settled_after_its_own_time_when_its_process_was_killed(mail_log: type[Any]) -> None:
    lose_a_mail()
    call_command("set_log_state", stdout=StringIO())
    assert mail_log.objects.get().state == MailState.REFUSED


@pytest.mark.django_db
@override_settings(SECURITY_BACKENDS=["sql"])
def test_where_it_has_no_table_it_is_passed_over_in_settling_and_in_masking_again() -> None:
    out = StringIO()
    call_command("set_log_state", stdout=out)
    call_command("mask_logs", stdout=out)
    assert out.getvalue() == "Nothing to settle.\nNothing to look at.\n"


@pytest.mark.django_db
@override_settings(SECURITY_BACKENDS=["sql", "logging"], SECURITY_RAISE_WRITER_EXCEPTIONS=True)
def test_where_it_has_no_table_the_other_backends_and_its_neighbours_are_served(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "security.mail")
    deliver([*recording.begin(MailRecord(related_objects=(ORDER,))), *recording.begin(InputRequestRecord())])
    deliver(recording.begin(MailRecord()))
    assert (InputRequestLog.objects.count(), RelatedObject.objects.count()) == (1, 0)
    assert [line.name for line in caplog.records] == ["security.mail"] * 2


@pytest.mark.django_db(transaction=True)
@override_settings(SECURITY_BACKENDS=["sql"])
def test_it_leaves_no_connection_open_in_a_thread_that_nobody_tends(mail_log: type[Any]) -> None:
    def send_in_thread() -> bool:
        deliver(recording.begin(MailRecord(recipient="jo@shop.example")))
        return connection.connection is not None

    with ThreadPoolExecutor(1) as pool:
        assert not pool.submit(send_in_thread).result()
    assert mail_log.objects.count() == 1


@pytest.mark.parametrize("name", ["Sent mail", "sent|mail", "", "-mail", "m" * 41])
def test_a_name_that_is_no_name_of_a_kind_is_refused(name: str) -> None:
    class OddRecord(MailRecord):
        """A record of an odd name."""

        kind = name

    with pytest.raises(ValueError, match="write up to 40 small letters and hyphens"):
        register(OddRecord)


def test_a_name_that_another_kind_has_is_refused() -> None:
    @dataclass(slots=True, kw_only=True, eq=False)
    class OtherRecord(MailRecord):
        """A record of the same name."""

    with pytest.raises(ValueError, match=r"MailRecord is the kind 'sent-mail': give .*OtherRecord another\."):
        register(OtherRecord)
