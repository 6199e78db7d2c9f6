"""The logs in Django's admin: to look at, not to change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from .admin_links import Links
from .models import LOG_MODELS, Log

Column = str | Callable[[Any], str]


class LogAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """What all kinds have in common."""

    list_per_page = 50
    # Counting a log of millions of rows takes longer than anybody waits.
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        links = Links(self.admin_site, request)
        names = (field.name for field in self.model._meta.concrete_fields if field.name not in ("id", "parent_log"))
        return (
            "id",
            *(column(self.model, name) for name in names),
            shown("parent_log", _("parent log"), links.parent_of),
            shown("children", _("children"), links.children_of),
            shown("related_objects", _("related objects"), links.related_to),
        )


def column(model: type[Log], name: str) -> Column:
    """Give a field as the admin takes it: times to the second, durations in milliseconds, all others as they are."""
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        # A property or method of a kind of another package
        return name
    if isinstance(field, models.DateTimeField):
        # The primary key sorts by the start, and has an index.
        return shown(
            name, field.verbose_name, lambda log: moment(getattr(log, name)), "id" if name == "start" else name
        )
    if isinstance(field, models.FloatField):
        title = str(field.verbose_name).replace("(s)", "(ms)")
        return shown(name, title, lambda log: milliseconds(getattr(log, name)), name)
    return name


def shown(name: str, title: Any, show: Callable[[Any], str], order: str | None = None) -> Callable[[Any], str]:
    """Make what the admin takes in the place of a field's name."""

    @admin.display(description=capfirst(title), ordering=order)
    def show_it(log: Any) -> str:
        return show(log)

    # The admin makes the classes of HTML of it.
    show_it.__name__ = name
    return show_it


def moment(time: Any) -> str:
    """Write a time in the current time zone."""
    if time is None:
        return "-"
    return f"{timezone.localtime(time) if timezone.is_aware(time) else time:%Y-%m-%d %H:%M:%S}"


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1000 * seconds:.1f}"


for model in LOG_MODELS.values():
    listing = model.listing
    admin.site.register(
        model,
        LogAdmin,
        list_display=tuple(column(model, name) for name in listing.columns),
        list_filter=listing.filters,
        search_fields=listing.search_fields,
    )
