"""A column that holds a member of an enumeration."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from django.db import models


class StateField(models.PositiveSmallIntegerField):  # type: ignore[type-arg]
    """The state of a log: `log.state.name` and `log.state.label` say it in words, `log.state` is its number too."""

    def __init__(self, states: type[models.IntegerChoices] | None = None, **kwargs: Any) -> None:
        self.states = states
        if states is not None:
            kwargs["choices"] = states.choices
        super().__init__(**kwargs)

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, path, args, kwargs = super().deconstruct()
        # States are code: a new one is no change of the table.
        kwargs.pop("choices", None)
        return name, path, args, kwargs

    def from_db_value(self, value: int | None, *args: Any) -> IntEnum | int | None:
        return self._member(value)

    def to_python(self, value: Any) -> IntEnum | int | None:
        return self._member(super().to_python(value))

    def _member(self, value: int | None) -> IntEnum | int | None:
        if value is None or self.states is None:
            return value
        try:
            return self.states(value)
        except ValueError:
            # A row of a newer version of the library keeps its number.
            return value
