"""The SQL backend: what is stored survives, in few statements, wherever the site keeps its logs."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from importlib import import_module, reload
from typing import Any
from unittest.mock import patch

import pytest
from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import Group, User
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import (
    DataError,
    InterfaceError,
    OperationalError,
    connection,
    connections,
    models,
    router,
    transaction,
)
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from security import recording
from security.backends.base import EntriesRefusedError
from security.backends.reader import get_count_input_requests, get_logs_related_with_object
from security.backends.sql import models as log_models
from security.backends.sql.encoding import Encoder
from security.backends.sql.models import (
    CeleryTaskInvocationLog,
    CeleryTaskRunLog,
    CommandLog,
    InputRequestLog,
    OutputRequestLog,
    RelatedObject,
)
from security.backends.sql.running import is_outage
from security.backends.sql.writer import SQLWriter
from security.delivery import deliver, lost_entries
from security.enums import Event, LoggerName, RequestLogState
from security.records import (
    RECORD_TYPES,
    CeleryTaskInvocationRecord,
    CeleryTaskRunRecord,
    CommandRecord,
    Entry,
    InputRequestRecord,
    OutputRequestRecord,
)
from security.references import ObjectReference

pytestmark = pytest.mark.django_db

ROUTERS = {
    "mirror": "security.backends.sql.db_router.MirrorSecurityLoggerRouter",
    "own": "security.backends.sql.dbr_router.MultipleDBSecurityLoggerRouter",
}


def finished(record: InputRequestRecord) -> list[Entry]:
    return recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)


@pytest.mark.parametrize("kind", LoggerName)
def test_every_kind_is_stored_and_read_back(kind: LoggerName) -> None:
    record = RECORD_TYPES[kind]()
    SQLWriter().write(recording.begin(record))
    (row,) = {
        LoggerName.INPUT_REQUEST: InputRequestLog,
        LoggerName.OUTPUT_REQUEST: OutputRequestLog,
        LoggerName.COMMAND: CommandLog,
        LoggerName.CELERY_TASK_INVOCATION: CeleryTaskInvocationLog,
        LoggerName.CELERY_TASK_RUN: CeleryTaskRunLog,
    }[kind].objects.all()
    assert (row.id, row.state, row.reference) == (record.id, record.state, record.reference)
    assert row.state.name == record.state.name
    assert row.state.label


def test_writing_again_and_writing_late_change_nothing() -> None:
    record = InputRequestRecord(path="/a")
    first = recording.begin(record)
    second = finished(record)
    writer = SQLWriter()
    writer.write(first)
    writer.write(second)
    # As `mask_logs` does: what was changed by hand is not undone by an entry that comes again.
    InputRequestLog.objects.update(error_message="by hand")
    for entries in (second, first, second + first):
        writer.write(entries)
        row = InputRequestLog.objects.get()
        assert (row.version, row.state, row.error_message) == (2, RequestLogState.INFO, "by hand")


def test_a_state_of_a_newer_version_keeps_its_number() -> None:
    SQLWriter().write(recording.begin(InputRequestRecord()))
    InputRequestLog.objects.update(state=99)
    assert InputRequestLog.objects.get().state == 99


def test_the_last_entry_makes_a_row_whole_whose_first_was_lost() -> None:
    record = InputRequestRecord(path="/a", method="GET")
    recording.begin(record)
    SQLWriter().write(finished(record))
    row = InputRequestLog.objects.get()
    assert (row.path, row.method, row.start) == ("/a", "GET", record.start)


@pytest.mark.parametrize("value", [{}, [], "", 0, False, None, [0], {"a": "é\u2028"}, 1.5])
def test_what_json_can_hold_is_read_back_as_it_was(value: Any) -> None:
    record = CeleryTaskRunRecord(celery_task_id="1", name="a", result=value, task_args=[], extra_data={"v": value})
    SQLWriter().write(recording.begin(record))
    row = CeleryTaskRunLog.objects.get()
    assert (row.result, row.task_args, row.task_kwargs, row.extra_data) == (value, [], {}, {"v": value})


@pytest.mark.parametrize(("ip", "stored"), [("", None), ("::1", "::1"), ("2001:DB8:0:0::1", "2001:db8::1")])
def test_an_address_is_stored_in_its_short_form(ip: str, stored: str | None) -> None:
    SQLWriter().write(recording.begin(InputRequestRecord(ip=ip)))
    assert InputRequestLog.objects.get().ip == stored


class TextOfJSON(models.JSONField, models.TextField):
    """A site's own field, which is of two kinds."""


