"""The tables of the logs, one a kind, and one of their relations to the site's objects.

The primary keys sort by time (UUID version 7): "what happened at 14:03" and "what is older than a year" are ranges of
the primary key (`started_between`), so no table has a second index on its start. Each other index names its query.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, ClassVar, Self

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.connection import ConnectionDoesNotExist
from django.utils.translation import gettext_lazy as _

from security.enums import (
    CeleryTaskInvocationLogState,
    CeleryTaskRunLogState,
    CommandState,
    LoggerName,
    RequestLogState,
)
from security.ids import first_id_at, new_id

from .fields import StateField


class LogQuerySet(models.QuerySet[Any]):
    """Logs, and the questions that the primary key answers."""

    def started_between(self, start: datetime | None = None, end: datetime | None = None) -> Self:
        """Give the logs that began at `start` or later and before `end` (aware times)."""
        logs = self
        if start is not None:
            # The id knows milliseconds, the column microseconds.
            logs = logs.filter(id__gte=first_id_at(start), start__gte=start)
        if end is not None:
            logs = logs.filter(id__lt=_id_after(end), start__lt=end)
        return logs

    def children_of(self, log: Log) -> Self:
        """Give the logs that began during `log`."""
        return self.filter(parent_log=log.reference)


def _id_after(moment: datetime) -> Any:
    return first_id_at(moment + timedelta(milliseconds=1))


class Log(models.Model):
    """What all kinds have in common."""

    kind: ClassVar[LoggerName]

    id = models.UUIDField(_("id"), primary_key=True, default=new_id, editable=False)
    start = models.DateTimeField(_("start"))
    release = models.CharField(_("release"), max_length=100, null=True, blank=True)
    parent_log = models.CharField(_("parent log"), max_length=100, null=True, blank=True)
    traceparent = models.CharField(_("traceparent"), max_length=55, null=True, blank=True)
    slug = models.CharField(_("slug"), max_length=255, null=True, blank=True)
    extra_data = models.JSONField(_("extra data"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    objects = LogQuerySet.as_manager()

    class Meta:
        abstract = True
        ordering = ("-id",)

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What the children of this log keep as their `parent_log`."""
        return f"{self.kind}|{self.pk}"

    @property
    def related_objects(self) -> models.QuerySet[RelatedObject]:
        """The references to the objects that this log is related with."""
        return RelatedObject.objects.using(self._state.db).filter(log_kind=str(self.kind), log_id=self.pk)


class RequestLog(Log):
    """What input and output requests have in common."""

    host = models.CharField(_("host"), max_length=255)
    method = models.CharField(_("method"), max_length=20)
    path = models.CharField(_("path"), max_length=2000)
    queries = models.JSONField(_("queries"), default=dict, blank=True)
    is_secure = models.BooleanField(_("HTTPS connection"), default=False)
    request_headers = models.JSONField(_("request headers"), default=dict, blank=True)
    request_body = models.TextField(_("request body"), blank=True)
    response_code = models.PositiveSmallIntegerField(_("response code"), null=True, blank=True)
    response_headers = models.JSONField(_("response headers"), default=dict, blank=True)
    response_body = models.TextField(_("response body"), blank=True)
    state = StateField(RequestLogState, verbose_name=_("state"), default=RequestLogState.INCOMPLETE)

    class Meta(Log.Meta):
        abstract = True


class CeleryTaskLog(Log):
    """What invocations and runs of Celery tasks have in common."""

    celery_task_id = models.CharField(_("celery task id"), max_length=255)
    name = models.CharField(_("task name"), max_length=255)
    queue_name = models.CharField(_("queue name"), max_length=255, null=True, blank=True)
    input = models.TextField(_("input"), blank=True)
    task_args = models.JSONField(_("task args"), default=list, blank=True, encoder=DjangoJSONEncoder)
    task_kwargs = models.JSONField(_("task kwargs"), default=dict, blank=True, encoder=DjangoJSONEncoder)

    class Meta(Log.Meta):
        abstract = True


