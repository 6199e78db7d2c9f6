"""Which validators guard a view: the default ones, and what its decorators say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module
from typing import Any, Final, overload

from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest

from security.config import settings
from security.view_marks import C, V, ViewClassMark, ViewMark, marks_of

from .validators import Validator

THROTTLING: Final = "_security_throttling"


@dataclass(frozen=True, slots=True)
class Rules:
    """What the decorators of one view, class or method say."""

    validators: tuple[Validator, ...] = ()
    keep_default: bool = True
    is_exempt: bool = False

    def and_also(self, other: Rules) -> Rules:
        return Rules(
            self.validators + other.validators,
            self.keep_default and other.keep_default,
            self.is_exempt or other.is_exempt,
        )


@dataclass(frozen=True, slots=True)
class Guards:
    """The validators of one request."""

    default: tuple[Validator, ...] = ()
    own: tuple[Validator, ...] = ()
    """Those of the view's decorators."""

    def __bool__(self) -> bool:
        return bool(self.default or self.own)


def guards_of(view: Callable[..., Any] | None, request: HttpRequest) -> Guards:
    """Give the validators that guard a view; None is the view of all paths that lead to none.

    Raises `ImproperlyConfigured` where SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH leads to no validators.
    """
    rules = Rules()
    for other in [] if view is None else marks_of(view, request, THROTTLING):
        rules = rules.and_also(other)
    if rules.is_exempt:
        return Guards()
    default = default_validators(settings.DEFAULT_THROTTLING_VALIDATORS_PATH) if rules.keep_default else ()
    return Guards(default, rules.validators)


@lru_cache(maxsize=8)
def default_validators(path: str) -> tuple[Validator, ...]:
    """Import the default validators of a module."""
    try:
        validators = tuple(import_module(path).default_validators)
    except (ImportError, AttributeError, TypeError) as error:
        raise ImproperlyConfigured(
            f"SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH is {path!r}, which has no tuple default_validators: {error}."
        ) from error
    for validator in validators:
        _check(validator)
    return validators


def _check(validator: Any) -> None:
    if isinstance(validator, type):
        raise ImproperlyConfigured(f"{validator.__name__} is a class: write {validator.__name__}(…), with its numbers.")
    if not callable(getattr(validator, "validate", None)):
        raise ImproperlyConfigured(f"{validator!r} is no validator: it has no method validate(request).")


class _Marking:
    """Adds rules to those that a view, or a class itself, has already."""

    mark = THROTTLING

    def __init__(self, rules: Rules) -> None:
        self.rules = rules

    def value(self, view: Any) -> Rules:
        # What a class inherits is replaced, as with any attribute.
        earlier: Rules | None = vars(view).get(THROTTLING) if hasattr(view, "__dict__") else None
        return self.rules if earlier is None else self.rules.and_also(earlier)


class _ViewMarking(_Marking, ViewMark):
    pass


class _ClassMarking(_Marking, ViewClassMark):
    pass


@overload
def throttling(view: V, /) -> V: ...
@overload
def throttling(*validators: Validator, keep_default: bool = True) -> ViewMark: ...
def throttling(*validators: Any, keep_default: bool = True) -> Any:
    """Add validators to a view function; `keep_default=False` leaves the default ones out.

    Raises `ImproperlyConfigured` for what is no validator.
    """
    return _marked(_ViewMarking, validators, keep_default=keep_default)


@overload
def throttling_all(view_class: C, /) -> C: ...
@overload
def throttling_all(*validators: Validator, keep_default: bool = True) -> ViewClassMark: ...
def throttling_all(*validators: Any, keep_default: bool = True) -> Any:
    """Add validators to a view class and its subclasses; `keep_default=False` leaves the default ones out.

    Raises `ImproperlyConfigured` for what is no validator.
    """
    return _marked(_ClassMarking, validators, keep_default=keep_default)


def _marked(marking: type[Any], validators: tuple[Any, ...], *, keep_default: bool) -> Any:
    if len(validators) == 1 and callable(validators[0]) and not hasattr(validators[0], "validate"):
        # Without parentheses
        return marking(Rules())(validators[0])
    for validator in validators:
        _check(validator)
    return marking(Rules(validators, keep_default))


throttling_exempt: Final[ViewMark] = _ViewMarking(Rules(is_exempt=True))
"""Take a view function out of the throttling."""
throttling_exempt_all: Final[ViewClassMark] = _ClassMarking(Rules(is_exempt=True))
"""Take a view class and its subclasses out of the throttling."""
