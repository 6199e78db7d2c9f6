"""The logs in Django's admin: to look at, not to change."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest

from .models import (
    CeleryTaskInvocationLog,
    CeleryTaskRunLog,
    CommandLog,
    InputRequestLog,
    OutputRequestLog,
)


class LogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What all kinds have in common."""

    list_per_page = 50
    # Counting a log of millions of rows takes longer than anybody waits.
    show_full_result_count = False
    list_filter: ClassVar[tuple[str, ...]] = ("state",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(InputRequestLog)
class InputRequestLogAdmin(LogAdmin):
    list_display = ("start", "state", "response_code", "method", "path", "view_slug", "ip", "user_id", "time")
    list_filter: ClassVar[tuple[str, ...]] = ("state", "method", "is_secure")
    search_fields = ("=id", "path", "=ip", "=user_id", "=slug", "=view_slug")


@admin.register(OutputRequestLog)
class OutputRequestLogAdmin(LogAdmin):
    list_display = ("start", "state", "response_code", "method", "host", "path", "slug", "time")
    list_filter: ClassVar[tuple[str, ...]] = ("state", "method")
    search_fields = ("=id", "host", "path", "=slug", "=parent_log")


@admin.register(CommandLog)
class CommandLogAdmin(LogAdmin):
    list_display = ("start", "state", "name", "is_executed_from_command_line", "time")
    search_fields = ("=id", "name")


@admin.register(CeleryTaskInvocationLog)
class CeleryTaskInvocationLogAdmin(LogAdmin):
    list_display = ("start", "state", "name", "celery_task_id", "queue_name", "time")
    search_fields = ("=id", "name", "=celery_task_id")


@admin.register(CeleryTaskRunLog)
class CeleryTaskRunLogAdmin(LogAdmin):
    list_display = ("start", "state", "name", "celery_task_id", "retries", "time")
    search_fields = ("=id", "name", "=celery_task_id")
