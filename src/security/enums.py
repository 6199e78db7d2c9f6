"""The kinds that are recorded, what can happen to them, and the states in which they rest."""

from __future__ import annotations

from enum import StrEnum

from django.db.models import IntegerChoices, TextChoices


class LoggerName(StrEnum):
    """The kind of a record."""

    INPUT_REQUEST = "input-request"
    OUTPUT_REQUEST = "output-request"
    COMMAND = "command"
    CELERY_TASK_INVOCATION = "celery-task-invocation"
    CELERY_TASK_RUN = "celery-task-run"


class Event(StrEnum):
    """What happened to a record when an entry of it was made."""

    STARTED = "started"
    OUTPUT_UPDATED = "output_updated"
    FINISHED = "finished"
    ERROR = "error"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    RETRIED = "retried"
    TRIGGERED = "triggered"
    IGNORED = "ignored"
    TIMEOUT = "timeout"
    DUPLICATE = "duplicate"
    EXPIRED = "expired"
    ACTIVATED = "activated"
    REVOKED = "revoked"


class RequestLogState(IntegerChoices):
    """The state of an input or output request; the steps of ten are those of `logging`."""

    INCOMPLETE = 0, "incomplete"
    DEBUG = 10, "debug"
    INFO = 20, "info"
    WARNING = 30, "warning"
    ABORTED = 32, "aborted"
    THROTTLED = 34, "throttled"
    ERROR = 40, "error"

    @classmethod
    def of_response_code(cls, code: int | None) -> RequestLogState:
        """Tell the state of a request that was answered with the HTTP status `code`, None for one that is none."""
        if code is None or code >= 500:
            return cls.ERROR
        return cls.WARNING if code >= 400 else cls.INFO


class CommandState(IntegerChoices):
    """The state of a management command."""

    ACTIVE = 1, "active"
    SUCCEEDED = 2, "succeeded"
    FAILED = 3, "failed"
    TERMINATED = 4, "terminated"


class CeleryTaskInvocationLogState(IntegerChoices):
    """The state of a task that was queued."""

    WAITING = 1, "waiting"
    ACTIVE = 2, "active"
    SUCCEEDED = 3, "succeeded"
    FAILED = 4, "failed"
    EXPIRED = 6, "expired"
    TRIGGERED = 7, "triggered"
    TIMEOUT = 8, "timeout"
    IGNORED = 9, "ignored"
    DUPLICATE = 10, "duplicate"
    REVOKED = 11, "revoked"


class CeleryTaskRunLogState(IntegerChoices):
    """The state of one attempt to run a task."""

    ACTIVE = 1, "active"
    SUCCEEDED = 2, "succeeded"
    FAILED = 3, "failed"
    RETRIED = 4, "retried"
    EXPIRED = 5, "expired"


class InputRequestSlug(TextChoices):
    """The slugs by which logins are found again among the input requests."""

    UNSUCCESSFUL_LOGIN_REQUEST = "UNSUCCESSFUL_LOGIN_REQUEST"
    SUCCESSFUL_LOGIN_REQUEST = "SUCCESSFUL_LOGIN_REQUEST"
    UNSUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST = "UNSUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST"
    SUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST = "SUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST"
