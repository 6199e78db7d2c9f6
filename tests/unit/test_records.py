"""Records, their entries, and the tables of them agree."""

from __future__ import annotations

import json
from datetime import timedelta
from time import perf_counter

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.sessions.models import Session
from django.db import models
from django.test import RequestFactory

from security import fields, masking, recording
from security.backends.sql.models import LOG_MODELS, RelatedObject
from security.context import inside
from security.enums import Event, LoggerName, RequestLogState
from security.fields import Name
from security.records import (
    FIELDS,
    RECORD_TYPES,
    TRANSITIONS,
    CeleryTaskRunRecord,
    CommandRecord,
    InputRequestRecord,
    Record,
)
from security.references import ObjectReference
from security.sources.input_requests import messages


@pytest.mark.parametrize("kind", LoggerName)
def test_the_columns_of_a_table_are_the_fields_of_its_record(kind: LoggerName) -> None:
    columns = {field.attname for field in LOG_MODELS[kind]._meta.concrete_fields}
    # Relations are rows of a table of their own.
    assert columns == FIELDS[kind].keys() - {"related_objects"}


@pytest.mark.parametrize("kind", LoggerName)
def test_what_a_field_may_hold_fits_its_column(kind: LoggerName) -> None:
    for name, how in FIELDS[kind].items():
        if name == "related_objects":
            continue
        column = LOG_MODELS[kind]._meta.get_field(name)
        if isinstance(column, models.CharField):
            assert how.max_length <= column.max_length, name  # type: ignore[attr-defined]
        if isinstance(how, Name):
            assert isinstance(column, models.CharField), name


@pytest.mark.parametrize("kind", LoggerName)
def test_every_kind_has_a_record_a_table_and_events_that_begin_and_end_it(kind: LoggerName) -> None:
    assert RECORD_TYPES[kind].kind is LOG_MODELS[kind].kind is kind
    assert Event.STARTED in TRANSITIONS[kind]
    assert any(transition.is_final for transition in TRANSITIONS[kind].values())


def test_the_version_grows_with_each_entry_and_an_entry_stays_as_it_was() -> None:
    record = InputRequestRecord(slug="a")
    (first,) = recording.begin(record)
    record.set_slug("b")
    (second,) = recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    assert (first.version, first.slug, first.state, first.stop) == (1, "a", RequestLogState.INCOMPLETE, None)
    assert (second.version, second.slug, second.state) == (2, "b", RequestLogState.INFO)
    assert second.stop >= second.start
    with pytest.raises(TypeError):
        second.values["slug"] = "c"
    with pytest.raises(AttributeError, match="has no field 'nonsense'"):
        _ = second.nonsense


def test_the_time_of_a_record_is_in_seconds() -> None:
    before = perf_counter()
    record = InputRequestRecord(began=before - 60)
    (entry,) = recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    assert 60 <= entry.time <= 60 + perf_counter() - before
    assert entry.stop - entry.start == timedelta(seconds=entry.time)


def test_what_is_settled_is_masked_once_and_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    masked: list[str] = []
    mask = masking.mask_members
    monkeypatch.setattr(fields, "mask_members", lambda members, group: masked.append(group) or mask(members, group))
    record = InputRequestRecord(
        path="/a",
        queries={"page": "2"},
        request_headers={"Authorization": "secret"},
        response_headers={"Allow": "GET"},
    )
    (first,) = recording.begin(record)
    record.path = "/b"
    (second,) = recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    assert (first.path, second.path) == ("/a", "/a")
    assert first.request_headers == second.request_headers == {"Authorization": "[Filtered]"}
    # The queries and the headers of the request, and twice the headers of a response.
    assert masked == ["QUERIES", "HEADERS", "HEADERS", "HEADERS"]


def test_the_parent_is_the_innermost_record_that_is_stored() -> None:
    outer, unseen, inner = InputRequestRecord(), InputRequestRecord(is_recorded=False), InputRequestRecord()
    with inside(outer), inside(unseen), inside(inner):
        (entry,) = recording.begin(inner)
    assert entry.parent_log == f"input-request|{outer.id}"
    (alone,) = recording.begin(InputRequestRecord())
    assert alone.parent_log is None


