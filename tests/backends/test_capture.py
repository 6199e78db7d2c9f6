"""The testing backend: captures nest, decorate, and need no writer."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.test import AsyncClient, Client, override_settings

from security import recording
from security.backends import registry
from security.backends.reader import get_count_input_requests
from security.backends.sql.models import InputRequestLog
from security.backends.testing import CapturedLogs, capture_security_logs
from security.delivery import deliver
from security.enums import Event, RequestLogState
from security.records import InputRequestRecord

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ["SECURITY_BACKENDS", "SECURITY_BACKEND_WRITERS"])
def test_a_capture_needs_no_writer(name: str) -> None:
    with override_settings(**{name: []}), capture_security_logs() as logged_data:
        Client().get("/")
    assert len(logged_data.input_request) == 1
    assert logged_data.output_request == logged_data.command == []
    assert logged_data.celery_task_invocation == logged_data.celery_task_run == []
    assert not InputRequestLog.objects.exists()


def test_a_capture_takes_nothing_from_the_writers() -> None:
    with capture_security_logs():
        Client().get("/")
    assert InputRequestLog.objects.count() == 1


def test_captures_nest() -> None:
    with capture_security_logs() as outer:
        Client().get("/")
        with capture_security_logs() as inner:
            Client().get("/async/")
        Client().get("/")
    assert [entry.path for entry in inner.input_request] == ["/async/"]
    assert [entry.path for entry in outer.input_request] == ["/", "/async/", "/"]


def test_one_capture_can_be_entered_again() -> None:
    capture = capture_security_logs()
    with capture as first, capture as second:
        Client().get("/")
    assert len(first.input_request) == len(second.input_request) == 1
    with capture as third:
        pass
    assert third.input_request == []


@capture_security_logs
def test_the_decorator_hands_over_what_was_logged(logged_data: CapturedLogs) -> None:
    Client().get("/")
    assert len(logged_data.input_request) == 1


@capture_security_logs()
def test_the_decorator_works_with_parentheses(logged_data: CapturedLogs, rf: object) -> None:
    Client().get("/")
    assert rf is not None
    assert len(logged_data.input_request) == 1


def test_a_decorated_coroutine_stays_one_and_is_handed_what_was_logged() -> None:
    @capture_security_logs
    async def ask(path: str, logged_data: CapturedLogs) -> CapturedLogs:
        await AsyncClient().get(path)
        return logged_data

    assert inspect.iscoroutinefunction(ask)
    assert len(async_to_sync(ask)("/async/").input_request) == 1


def test_the_decorator_leaves_a_function_without_that_parameter_alone() -> None:
    @capture_security_logs
    def double(number: int) -> int:
        return 2 * number

    assert double(3) == 6
    assert str(inspect.signature(double)) == "(number: 'int') -> 'int'"


@pytest.mark.parametrize("decorated", [type("Tests", (), {}), (lambda: (yield))], ids=["class", "generator"])
def test_what_a_capture_cannot_decorate_is_refused(decorated: Any) -> None:
    with pytest.raises(TypeError, match="decorate each test"):
        capture_security_logs(decorated)


@pytest.mark.parametrize(("chosen", "is_answering"), [(None, True), ("testing", True), ("sql", False)])
def test_a_capture_is_read_and_counts_unless_another_backend_is_chosen(chosen: str | None, is_answering: bool) -> None:
    with (
        override_settings(SECURITY_BACKEND_READER=chosen, SECURITY_BACKENDS=[]),
        capture_security_logs() as logs,
    ):
        Client().get("/")
        assert get_count_input_requests(datetime.now(UTC) - timedelta(minutes=1)) == is_answering
        assert (registry.counter() is logs.counter) is is_answering


def test_the_testing_backend_without_a_capture_says_what_to_open() -> None:
    with (
        override_settings(SECURITY_BACKEND_READER="testing"),
        pytest.raises(ImproperlyConfigured, match="while capture_security_logs is open"),
    ):
        get_count_input_requests(datetime.now(UTC))


def test_a_kinds_list_holds_what_became_and_an_events_list_what_was() -> None:
    with capture_security_logs() as logs:
        Client().get("/")
    assert [entry.version for entry in logs.input_request] == [2]
    assert [entry.version for entry in logs.input_request_started] == [1]
    assert [entry.version for entry in logs.input_request_finished] == [2]


def test_an_entry_that_comes_late_changes_nothing_of_what_became() -> None:
    record = InputRequestRecord()
    first = recording.begin(record)
    second = recording.complete(record, Event.FINISHED, state=RequestLogState.INFO)
    with override_settings(SECURITY_BACKENDS=[]), capture_security_logs() as logs:
        deliver(second)
        deliver(first)
    assert [entry.version for entry in logs.input_request] == [2]
    assert [entry.version for entry in logs.input_request_started] == [1]


def test_a_list_that_does_not_exist_names_those_that_do() -> None:
    with capture_security_logs() as logs, pytest.raises(AttributeError, match="input_request_started"):
        _ = logs.input_requests


def test_a_list_that_does_not_exist_is_answered_with_the_nearest_one() -> None:
    with capture_security_logs() as logged_data, pytest.raises(AttributeError) as raised:
        _ = logged_data.input_requests
    assert str(raised.value).startswith(
        "There is no list of logs named 'input_requests': did you mean 'input_request'? The lists are celery_task_"
    )


def test_async_with_is_answered_with_what_to_write() -> None:
    async def opened() -> None:
        async with capture_security_logs():
            pass

    with pytest.raises(TypeError, match="plain `with`, in asynchronous tests too"):
        async_to_sync(opened)()