class Ending(models.Model):
    """What is known when the thing has ended, in all kinds.

    These columns stand behind those that the row begins with: PostgreSQL writes to its log (WAL) only what lies between
    the first and the last byte that an update changes.
    """

    error_message = models.TextField(_("error message"), null=True, blank=True)
    stop = models.DateTimeField(_("stop"), null=True, blank=True)
    time = models.FloatField(_("time (s)"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        abstract = True


class InputRequestLog(RequestLog, Ending):
    """A request to the site."""

    kind = LoggerName.INPUT_REQUEST

    ip = models.GenericIPAddressField(_("IP address"), null=True, blank=True)
    user_id = models.CharField(_("user id"), max_length=255, null=True, blank=True)
    view_slug = models.CharField(_("view slug"), max_length=255, null=True, blank=True)

    class Meta(RequestLog.Meta):
        verbose_name = _("input request")
        verbose_name_plural = _("input requests")
        indexes = (
            # Requests of one client since a time: get_count_input_requests(from_time, ip=…)
            models.Index(fields=("ip", "start"), name="security_input_ip_start"),
            # "What did this user do?"
            models.Index(fields=("user_id", "start"), name="security_input_user_start"),
        )

    @property
    def user(self) -> Any:
        """The user who asked, or None: nobody was logged in, or the user was deleted since."""
        if self.user_id is None:
            return None
        model = get_user_model()
        try:
            return model._default_manager.filter(pk=self.user_id).first()
        except (ValueError, ValidationError):
            # An id of another user model, from before the site changed it.
            return None


class OutputRequestLog(RequestLog, Ending):
    """A request of the site to another one."""

    kind = LoggerName.OUTPUT_REQUEST

    class Meta(RequestLog.Meta):
        verbose_name = _("output request")
        verbose_name_plural = _("output requests")
        indexes = (
            # "What did this request (or task, or command) call?": children_of
            models.Index(fields=("parent_log",), name="security_output_parent"),
        )


class CommandLog(Log, Ending):
    """A management command."""

    kind = LoggerName.COMMAND

    name = models.CharField(_("name"), max_length=255)
    input = models.TextField(_("input"), blank=True)
    output = models.TextField(_("output"), blank=True)
    is_executed_from_command_line = models.BooleanField(_("executed from the command line"), default=False)
    state = StateField(CommandState, verbose_name=_("state"), default=CommandState.ACTIVE)

    class Meta(Log.Meta):
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        indexes = (
            # "When did this command last run?"
            models.Index(fields=("name", "start"), name="security_command_name_start"),
            # children_of
            models.Index(fields=("parent_log",), name="security_command_parent"),
        )


class CeleryTaskInvocationLog(CeleryTaskLog, Ending):
    """A Celery task that was queued."""

    kind = LoggerName.CELERY_TASK_INVOCATION

    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    triggered_at = models.DateTimeField(_("triggered at"), null=True, blank=True)
    is_unique = models.BooleanField(_("is unique"), default=False)
    is_async = models.BooleanField(_("is async"), default=True)
    is_on_commit = models.BooleanField(_("is on commit"), default=False)
    estimated_time_of_first_arrival = models.DateTimeField(_("estimated time of first arrival"), null=True, blank=True)
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    stale_at = models.DateTimeField(_("stale at"), null=True, blank=True)
    state = StateField(
        CeleryTaskInvocationLogState, verbose_name=_("state"), default=CeleryTaskInvocationLogState.WAITING
    )

    class Meta(CeleryTaskLog.Meta):
        verbose_name = _("celery task invocation")
        verbose_name_plural = _("celery task invocations")
        indexes = (
            # The invocation of a run, and the runs of an invocation
            models.Index(fields=("celery_task_id",), name="security_invocation_task"),
            # "When was this task last queued?" (published changelog, 1.0.6)
            models.Index(fields=("name", "start"), name="security_invocation_name_start"),
            # Invocations that are still open and whose time has passed: set_celery_task_log_state
            models.Index(fields=("state", "stale_at"), name="security_invocation_stale"),
            # children_of
            models.Index(fields=("parent_log",), name="security_invocation_parent"),
        )

    @property
    def runs(self) -> models.QuerySet[CeleryTaskRunLog]:
        """The attempts to run this task, the first one first."""
        runs = CeleryTaskRunLog.objects.using(self._state.db).filter(celery_task_id=self.celery_task_id)
        return runs.order_by("id")

    @property
    def first_run(self) -> CeleryTaskRunLog | None:
        return self.runs.first()

    @property
    def last_run(self) -> CeleryTaskRunLog | None:
        return self.runs.last()


class CeleryTaskRunLog(CeleryTaskLog, Ending):
    """One attempt to run a Celery task."""

    kind = LoggerName.CELERY_TASK_RUN

    result = models.JSONField(_("result"), null=True, blank=True, encoder=DjangoJSONEncoder)
    output = models.TextField(_("output"), blank=True)
    retries = models.PositiveIntegerField(_("retries"), default=0)
    estimated_time_of_next_retry = models.DateTimeField(_("estimated time of next retry"), null=True, blank=True)
    waiting_time = models.FloatField(_("waiting time (s)"), null=True, blank=True)
    state = StateField(CeleryTaskRunLogState, verbose_name=_("state"), default=CeleryTaskRunLogState.ACTIVE)

    class Meta(CeleryTaskLog.Meta):
        verbose_name = _("celery task run")
        verbose_name_plural = _("celery task runs")
        indexes = (
            # The runs of an invocation
            models.Index(fields=("celery_task_id",), name="security_run_task"),
            # "When did this task last run?" (published changelog, 1.0.6)
            models.Index(fields=("name", "start"), name="security_run_name_start"),
            # Runs that are still open: set_celery_task_log_state
            models.Index(fields=("state", "start"), name="security_run_state_start"),
            # children_of
            models.Index(fields=("parent_log",), name="security_run_parent"),
        )

    def get_task_invocation_logs(self) -> models.QuerySet[CeleryTaskInvocationLog]:
        """Give the invocations that led to this run."""
        return CeleryTaskInvocationLog.objects.using(self._state.db).filter(celery_task_id=self.celery_task_id)


class RelatedObject(models.Model):
    """A relation of a log to any object of the site, without a foreign key: either may be in another database."""

    log_kind = models.CharField(_("kind of log"), max_length=40)
    log_id = models.UUIDField(_("id of the log"))
    database = models.CharField(_("database"), max_length=100)
    model = models.CharField(_("model"), max_length=201)
    object_pk = models.CharField(_("primary key"), max_length=255)

    class Meta:
        verbose_name = _("related object")
        verbose_name_plural = _("related objects")
        constraints = (
            # A relation that is written again stays one; and the relations of a log.
            models.UniqueConstraint(
                fields=("log_id", "model", "object_pk", "database"), name="security_related_object_once"
            ),
        )
        indexes = (
            # get_logs_related_with_object, the newest first
            models.Index(fields=("object_pk", "model", "log_id"), name="security_related_object"),
        )

    def __str__(self) -> str:
        return f"{self.model} {self.object_pk}"

    @property
    def object(self) -> Any:
        """The object, or None if it was deleted since, or its model or database is gone."""
        try:
            model = apps.get_model(self.model)
        except LookupError:
            return None
        try:
            pk = tuple(json.loads(self.object_pk)) if len(model._meta.pk_fields) > 1 else self.object_pk
            return model._base_manager.using(self.database).filter(pk=pk).first()
        except (ValueError, ValidationError, ConnectionDoesNotExist):
            # The site changed the model's key, or has that database no more.
            return None


class ThrottlingCount(models.Model):
    """How often one client asked for one thing of late; `security.rates` says how it is counted.

    The times are milliseconds since 1970: they are compared in SQL, where each database has its own functions of time.
    """

    key = models.CharField(_("key"), max_length=32, primary_key=True)
    timeframe = models.BigIntegerField(_("timeframe (ms)"))
    throttle_at = models.BigIntegerField(_("throttle at"))
    start = models.BigIntegerField(_("start"))
    previous = models.BigIntegerField(_("hits of the window before"))
    hits = models.BigIntegerField(_("hits"))
    is_full = models.BooleanField(_("is full"))
    expires = models.BigIntegerField(_("expires"))

    class Meta:
        verbose_name = _("throttling count")
        verbose_name_plural = _("throttling counts")
        constraints = (
            # A statement that finds no room in one of its rows breaks this on purpose, and so changes no row.
            models.CheckConstraint(condition=models.Q(hits__gte=0), name="security_throttling_has_room"),
        )
        indexes = (
            # Counts of long ago, which nobody needs
            models.Index(fields=("expires",), name="security_throttling_expires"),
        )

    def __str__(self) -> str:
        return self.key


LOG_MODELS: dict[LoggerName, type[Log]] = {
    model.kind: model
    for model in (InputRequestLog, OutputRequestLog, CommandLog, CeleryTaskInvocationLog, CeleryTaskRunLog)
}
