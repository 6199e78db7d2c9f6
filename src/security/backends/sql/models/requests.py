"""The tables of HTTP requests."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from security.enums import LoggerName
from security.references import user_with_id

from .base import Ending, Listing, RequestLog


class InputRequestLog(RequestLog, Ending):
    """A request to the site."""

    kind = LoggerName.INPUT_REQUEST
    listing = Listing(
        ("start", "state", "response_code", "method", "path", "view_slug", "ip", "user_id", "slug", "time"),
        filters=("state", "method", "is_secure"),
        search_fields=("=id", "path", "=ip", "=user_id", "=slug", "=view_slug"),
    )

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
        return user_with_id(self.user_id)


class OutputRequestLog(RequestLog, Ending):
    """A request of the site to another one."""

    kind = LoggerName.OUTPUT_REQUEST
    listing = Listing(
        ("start", "state", "response_code", "method", "host", "path", "slug", "time"),
        filters=("state", "method"),
        search_fields=("=id", "host", "path", "=slug", "=parent_log"),
    )

    class Meta(RequestLog.Meta):
        verbose_name = _("output request")
        verbose_name_plural = _("output requests")
        indexes = (
            # "What did this request (or task, or command) call?": children_of
            models.Index(fields=("parent_log",), name="security_output_parent"),
        )
