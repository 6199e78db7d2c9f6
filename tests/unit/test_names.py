"""What existing sites import and read is there."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module
from inspect import signature

import pytest
from django.apps import apps
from django.core.management import get_commands
from django.http import HttpResponse
from django.test import RequestFactory, override_settings

from security.backends.registry import installed_backends
from security.backends.sql.models import LOG_MODELS
from security.backends.testing import CapturedLogs
from security.config import all_settings
from security.enums import LoggerName
from security.middleware import LogMiddleware
from security.records import RECORD_TYPES, InputRequestRecord

IMPORTS = {
    "security.apps": "SecurityConfig",
    "security.backends.logging.app": "SecurityLoggingBackend",
    "security.backends.reader": "get_count_input_requests get_logs_related_with_object",
    "security.backends.sql.app": "SecuritySQLBackend",
    "security.backends.sql.db_router": "MirrorSecurityLoggerRouter MultipleDBSecurityLoggerRouter",
    "security.backends.sql.dbr_router": "MirrorSecurityLoggerRouter MultipleDBSecurityLoggerRouter",
    "security.backends.sql.models": (
        "InputRequestLog OutputRequestLog CommandLog CeleryTaskInvocationLog CeleryTaskRunLog"
    ),
    "security.backends.testing": "capture_security_logs",
    "security.backends.testing.app": "SecurityTestingBackend",
    "security.config": "settings",
    "security.context": "bind",
    "security.decorators": (
        "log_with_data atomic_log hide_request_body hide_request_body_all log_exempt log_exempt_all "
        "throttling throttling_all throttling_exempt throttling_exempt_all"
    ),
    "security.default_validators": "default_validators",
    "security.delivery": "lost_entries",
    "security.enums": (
        "LoggerName RequestLogState CommandState CeleryTaskInvocationLogState CeleryTaskRunLogState InputRequestSlug"
    ),
    "security.exception": "ThrottlingException",
    "security.httpx": "get post put patch delete head options request stream Client AsyncClient",
    "security.logging.requests.utils": "log_input_request_with_data",
    "security.management": "execute_from_command_line call_command",
    "security.middleware": "LogMiddleware",
    "security.models": "InputLoggedRequest",
    "security.references": "ObjectReference",
    "security.requests": "get post put patch delete head options request Session session",
    "security.suds": "Client SecurityRequestsTransport",
    "security.task": "LoggedTask StaleTaskRunError",
    "security.throttling": (
        "PerRequestThrottlingValidator UnsuccessfulLoginThrottlingValidator SuccessfulLoginThrottlingValidator "
        "ShadowValidator ThrottlingException undecided_requests"
    ),
    "security.throttling.default_validators": "default_validators",
    "security.throttling.exception": "ThrottlingException",
    "security.throttling.validators": (
        "PerRequestThrottlingValidator PerRequestCacheThrottlingValidator UnsuccessfulLoginThrottlingValidator "
        "SuccessfulLoginThrottlingValidator UnSuccessfulTwoFactorCodeVerificationThrottlingValidator "
        "SuccessfulTwoFactorCodeVerificationThrottlingValidator"
    ),
    "security.throttling.views": "throttling_failure_view",
    "security.utils": "get_object_triple",
    "security.views": "throttling_failure_view",
    "security.zeep": "Transport AsyncTransport",
}
PARAMETERS = {
    "security.backends.reader.get_count_input_requests": "from_time ip path view_slug slug method exclude_log_id",
    "security.backends.reader.get_logs_related_with_object": "logger_name related_object",
    "security.decorators.log_with_data": "related_objects slug output_requests_related_objects extra_data",
    "security.decorators.throttling": "validators keep_default",
    "security.decorators.throttling_all": "validators keep_default",
    "security.logging.requests.utils.log_input_request_with_data": "request related_objects slug extra_data",
    "security.suds.Client": "slug related_objects",
    "security.suds.SecurityRequestsTransport": "slug related_objects",
    "security.throttling.PerRequestThrottlingValidator": "timeframe throttle_at description",
    "security.views.throttling_failure_view": "request exception",
}
SETTINGS = (
    "RELEASE THROTTLING_ENABLED BACKEND_READER BACKEND_WRITERS RAISE_WRITER_EXCEPTIONS BACKUP_STORAGE_PATH "
    "DEBUG_TOOLBAR_IGNORE_URL_REGEX_PATHS"
)
COMMANDS = "set_celery_task_log_state set_log_state explain_masking mask_logs throttling_check"
ENUMS = {
    "LoggerName": {
        "INPUT_REQUEST": "input-request",
        "OUTPUT_REQUEST": "output-request",
        "COMMAND": "command",
        "CELERY_TASK_INVOCATION": "celery-task-invocation",
        "CELERY_TASK_RUN": "celery-task-run",
    },
    "RequestLogState": {"INCOMPLETE": 0, "DEBUG": 10, "INFO": 20, "WARNING": 30, "ERROR": 40},
    "CommandState": {"ACTIVE": 1, "SUCCEEDED": 2, "FAILED": 3},
    "CeleryTaskInvocationLogState": {
        "WAITING": 1,
        "ACTIVE": 2,
        "SUCCEEDED": 3,
        "FAILED": 4,
        "EXPIRED": 6,
        "TRIGGERED": 7,
        "TIMEOUT": 8,
        "IGNORED": 9,
        "DUPLICATE": 10,
    },
    "CeleryTaskRunLogState": {"ACTIVE": 1, "SUCCEEDED": 2, "FAILED": 3, "RETRIED": 4, "EXPIRED": 5},
    "InputRequestSlug": {
        name: name
        for name in (
            "UNSUCCESSFUL_LOGIN_REQUEST",
            "SUCCESSFUL_LOGIN_REQUEST",
            "UNSUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST",
            "SUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST",
        )
    },
}
ALL = "id slug release related_objects extra_data parent_log start stop time state error_message version"
REQUEST = "host method path queries is_secure request_headers request_body response_code response_headers response_body"
TASK = "celery_task_id name queue_name input task_args task_kwargs"
FIELDS = {
    LoggerName.INPUT_REQUEST: f"{REQUEST} ip user_id view_slug",
    LoggerName.OUTPUT_REQUEST: REQUEST,
    LoggerName.COMMAND: "name input output is_executed_from_command_line",
    LoggerName.CELERY_TASK_INVOCATION: (
        f"{TASK} applied_at triggered_at is_unique is_async is_on_commit estimated_time_of_first_arrival expires_at "
        "stale_at"
    ),
    LoggerName.CELERY_TASK_RUN: f"{TASK} result output retries estimated_time_of_next_retry waiting_time",
}
EVENTS = {
    "input_request": "started finished error",
    "output_request": "started finished error",
    "command": "started output_updated finished error",
    "celery_task_invocation": "started triggered ignored timeout duplicate expired succeeded failed",
    "celery_task_run": "started succeeded failed retried output_updated",
}


@pytest.mark.parametrize(("module", "names"), IMPORTS.items(), ids=IMPORTS)
def test_a_name_can_be_imported(module: str, names: str) -> None:
    found = import_module(module)
    assert [name for name in names.split() if not hasattr(found, name)] == []


@pytest.mark.parametrize(("path", "names"), PARAMETERS.items(), ids=PARAMETERS)
def test_a_function_takes_the_parameters_that_sites_give(path: str, names: str) -> None:
    module, _, name = path.rpartition(".")
    called = getattr(import_module(module), name)
    assert set(names.split()) <= set(signature(called).parameters)


def test_a_backend_has_the_name_that_settings_call_it_by() -> None:
    assert {"sql", "logging", "testing"} <= set(installed_backends())


def test_settings_that_sites_have_are_settings() -> None:
    names = {name for setting in all_settings() for name in setting.names}
    assert {f"SECURITY_{name}" for name in SETTINGS.split()} <= names


def test_commands_that_sites_call_are_commands() -> None:
    known = get_commands()
    assert [name for name in COMMANDS.split() if known.get(name) != "security"] == []


def test_a_task_has_what_sites_call_and_override() -> None:
    from security.task import LoggedTask

    names = (
        "apply_async apply_async_on_commit delay_on_commit stale_time_limit "
        "on_start_task on_success_task on_failure_task on_retry_task"
    )
    assert [name for name in names.split() if not hasattr(LoggedTask, name)] == []


@pytest.mark.parametrize("kind", LoggerName)
def test_a_row_has_the_columns_and_properties_that_sites_read(kind: LoggerName) -> None:
    properties = {
        LoggerName.INPUT_REQUEST: "user",
        LoggerName.CELERY_TASK_INVOCATION: "runs first_run last_run",
        LoggerName.CELERY_TASK_RUN: "get_task_invocation_logs",
    }
    names = f"{ALL} {FIELDS[kind]} {properties.get(kind, '')}".split()
    assert [name for name in names if not hasattr(LOG_MODELS[kind], name)] == []
    row = LOG_MODELS[kind]()
    assert row.state.name == row.state.label.upper()


@pytest.mark.parametrize(("name", "members"), ENUMS.items(), ids=ENUMS)
def test_a_state_is_stored_as_ever(name: str, members: dict[str, object]) -> None:
    enum = getattr(import_module("security.enums"), name)
    assert {member: getattr(enum, member).value for member in members} == members


@pytest.mark.parametrize("kind", LoggerName)
def test_a_record_has_the_fields_that_sites_read(kind: LoggerName) -> None:
    names = {field.name for field in fields(RECORD_TYPES[kind])}
    assert set(f"{ALL} {FIELDS[kind]}".split()) <= names


def test_a_capture_has_a_list_for_each_kind_and_event() -> None:
    logs = CapturedLogs()
    for kind, events in EVENTS.items():
        assert getattr(logs, kind) == []
        for event in events.split():
            assert getattr(logs, f"{kind}_{event}") == []


def test_the_live_record_has_the_methods_that_views_call() -> None:
    record = InputRequestRecord()
    record.set_slug("a")
    record.update_extra_data({"a": 1})
    record.add_related_objects()
    assert (record.slug, record.extra_data, record.related_objects) == ("a", {"a": 1}, ())


@override_settings(SECURITY_LOG_REQUEST_IGNORE_URL_PATHS={"/"})
def test_the_live_record_is_of_the_class_that_was_published_and_that_is_no_table() -> None:
    from security.models import InputLoggedRequest

    request = RequestFactory().get("/")
    LogMiddleware(lambda request: HttpResponse())(request)
    assert isinstance(request.input_logged_request, InputLoggedRequest)
    assert list(apps.get_app_config("security").get_models()) == []
