"""The table of the counts of throttling."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


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
