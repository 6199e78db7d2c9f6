"""The values of an entry as the parameters of a statement.

All databases read a text as what its column holds. Where Django would hand over an object of the driver's own, of which
the driver makes a text, the text is made here, in fewer steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models
from django.utils import timezone

from security.config import setting_of_django

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from .statements import Column

_Encode = Callable[[Any, "BaseDatabaseWrapper"], Any]


class Encoder:
    """Makes the parameters of two or more columns, in their order."""

    __slots__ = ("_encoded", "_values_of")

    def __init__(self, columns: Sequence[Column]) -> None:
        self._values_of = itemgetter(*(column.attname for column in columns))
        encoders = [_encoder_of_column(column) for column in columns]
        self._encoded = [(position, encode) for position, encode in enumerate(encoders) if encode is not None]

    def parameters(self, values: Mapping[str, Any], connection: BaseDatabaseWrapper) -> list[Any]:
        parameters = list(self._values_of(values))
        for position, encode in self._encoded:
            value = parameters[position]
            if value is not None:
                parameters[position] = encode(value, connection)
        return parameters


@lru_cache(maxsize=64)
def encoder_of(model: type[models.Model], columns: Callable[[type[models.Model]], Sequence[Column]]) -> Encoder:
    """Give the encoder of the columns that `columns` names of a model."""
    return Encoder(columns(model))


def _encoder_of_column(column: Column) -> _Encode | None:
    """Give how a value of a column becomes a parameter; None where drivers take it as it is."""
    if isinstance(column, models.UUIDField):
        return lambda value, connection: (UUID(value) if isinstance(value, str) else value).hex
    if isinstance(column, models.JSONField):
        encode = (column.encoder or DjangoJSONEncoder)().encode
        return lambda value, connection: "{}" if value == {} else encode(value)
    if isinstance(column, models.GenericIPAddressField):
        return lambda value, connection: column.get_prep_value(value) or None
    if isinstance(column, (models.CharField, models.TextField, models.FloatField, models.BooleanField)):
        return None
    if isinstance(column, models.IntegerField):
        return lambda value, connection: int(value)
    if isinstance(column, models.DateTimeField):
        return lambda value, connection: str(connection.ops.adapt_datetimefield_value(in_site_zone(value)))
    return column.get_db_prep_save


def in_site_zone(moment: datetime) -> datetime:
    """Give a moment as the site's models hold it: aware, or naive in its default time zone."""
    uses_zones = setting_of_django("USE_TZ")
    if uses_zones is (moment.utcoffset() is not None):
        return moment
    convert = timezone.make_aware if uses_zones else timezone.make_naive
    return convert(moment, timezone.get_default_timezone())
