"""References to any object of the site without a foreign key (published changelog, 1.2.0)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import router
from django.db.models import Model
from django.utils.connection import ConnectionDoesNotExist

from security.truncation import ELLIPSIS, storable

_LONGEST_KEY: Final = 255


class ObjectReference(NamedTuple):
    """Where an object lives: enough to find it again in any log, also after it was deleted."""

    database: str
    """The alias of the database that the object is written to."""
    model: str
    """The model's label, for example `shop.order`."""
    pk: str
    """The primary key as text; the values of a composite key as a JSON list."""

    @property
    def object(self) -> Any:
        """The object, or None if it was deleted since, or its model or database is gone; each look is a query.

        None, too, for a key of more than 255 characters, or one that is no text: such an object is only found by.
        """
        try:
            model = apps.get_model(self.model)
        except LookupError:
            return None
        try:
            pk = tuple(json.loads(self.pk)) if len(model._meta.pk_fields) > 1 else self.pk
            return model._base_manager.using(self.database).filter(pk=pk).first()
        except (TypeError, ValueError, ValidationError, ConnectionDoesNotExist):
            # The site changed the model's key, or has that database no more.
            return None

    @classmethod
    def to(cls, instance: Model) -> ObjectReference:
        """Refer to a saved object.

        Raises `TypeError` for what is no model instance and `ValueError` for an instance without a primary key.
        """
        if not isinstance(instance, Model):
            raise TypeError(f"A related object must be an instance of a Django model, not {instance!r}.")
        pk = instance.pk
        if pk is None or (isinstance(pk, tuple) and None in pk):
            raise ValueError(f"{instance!r} has no primary key yet: save it before you relate a log to it.")
        # A replica and its primary hold the same object, and only one of them is written to.
        database = router.db_for_write(type(instance), instance=instance)
        text = json.dumps(pk, default=str) if isinstance(pk, tuple) else str(pk)
        # A proxy is its concrete model under another name.
        model = instance._meta.concrete_model or type(instance)
        return cls(database, model._meta.label_lower, _fitting(text))

    @classmethod
    def to_all(cls, instances: Iterable[Model] | None) -> tuple[ObjectReference, ...]:
        """Refer to saved objects, to each once.

        Raises `TypeError` for what is no list of model instances and `ValueError` for one without a primary key.
        """
        if isinstance(instances, Model):
            raise TypeError(f"Related objects are a list or tuple: write [{type(instances).__name__.lower()}] for one.")
        return tuple(dict.fromkeys(cls.to(instance) for instance in instances or ()))


def user_with_id(user_id: str | None) -> Any:
    """Load a user of the site by the primary key as text; None where there is no such user."""
    if user_id is None:
        return None
    try:
        return get_user_model()._default_manager.filter(pk=user_id).first()
    except (ValueError, ValidationError):
        # An id of another user model, from before the site changed it.
        return None


def _fitting(key: str) -> str:
    """Bring a key to what a column holds, and two keys to two texts."""
    key = storable(key)
    if len(key) <= _LONGEST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: _LONGEST_KEY - len(digest) - 1]}{ELLIPSIS}{digest}"
