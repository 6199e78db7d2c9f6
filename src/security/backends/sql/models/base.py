"""What the tables of all kinds, and of the kinds of a family, have in common."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Self

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils.translation import gettext_lazy as _

from security.backends.sql.fields import StateField
from security.enums import RequestLogState
from security.ids import first_id_at, new_id

from .related_objects import RelatedObject

# An id and a start are taken one after the other, and a process may be held up between them.
_BETWEEN: Final = timedelta(minutes=1)


class LogQuerySet(models.QuerySet[Any]):
    """Logs, and the questions that the primary key answers."""

    def started_between(self, start: datetime | None = None, end: datetime | None = None) -> Self:
        """Give the logs that began at `start` or later and before `end` (aware times)."""
        logs = self
        if start is not None:
            logs = logs.filter(id__gte=first_id_at(start - _BETWEEN), start__gte=start)
        if end is not None:
            logs = logs.filter(id__lt=first_id_at(end + _BETWEEN), start__lt=end)
        return logs

    def children_of(self, log: Log) -> Self:
        """Give the logs that began during `log`."""
        return self.filter(parent_log=log.reference)


@dataclass(frozen=True, slots=True)
class Listing:
    """How the admin lists the logs of a kind."""

    columns: tuple[str, ...]
    filters: tuple[str, ...] = ("state",)
    search_fields: tuple[str, ...] = ("=id",)


# Each kind by its name: a kind is here as soon as its model is a class.
LOG_MODELS: Final[dict[str, type[Log]]] = {}


class Log(models.Model):
    """What all kinds have in common."""

    kind: ClassVar[str]
    listing: ClassVar[Listing] = Listing(("start", "state", "slug", "time"))

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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "kind" in vars(cls):
            LOG_MODELS[cls.kind] = cls

    def __str__(self) -> str:
        return self.reference

    @property
    def reference(self) -> str:
        """What the children of this log keep as their `parent_log`."""
        return f"{self.kind}|{self.pk}"

    @property
    def summary(self) -> str:
        """What the log is about, in one line and without a long text."""
        return str(self.pk)

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

    @property
    def summary(self) -> str:
        code = "" if self.response_code is None else f" {self.response_code}"
        return f"{self.method} {self.host}{self.path}{code}"


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

    @property
    def summary(self) -> str:
        return self.name


class Ending(models.Model):
    """What is known when the thing has ended, in all kinds.

    These columns stand behind those that the row begins with: PostgreSQL writes to its log (WAL) only what lies between
    the first and the last byte that an update changes. Django orders columns as their fields were made, so what the
    kinds of a family begin with stands above, in this module.
    """

    error_message = models.TextField(_("error message"), null=True, blank=True)
    stop = models.DateTimeField(_("stop"), null=True, blank=True)
    time = models.FloatField(_("time (s)"), null=True, blank=True)
    version = models.PositiveIntegerField(_("version"), default=1, editable=False)

    class Meta:
        abstract = True
