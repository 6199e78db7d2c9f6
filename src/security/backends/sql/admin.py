"""The logs in Django's admin: to look at, not to change."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from .models import LOG_MODELS


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


for model in LOG_MODELS.values():
    listing = model.listing
    admin.site.register(
        model,
        LogAdmin,
        list_display=listing.columns,
        list_filter=listing.filters,
        search_fields=listing.search_fields,
    )
