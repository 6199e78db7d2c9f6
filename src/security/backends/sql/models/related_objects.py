"""The table of the relations of logs to the site's objects."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from security.references import ObjectReference


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
        """The object, or None (`ObjectReference.object`)."""
        return ObjectReference(self.database, self.model, self.object_pk).object
