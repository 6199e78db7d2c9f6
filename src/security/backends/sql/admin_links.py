"""Ways from the page of a log in the admin to what belongs to it: its parent, its children, the objects of the site."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from itertools import islice
from typing import Any, Final
from uuid import UUID

from django.apps import apps
from django.contrib.admin import AdminSite
from django.contrib.admin.utils import quote
from django.db import models, router
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from .models import LOG_MODELS, Log, LogQuerySet, RelatedObject

# As many children, and as many related objects, are shown of a log that has more.
SHOWN_AT_MOST: Final = 50
# The clock of the worker of a task may be behind that of the site.
_CLOCKS_DIFFER: Final = timedelta(minutes=1)
# How long a log that has not ended is looked through for children of a kind that has no index of its parents.
_LONGEST_SEARCH: Final = timedelta(hours=1)


class Links:
    """Links that one user may follow, at one admin site; what leads nowhere is shown as it is stored."""

    def __init__(self, site: AdminSite, request: HttpRequest) -> None:
        self._site = site
        self._request = request

    def parent_of(self, log: Log) -> str:
        """Give the log that `log` began in."""
        if not log.parent_log:
            return "-"
        kind, _bar, key = log.parent_log.partition("|")
        model = LOG_MODELS.get(kind)
        if model is None or not self._may_see(model):
            return log.parent_log
        try:
            parent = _without_long_texts(model, log).filter(pk=UUID(key)).first()
        except ValueError:
            return log.parent_log
        return log.parent_log if parent is None else self._to_log(parent)

    def children_of(self, log: Log) -> str:
        """Give the first logs that began during `log`, of the kinds that the user may see."""
        children: list[Log] = []
        for model in filter(self._may_see, LOG_MODELS.values()):
            began = _without_long_texts(model, log).children_of(log)
            began = began.started_between(log.start - _CLOCKS_DIFFER, _end_of_search(model, log))
            children += began.order_by("id")[: SHOWN_AT_MOST + 1]
        children.sort(key=lambda child: child.pk)
        return _lines(self._to_log(child) for child in children)

    def related_to(self, log: Log) -> str:
        """Give the objects of the site that `log` is related with."""
        return _lines(self._to_object(related) for related in log.related_objects.order_by("id")[: SHOWN_AT_MOST + 1])

    def _to_log(self, log: Any) -> str:
        summary = f"{log._meta.verbose_name} {log.summary} {getattr(log.state, 'label', log.state)}"
        return self._link(type(log), str(log.pk), summary) or summary

    def _to_object(self, related: RelatedObject) -> str:
        try:
            model = apps.get_model(related.model)
        except (LookupError, ValueError):
            return str(related)
        if related.database != router.db_for_write(model):
            # The page would show another object of that key.
            return f"{related} ({related.database})"
        return (self._may_see(model) and self._link(model, related.object_pk, str(related))) or str(related)

    def _may_see(self, model: type[models.Model]) -> bool:
        if not self._site.is_registered(model):
            return False
        return self._site.get_model_admin(model).has_view_or_change_permission(self._request)

    def _link(self, model: type[models.Model], key: str, text: str) -> SafeString | None:
        name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
        try:
            address = reverse(name, args=(quote(key),), current_app=self._site.name)
        except NoReverseMatch:
            # The site gave the model's pages other addresses.
            return None
        return format_html('<a href="{}">{}</a>', address, text)


def _without_long_texts(model: type[Log], log: Log) -> LogQuerySet:
    """Give the logs of a kind where `log` is, without what no link shows."""
    fields = model._meta.concrete_fields
    long = (field.name for field in fields if isinstance(field, (models.TextField, models.JSONField)))
    logs: LogQuerySet = model.objects.using(log._state.db).defer(*long)
    return logs


def _end_of_search(model: type[Log], log: Any) -> Any:
    """Say up to when children of a kind are looked for: for ever where an index finds them."""
    if any(index.fields[:1] == ["parent_log"] for index in model._meta.indexes):
        return None
    return (log.stop or log.start + _LONGEST_SEARCH) + _CLOCKS_DIFFER


def _lines(items: Iterable[str]) -> str:
    shown: Iterator[str] = iter(items)
    lines = [(item,) for item in islice(shown, SHOWN_AT_MOST)]
    if next(shown, None) is not None:
        lines.append((_("… and more"),))
    return format_html_join("", "{}<br>", lines) or "-"