def test_a_field_of_two_kinds_is_stored_as_the_stricter_one() -> None:
    column = TextOfJSON(name="a")
    column.set_attributes_from_name("a")
    encoder = Encoder([column, column])
    assert encoder.parameters({"a": "s"}, connection) == ['"s"', '"s"']


@override_settings(TIME_ZONE="Europe/Prague")
def test_a_time_without_a_zone_is_one_of_the_site() -> None:
    SQLWriter().write(recording.begin(InputRequestRecord(start=datetime(2026, 1, 2, 12, 0))))  # noqa: DTZ001
    assert InputRequestLog.objects.get().start == datetime(2026, 1, 2, 11, 0, tzinfo=UTC)


def test_relations_of_any_entry_of_a_batch_are_stored() -> None:
    related = InputRequestRecord()
    related.add_related_objects(Group.objects.create(name="a"))
    SQLWriter().write(recording.begin(InputRequestRecord()) + recording.begin(related))
    assert RelatedObject.objects.get().log_id == related.id


@pytest.mark.django_db(transaction=True)
def test_a_batch_is_one_statement_for_each_kind_and_one_for_all_relations() -> None:
    group = Group.objects.create(name="a")
    entries = []
    for record_type in (InputRequestRecord, OutputRequestRecord):
        for _ in range(50):
            record = record_type()
            record.add_related_objects(group)
            entries += recording.begin(record) + recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    with CaptureQueriesContext(connection) as queries:
        SQLWriter().write(entries)
    assert len(queries) == 3
    assert InputRequestLog.objects.count() == OutputRequestLog.objects.count() == 50
    assert RelatedObject.objects.count() == 100
    SQLWriter().write(entries)
    assert RelatedObject.objects.count() == 100


@pytest.mark.parametrize("position", [0, 1, 2])
def test_an_entry_that_the_database_refuses_takes_no_other_with_it(position: int) -> None:
    records = [InputRequestRecord(path=f"/{number}") for number in range(3)]
    entries = [entry for record in records for entry in recording.begin(record)]
    refused = dict(entries[position].values)
    # No field can hold what the database refuses; a value that went round the recorder can.
    refused["path"] = None
    entries[position] = Entry(entries[position].kind, entries[position].event, refused)
    with pytest.raises(EntriesRefusedError) as error:
        SQLWriter().write(entries)
    assert len(error.value.causes) == 1
    stored = set(InputRequestLog.objects.values_list("path", flat=True))
    assert stored == {f"/{number}" for number in range(3)} - {f"/{position}"}


@override_settings(USE_TZ=False, TIME_ZONE="Europe/Prague")
@pytest.mark.parametrize("size", [1, 5])
def test_an_entry_with_a_time_that_the_site_cannot_hold_takes_no_other_with_it(size: int) -> None:
    records = [CeleryTaskInvocationRecord(name=str(number)) for number in range(size)]
    records[-1].expires_at = datetime.max.replace(tzinfo=UTC)
    with pytest.raises(EntriesRefusedError) as error:
        SQLWriter().write([entry for record in records for entry in recording.begin(record)])
    assert [type(cause) for cause in error.value.causes] == [OverflowError]
    assert CeleryTaskInvocationLog.objects.count() == size - 1
    with pytest.raises(EntriesRefusedError):
        SQLWriter().write(recording.complete(records[-1], Event.SUCCEEDED))


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OperationalError(2006, "MySQL server has gone away"), True),
        (OperationalError("connection is closed"), True),
        (InterfaceError("closed"), True),
        # What MySQLdb says of an emoji in a table of utf8mb3
        (OperationalError(1366, "Incorrect string value"), False),
        (DataError("value too long"), False),
        (ValueError("not adaptable"), False),
    ],
)
def test_an_outage_is_told_from_a_refusal(error: Exception, expected: bool) -> None:
    assert is_outage(error) is expected


