"""The tables of Celery tasks, and the way from one to the other."""

from __future__ import annotations

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from security.backends.sql.fields import StateField
from security.enums import CeleryTaskInvocationLogState, CeleryTaskRunLogState, LoggerName

from .base import CeleryTaskLog, Ending, Listing


class CeleryTaskInvocationLog(CeleryTaskLog, Ending):
    """A Celery task that was queued."""

    kind = LoggerName.CELERY_TASK_INVOCATION
    listing = Listing(
        ("start", "state", "name", "celery_task_id", "queue_name", "time"),
        search_fields=("=id", "name", "=celery_task_id"),
    )

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
            # Invocations that are still open: set_celery_task_log_state, which looks at their times itself
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
    listing = Listing(
        ("start", "state", "name", "celery_task_id", "retries", "time"),
        search_fields=("=id", "name", "=celery_task_id"),
    )

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
