"""What existing sites import and read is there."""

from __future__ import annotations

from dataclasses import fields
from importlib import import_module

import pytest

from security.backends.testing import CapturedLogs
from security.enums import LoggerName
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
    "security.decorators": (
        "hide_request_body hide_request_body_all log_exempt log_exempt_all "
        "throttling throttling_all throttling_exempt throttling_exempt_all"
    ),
    "security.default_validators": "default_validators",
    "security.enums": (
        "LoggerName RequestLogState CommandState CeleryTaskInvocationLogState CeleryTaskRunLogState InputRequestSlug"
    ),
    "security.exception": "ThrottlingException",
    "security.logging.requests.utils": "log_input_request_with_data",
    "security.middleware": "LogMiddleware",
    "security.throttling": (
        "PerRequestThrottlingValidator UnsuccessfulLoginThrottlingValidator SuccessfulLoginThrottlingValidator"
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
}
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
