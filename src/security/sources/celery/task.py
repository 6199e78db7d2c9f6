"""The base class of tasks that are recorded (published section "Celery tasks log")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, ClassVar

from celery import Task
from celery.utils import uuid
from django.db import transaction
from django.db.models import Model

from security.config import settings
from security.delivery import deliver
from security.faults import log_fault
from security.records import CeleryTaskRunRecord
from security.references import ObjectReference

from .headers import HEADER, header_of
from .producer import Call, call_of_publishing, forget_publishing, invoke, note_failed_publishing


class LoggedTask(Task):  # type: ignore[type-arg]
    """Records each invocation of the task and each of its runs.

    A task that is called as a function is not queued, and not recorded.
    """

    abstract = True
    Request = "security.sources.celery.lost:LoggedRequest"
    is_logged: ClassVar[bool] = True
    stale_time_limit: float | None = None
    """Seconds after which an invocation without a finished run is settled by the command set_celery_task_log_state."""

    def apply_async(
        self,
        args: Any = None,
        kwargs: Any = None,
        task_id: str | None = None,
        *positional: Any,
        related_objects: Sequence[Model] = (),
        slug: str | None = None,
        stale_time_limit: float | None = None,
        **options: Any,
    ) -> Any:
        """Queue the task as Celery does.

        `related_objects` and `slug` go to the records of the invocation and of its runs; `stale_time_limit` is that of
        the class where none is given. Raises `ValueError` for a related object that is not saved.
        """
        with self._calling(ObjectReference.to_all(related_objects), slug, stale_time_limit):
            try:
                return super().apply_async(args, kwargs, task_id, *positional, **options)
            except Exception as error:
                note_failed_publishing(error)
                raise

    def apply_async_on_commit(
        self,
        args: Any = None,
        kwargs: Any = None,
        *positional: Any,
        using: str | None = None,
        related_objects: Sequence[Model] = (),
        slug: str | None = None,
        stale_time_limit: float | None = None,
        **options: Any,
    ) -> None:
        """Queue the task when the transaction of the database `using` is committed, and not if it is rolled back.

        A `countdown` begins now. Raises `ValueError` for a related object that is not saved.
        """
        references = ObjectReference.to_all(related_objects)
        applied_at = datetime.now(UTC)
        countdown = options.pop("countdown", None)
        if countdown:
            options["eta"] = applied_at + timedelta(seconds=countdown)

        def queue() -> None:
            with self._calling(references, slug, stale_time_limit, applied_at):
                try:
                    super(LoggedTask, self).apply_async(args, kwargs, *positional, **options)
                except Exception as error:
                    note_failed_publishing(error)
                    raise

        # Whoever asked is the parent, though it may be over by then.
        transaction.on_commit(partial(copy_context().run, queue), using=using)

    def delay_on_commit(self, *args: Any, **kwargs: Any) -> None:
        """Queue the task with these arguments when the transaction of the default database is committed."""
        self.apply_async_on_commit(args, kwargs)

    def apply(
        self,
        args: Any = None,
        kwargs: Any = None,
        link: Any = None,
        link_error: Any = None,
        task_id: str | None = None,
        retries: int | None = None,
        throw: bool | None = None,
        logfile: str | None = None,
        loglevel: str | None = None,
        headers: Mapping[str, Any] | None = None,
        *,
        related_objects: Sequence[Model] = (),
        slug: str | None = None,
        **options: Any,
    ) -> Any:
        """Run the task here and now as Celery does; its invocation is recorded as not asynchronous.

        Raises `ValueError` for a related object that is not saved.
        """
        references = ObjectReference.to_all(related_objects)
        if isinstance(args, Iterator):
            # It gives its items once, and they are the task's.
            args = tuple(args)
        task_id = task_id or uuid()
        try:
            headers = self._recorded(task_id, args, kwargs, headers, references, slug, options)
        except Exception:
            if settings.RAISE_WRITER_EXCEPTIONS:
                raise
            log_fault("The task %s could not be recorded; it runs.", self.name)
        return super().apply(
            *(args, kwargs, link, link_error, task_id, retries, throw, logfile, loglevel, headers), **options
        )

    def _recorded(
        self,
        task_id: str,
        args: Any,
        kwargs: Any,
        headers: Mapping[str, Any] | None,
        references: tuple[ObjectReference, ...],
        slug: str | None,
        options: Mapping[str, Any],
    ) -> Mapping[str, Any] | None:
        """Record an invocation that is not queued, and give the headers with which the task is to run."""
        # Another attempt of a task brings the header of the first one.
        if header_of(dict(headers or {}), task_id) is not None:
            return headers
        with self._calling(references, slug, None, inherits=True):
            eta, expires = options.get("eta"), options.get("expires")
            _, entries, header = invoke(self.name, task_id, args, kwargs, is_async=False, eta=eta, expires=expires)
        deliver(entries)
        return {**(headers or {}), HEADER: header}

    def on_start_task(self, task_run_log: CeleryTaskRunRecord, args: Any, kwargs: Any) -> None:
        """Called before a run is recorded as begun; what is changed in the record is stored."""

    def on_success_task(self, task_run_log: CeleryTaskRunRecord, args: Any, kwargs: Any, retval: Any) -> None:
        """Called before a run is recorded as successful."""

    def on_failure_task(self, task_run_log: CeleryTaskRunRecord, args: Any, kwargs: Any, exc: BaseException) -> None:
        """Called before a run is recorded as failed."""

    def on_retry_task(
        self, task_run_log: CeleryTaskRunRecord, args: Any, kwargs: Any, exc: BaseException, eta: datetime | None
    ) -> None:
        """Called before a run is recorded as one that will be repeated."""

    @contextmanager
    def _calling(
        self,
        references: tuple[ObjectReference, ...],
        slug: str | None,
        stale_time_limit: float | None,
        applied_at: datetime | None = None,
        *,
        inherits: bool = False,
    ) -> Iterator[None]:
        limit = self.stale_time_limit if stale_time_limit is None else stale_time_limit
        around = call_of_publishing.get()
        # A task that runs eagerly is called twice, and the first call knows more.
        call = around if inherits and around is not None else Call(references, slug, limit, applied_at)
        forget_publishing()
        token = call_of_publishing.set(call)
        try:
            yield
        finally:
            call_of_publishing.reset(token)