def test_what_has_no_value_is_stored_as_its_column_takes_it() -> None:
    record = InputRequestRecord(response_headers=None, response_body=None, slug=None, error_message=None)  # type: ignore[arg-type]
    (entry,) = recording.begin(record)
    assert (entry.response_headers, entry.response_body) == ({}, "")
    assert (entry.slug, entry.error_message) == (None, None)


def test_a_record_that_is_not_recorded_makes_no_entry() -> None:
    record = InputRequestRecord(is_recorded=False)
    assert recording.begin(record) == recording.complete(record, Event.FINISHED) == []


def test_what_cannot_be_masked_is_hidden_whole(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("password=secret")

    record = InputRequestRecord(path=Broken(), request_headers={"A": 1})  # type: ignore[arg-type,dict-item]
    (entry,) = recording.begin(record)
    assert entry.path == "[Filtered]"
    assert entry.request_headers == {}
    assert "path" in caplog.text
    assert "secret" not in caplog.text


def test_a_long_error_message_keeps_its_end() -> None:
    record = InputRequestRecord()
    (entry,) = recording.complete(record, Event.ERROR, error_message="first\n" + "x" * 100_000 + "\nValueError: last")
    assert len(entry.error_message) == 10_000
    assert entry.error_message.startswith("first")
    assert entry.error_message.endswith("ValueError: last")


def test_extra_data_of_any_sort_is_stored_as_json_and_masked() -> None:
    record = InputRequestRecord()
    record.update_extra_data({"when": {1, 2}.__class__, "text": "password=x\0", "big": float("inf"), "n": [1.5, None]})
    record.update_extra_data({"n": 2, "odd": float("nan"), (1, 2): "a name that JSON has not"})  # type: ignore[dict-item]
    (entry,) = recording.begin(record)
    assert entry.extra_data == {"when": str(set), "text": "password=[Filtered]", "big": "inf", "n": 2, "odd": "nan"}


def test_extra_data_too_long_or_too_deep_is_left_out() -> None:
    record = InputRequestRecord()
    record.update_extra_data({"long": "x" * 200_000})
    (entry,) = recording.begin(record)
    assert "too long to store" in entry.extra_data["…"]
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    record.extra_data = {"deep": deep}
    (entry,) = recording.begin(record)
    assert entry.extra_data == {}


@pytest.mark.django_db
def test_related_objects_are_references_without_doubles() -> None:
    group = Group.objects.create(name="a")
    record = InputRequestRecord()
    record.add_related_objects(group, group)
    record.add_related_objects(group)
    assert record.related_objects == (ObjectReference("default", "auth.group", str(group.pk)),)


def test_a_related_object_that_is_not_saved_is_an_error_that_names_it() -> None:
    with pytest.raises(ValueError, match=r"Group.*save it before"):
        InputRequestRecord().add_related_objects(Group(name="a"))
    with pytest.raises(TypeError, match="instance of a Django model"):
        InputRequestRecord().add_related_objects("a")  # type: ignore[arg-type]


def test_the_reference_of_a_record_is_its_kind_and_id() -> None:
    record: Record = InputRequestRecord()
    assert record.reference == f"input-request|{record.id}"
    assert RelatedObject._meta.get_field("log_kind").max_length >= max(map(len, LoggerName))  # type: ignore[union-attr,operator]


def test_half_a_secret_behind_the_middle_of_a_long_text_is_not_stored() -> None:
    message = "ValueError: body was " + "x" * 25_000 + "&password=" + "S3CRET" * 5_000
    record = InputRequestRecord(error_message=message)
    (entry,) = recording.begin(record)
    assert "S3CRET" not in entry.error_message
    (entry,) = recording.begin(InputRequestRecord(error_message=message * 100))
    assert "S3CRET" not in entry.error_message
    assert len(entry.error_message) <= 10_000


@pytest.mark.parametrize(
    ("record_type", "field", "made", "window"),
    [
        (CeleryTaskRunRecord, "input", "password='{}' {}", 20_000),
        (CeleryTaskRunRecord, "output", "password='{}' {}", 200_000),
        (InputRequestRecord, "path", "/token/{}/{}", 4_000),
        (InputRequestRecord, "host", "ann:{}@{}.example", 510),
    ],
)
def test_half_a_secret_where_the_look_at_a_text_ends_is_not_stored(
    record_type: type[Record], field: str, made: str, window: int
) -> None:
    # What is hidden of the beginning makes room for the end.
    beginning = made.format("z" * (window - 100), "")
    text = beginning.removesuffix(".example").ljust(window - 15, "x") + "AKIAIOSFODNN7EXAMPLE" + "x" * 1000
    (entry,) = recording.begin(record_type(**{field: text}))
    stored = getattr(entry, field)
    assert "[Filtered]" in stored
    assert "AKIAIO" not in stored


@pytest.mark.parametrize("length", range(4960, 4990))
def test_half_a_secret_of_several_words_is_not_stored(length: int) -> None:
    words = ["--password", "z" * 15_000, "y" * length, "4539", "5787", "6362", "1486"]
    (entry,) = recording.begin(CommandRecord(input=words))
    assert entry.input.startswith("--password [Filtered] yyy")
    assert "4539" not in entry.input


def test_no_more_words_of_a_command_are_looked_at_than_are_stored() -> None:
    words = iter([""] * 100_000)
    (entry,) = recording.begin(CommandRecord(input=words))  # type: ignore[arg-type]
    assert len(entry.input) == 10_000
    assert len([*words]) > 70_000


def test_data_nested_deeper_than_a_database_takes_is_cut() -> None:
    data: dict[str, object] = {"a": 1}
    for _ in range(60):
        data = {"deeper": data}
    (entry,) = recording.begin(InputRequestRecord(extra_data=data))
    assert json.dumps(entry.extra_data).count("deeper") == 30


def test_two_long_keys_are_two_references_and_every_database_takes_them() -> None:
    keys = ["k" * 300 + end for end in ("a", "b")]
    one, other = (ObjectReference.to(Session(session_key=key)) for key in keys)
    assert one != other
    assert len(one.pk) == 255
    assert ObjectReference.to(Session(session_key="a\0\ud800")).pk == "a␀\\ud800"


class Odd(InputRequestRecord):
    """A record of a site's own, with a field that it computes."""

    @property
    def path(self) -> str:
        raise LookupError("no path")

    @path.setter
    def path(self, path: str) -> None:
        pass


def test_a_field_that_cannot_be_read_is_hidden_and_takes_no_other_with_it() -> None:
    (entry,) = recording.begin(Odd(host="shop.example"))
    assert (entry.path, entry.host) == ("[Filtered]", "shop.example")


def test_the_host_is_what_the_site_says_it_is() -> None:
    request = RequestFactory().get("/", headers={"host": "internal:8000"})
    assert messages.host_of(request) == "internal:8000"
    vars(request)["get_host"] = lambda: "www.example"
    assert messages.host_of(request) == "www.example"


@pytest.mark.parametrize(
    ("name", "said"),
    [("requestbody", r"'requestbody': did you mean 'request_body'\?"), ("xyzzy", "'xyzzy': its fields are .*path, ")],
)
def test_an_entry_names_the_field_that_may_be_meant(name: str, said: str) -> None:
    (entry,) = recording.begin(InputRequestRecord())
    with pytest.raises(AttributeError, match=said):
        getattr(entry, name)


@pytest.mark.django_db
def test_the_record_of_a_request_knows_its_user_as_its_row_does() -> None:
    user = get_user_model().objects.create_user("ann")
    assert InputRequestRecord(user_id=str(user.pk)).user == user
    for user_id in (None, "999", "0b9d5f5e-0000-7000-8000-000000000000"):
        assert InputRequestRecord(user_id=user_id).user is None


@pytest.mark.django_db
def test_what_a_reader_gives_inside_of_a_capture_is_used_as_rows_are() -> None:
    user = get_user_model().objects.create_user("ann")
    record = InputRequestRecord(user_id=str(user.pk))
    record.add_related_objects(user)
    (entry,) = recording.begin(record)
    assert entry.user == user
    assert [relation.object for relation in entry.related_objects] == [user]
    assert entry.reference == record.reference
    # What a record does is not what an entry is.
    with pytest.raises(AttributeError, match="'set_slug'"):
        _ = entry.set_slug