def test_a_relation_that_the_driver_refuses_takes_no_other_with_it() -> None:
    record = InputRequestRecord(
        related_objects=tuple(ObjectReference("default", "auth.group", key) for key in ("1", "\ud800", "2"))
    )
    with pytest.raises(EntriesRefusedError) as error:
        SQLWriter().write(recording.begin(record))
    assert len(error.value.causes) == 1
    assert {relation.object_pk for relation in RelatedObject.objects.all()} == {"1", "2"}


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_log_does_not_spoil_a_transaction_without_autocommit() -> None:
    (entry,) = recording.begin(InputRequestRecord())
    broken = Entry(entry.kind, entry.event, {**entry.values, "host": None})
    transaction.set_autocommit(False)
    try:
        Group.objects.create(name="before")
        with pytest.raises(EntriesRefusedError):
            SQLWriter().write([broken])
        Group.objects.create(name="after")
        transaction.commit()
    finally:
        transaction.set_autocommit(True)
    assert Group.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_an_error_of_the_log_does_not_spoil_the_transaction_of_the_site() -> None:
    (entry,) = recording.begin(InputRequestRecord())
    broken = Entry(entry.kind, entry.event, {**entry.values, "path": None})
    with transaction.atomic():
        Group.objects.create(name="before")
        with pytest.raises(EntriesRefusedError):
            SQLWriter().write([broken])
        Group.objects.create(name="after")
    assert Group.objects.count() == 2


def set_atomic_requests(monkeypatch: pytest.MonkeyPatch, is_atomic: bool) -> None:
    monkeypatch.setitem(connection.settings_dict, "ATOMIC_REQUESTS", is_atomic)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_atomic", [True, False])
@pytest.mark.parametrize("path", ["/fail/", "/write-and-fail/", "/orders/7/", "/stream/"])
def test_nothing_is_lost_with_or_without_atomic_requests(
    is_atomic: bool, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_atomic_requests(monkeypatch, is_atomic)
    response = Client(raise_request_exception=False).get(path)
    b"".join(response)
    row = InputRequestLog.objects.get()
    assert (row.path, row.response_code, row.version) == (path, response.status_code, 2)
    assert row.state is RequestLogState.of_response_code(response.status_code)
    assert not Group.objects.filter(name="rolled back").exists()


@pytest.mark.django_db(transaction=True, databases=["default", "log"])
@pytest.mark.parametrize("router", ROUTERS.values(), ids=ROUTERS)
def test_the_routers_send_logs_and_nothing_else_to_their_alias(router: str) -> None:
    with override_settings(DATABASE_ROUTERS=[router], SECURITY_LOG_DB_NAME="log"):
        assert InputRequestLog.objects.db == "log"
        assert User.objects.db == "default"
        with CaptureQueriesContext(connections["log"]) as queries:
            Client().get("/")
        assert len([query for query in queries if "security_sql_inputrequestlog" in query["sql"]]) == 2
        assert InputRequestLog.objects.count() == 1


def test_a_router_without_its_alias_says_what_is_missing() -> None:
    from django.core.exceptions import ImproperlyConfigured

    with (
        override_settings(DATABASE_ROUTERS=[ROUTERS["mirror"]]),
        pytest.raises(ImproperlyConfigured, match="needs SECURITY_LOG_DB_NAME"),
    ):
        InputRequestLog.objects.count()


@pytest.mark.parametrize(
    ("name", "alias", "app", "expected"),
    [
        ("mirror", "log", "security_sql", True),
        ("mirror", "log", "auth", True),
        ("mirror", "default", "security_sql", True),
        ("mirror", "default", "auth", True),
        ("own", "log", "security_sql", True),
        ("own", "log", "auth", False),
        ("own", "default", "security_sql", False),
        ("own", "default", "auth", True),
    ],
)
@override_settings(SECURITY_LOG_DB_NAME="log")
def test_each_table_is_migrated_where_it_belongs(name: str, alias: str, app: str, expected: bool) -> None:
    with override_settings(DATABASE_ROUTERS=[ROUTERS[name]]):
        assert router.allow_migrate(alias, app) is expected


def test_no_migration_is_missing() -> None:
    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


class RouterByModel:
    """A router of a site's own that decides for each model."""

    def allow_migrate(self, db: str, app_label: str, model_name: str | None = None, **hints: Any) -> bool:
        return model_name != "commandlog"


@pytest.mark.django_db(transaction=True)
def test_room_for_updates_is_left_in_the_tables_that_are_there() -> None:
    migration: Any = import_module("security.backends.sql.migrations.0002_room_for_updates")
    with override_settings(DATABASE_ROUTERS=[RouterByModel()]), connection.schema_editor(collect_sql=True) as editor:
        migration.leave_room(apps, editor)
        migration.fill(apps, editor)
    changed = [sql for sql in editor.collected_sql if "fillfactor" in sql]
    assert len(changed) == (8 if connection.vendor == "postgresql" else 0)
    assert not [sql for sql in changed if CommandLog._meta.db_table in sql]


@override_settings(USE_TZ=False)
def test_a_site_without_time_zones_has_its_times() -> None:
    record = InputRequestRecord()
    SQLWriter().write(recording.begin(record))
    row = InputRequestLog.objects.get()
    start: Any = row.start
    from django.utils import timezone

    assert abs(timezone.make_naive(record.start, timezone.get_default_timezone()) - start) < timedelta(seconds=1)


def test_a_range_of_time_is_a_range_of_the_primary_key() -> None:
    for _ in range(3):
        deliver(recording.begin(InputRequestRecord()))
    times = list(InputRequestLog.objects.order_by("id").values_list("start", flat=True))
    logs = InputRequestLog.objects
    assert logs.started_between(times[1]).count() == 2
    assert logs.started_between(None, times[1]).count() == 1
    assert logs.started_between(times[1], times[2]).count() == 1
    assert "id" in str(logs.started_between(times[1]).query.where)


def test_the_children_of_a_log_are_found() -> None:
    parent, child = InputRequestRecord(), OutputRequestRecord()
    child.parent_log = parent.reference
    deliver(recording.begin(parent) + recording.begin(child))
    row = InputRequestLog.objects.get()
    assert [log.id for log in OutputRequestLog.objects.all().children_of(row)] == [child.id]


def test_runs_and_invocations_find_each_other() -> None:
    deliver(recording.begin(CeleryTaskInvocationRecord(celery_task_id="7")))
    for retries in range(3):
        deliver(recording.begin(CeleryTaskRunRecord(celery_task_id="7", retries=retries)))
    invocation = CeleryTaskInvocationLog.objects.get()
    assert [run.retries for run in invocation.runs] == [0, 1, 2]
    assert (invocation.first_run.retries, invocation.last_run.retries) == (0, 2)  # type: ignore[union-attr]
    assert list(CeleryTaskRunLog.objects.first().get_task_invocation_logs()) == [invocation]  # type: ignore[union-attr]


def test_a_command_is_stored_with_its_output() -> None:
    record = CommandRecord(name="x", output="password=secret\n")
    deliver(recording.complete(record, Event.FINISHED))
    assert CommandLog.objects.get().output == "password=[Filtered]\n"


# The readers answer alike from each backend that reads.


@pytest.mark.usefixtures("reading")
def test_input_requests_are_counted() -> None:
    from_time = datetime.now(UTC)
    client = Client()
    client.get("/")
    client.post("/form/", {"a": 1}, REMOTE_ADDR="192.0.2.9")
    client.get("/orders/7/")
    count = get_count_input_requests
    assert count(from_time) == 3
    assert count(from_time, ip="192.0.2.9") == 1
    assert count(from_time, ip="::ffff:192.0.2.9") == 1
    assert count(from_time, path="/") == 1
    assert count(from_time, view_slug="order") == 1
    assert count(from_time, slug="order") == 1
    assert count(from_time, method="GET") == 2
    assert count(from_time, method="GET", path="/form/") == 0
    assert count(datetime.now(UTC)) == 0
    assert count(datetime.now() - timedelta(days=1)) == 3  # noqa: DTZ005 a naive time is the site's


@pytest.mark.usefixtures("reading")
def test_a_log_can_be_left_out_of_the_count() -> None:
    from_time = datetime.now(UTC)
    excluded: list[object] = []
    for _ in range(2):
        response = Client().get("/")
        excluded.append(response.wsgi_request.input_logged_request.id)
    seen = get_count_input_requests(from_time)
    assert seen == 2

    assert get_count_input_requests(from_time, exclude_log_id=str(excluded[0])) == seen - 1


@pytest.mark.usefixtures("reading")
def test_logs_are_found_by_the_object_they_are_related_with() -> None:
    Client().get("/orders/7/")
    Client().get("/orders/7/")
    Client().get("/orders/8/")
    group = Group.objects.get(name="order 7")
    logs = get_logs_related_with_object(LoggerName.INPUT_REQUEST, group)
    assert [log.path for log in logs] == ["/orders/7/", "/orders/7/"]
    assert logs[0].id > logs[1].id
    assert get_logs_related_with_object("output-request", group) == []
    pk = group.pk
    group.delete()
    group.pk = pk
    assert len(get_logs_related_with_object("input-request", group)) == 2


def test_the_readers_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match="'input-request', 'output-request'"):
        get_logs_related_with_object("requests", Group(pk=1))
    with pytest.raises(ValueError, match="save it before"):
        get_logs_related_with_object("input-request", Group())


def test_the_object_of_a_relation_is_none_when_it_is_gone() -> None:
    Client().get("/orders/7/")
    relation = RelatedObject.objects.get()
    assert str(relation.object) == "order 7"
    Group.objects.all().delete()
    assert relation.object is None
    # As a binary key would
    with patch.object(Group._meta.pk, "get_prep_value", side_effect=TypeError):
        assert relation.object is None
    for field, value in {"model": "gone.model", "database": "gone", "object_pk": "no-number"}.items():
        gone = RelatedObject.objects.get()
        setattr(gone, field, value)
        assert gone.object is None


@pytest.mark.parametrize("from_time", [3600, timedelta(hours=1), date(2026, 1, 1), None])
def test_a_time_to_count_from_that_is_none_is_told_how_one_is_written(from_time: Any) -> None:
    with pytest.raises(TypeError, match=r"from_time is a datetime.*timezone\.now\(\) - timedelta.*not "):
        get_count_input_requests(from_time)


def test_the_user_of_another_user_model_is_none() -> None:
    assert InputRequestLog(user_id="0b9d5f5e-0000-7000-8000-000000000000").user is None


def test_the_admin_shows_logs_and_lets_nobody_change_them(admin_client: Client) -> None:
    Client().get("/orders/7/")
    row = InputRequestLog.objects.get(path="/orders/7/")
    assert b"/orders/7/" in admin_client.get("/admin/security_sql/inputrequestlog/?q=orders").content
    page = admin_client.get(f"/admin/security_sql/inputrequestlog/{row.pk}/change/")
    assert page.status_code == 200
    assert b'name="_save"' not in page.content
    for kind in ("outputrequestlog", "commandlog", "celerytaskinvocationlog", "celerytaskrunlog"):
        assert admin_client.get(f"/admin/security_sql/{kind}/").status_code == 200
        assert admin_client.get(f"/admin/security_sql/{kind}/add/").status_code == 403
    deletion = {"action": "delete_selected", "_selected_action": str(row.pk), "post": "yes"}
    admin_client.post("/admin/security_sql/inputrequestlog/", deletion)
    assert (
        admin_client.post(f"/admin/security_sql/inputrequestlog/{row.pk}/delete/", {"post": "yes"}).status_code == 403
    )
    assert InputRequestLog.objects.filter(pk=row.pk).exists()


def test_no_entry_was_lost_on_the_way() -> None:
    before = lost_entries()
    Client().get("/orders/7/")
    assert lost_entries() == before


def test_the_models_are_none_of_a_site_without_their_app() -> None:
    apps_left = [path for path in settings.INSTALLED_APPS if path != "security.backends.sql"]
    with override_settings(INSTALLED_APPS=apps_left), pytest.raises(ImproperlyConfigured, match="these are its models"):
        reload(log_models)
    reload(log_models)
