"""The decision on one request, before its view runs: to let it pass or to refuse it.

What can be counted together is counted first, in one statement; a flood is stopped there. The site's own validators
are asked after that.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from django.http import HttpRequest
from django.urls import ResolverMatch

from security.config import settings
from security.delivery import arun_blocking, run_blocking
from security.rates import Limit

from .counting import blocks, decide
from .exception import NotCountedError, ThrottlingException, text_of
from .policy import guards_of
from .subject import NO_VIEW, Subject, subject_of
from .validators import LoginValidator, RateValidator, ShadowValidator, Validator

logger = logging.getLogger("security")

Refusal = ThrottlingException | NotCountedError
_Counted = list[tuple[RateValidator, Limit]]


class Gate:
    """The validators of one request, and what they decide."""

    def __init__(self, request: HttpRequest, validators: tuple[Validator, ...], subject: Subject) -> None:
        self.request = request
        self._limits = _limits(validators, subject)
        self._own = [validator for validator in validators if not _is_counted(validator) and not _is_shadow(validator)]
        shadowed = tuple(validator.validator for validator in validators if isinstance(validator, ShadowValidator))
        self._shadow_limits = _limits(shadowed, subject)
        self._shadow_own = [validator for validator in shadowed if not _is_counted(validator)]

    def check(self, begin: Callable[[], None]) -> Refusal | None:
        """Decide, and begin what is recorded of a request that passes; gives why it does not."""
        if not self._has_own:
            return run_blocking(self._count_and, begin) if blocks() else self._count_and(begin)
        try:
            run_blocking(self._count) if blocks() else self._count()
            for validator in self._own:
                result = validator.validate(self.request)
                if isawaitable(result):
                    async_to_sync(_awaited)(result)
            for validator in self._shadow_own:
                self._note(async_to_sync(_would_refuse)(validator, self.request))
        except (ThrottlingException, NotCountedError) as refusal:
            return refusal
        begin()
        return None

    async def acheck(self, begin: Callable[[], None], abegin: Callable[[], Awaitable[None]]) -> Refusal | None:
        """Do as `check`, without blocking the event loop: in one visit to a thread where that is enough."""
        if not self._has_own and blocks():
            return await arun_blocking(self._count_and, begin)
        try:
            await arun_blocking(self._count) if blocks() else self._count()
            for validator in self._own:
                await _validate(validator, self.request)
            for validator in self._shadow_own:
                self._note(await _would_refuse(validator, self.request))
        except (ThrottlingException, NotCountedError) as refusal:
            return refusal
        await abegin()
        return None

    @property
    def _has_own(self) -> bool:
        return bool(self._own or self._shadow_own)

    def _count_and(self, begin: Callable[[], None]) -> Refusal | None:
        try:
            self._count()
        except (ThrottlingException, NotCountedError) as refusal:
            return refusal
        begin()
        return None

    def _count(self) -> None:
        for validator, limit, window in _full(self._limits):
            raise validator.refusal(limit, window, tuple(limit for _, limit in self._limits if limit.counts))
        if self._shadow_limits:
            # On their own: what stands in the shadow neither refuses nor keeps the others from counting.
            for validator, _, _ in _full(self._shadow_limits):
                self._note(text_of(validator.description))

    def _note(self, description: str | None) -> None:
        record: Any = getattr(self.request, "input_logged_request", None)
        if description is not None and record is not None:
            noted = record.extra_data.get("throttling_shadow", [])
            record.update_extra_data({"throttling_shadow": [*noted, description]})


def gate_of(request: HttpRequest, view: Callable[..., Any] | None) -> Gate | None:
    """Give the gate in front of a view, or of the view of all paths that lead to none; None where none is."""
    if not settings.THROTTLING_ENABLED:
        return None
    guards = guards_of(view, request)
    validators = _heeded_at_view(guards.default) + guards.own
    return Gate(request, validators, subject_of(request)) if validators else None


def gate_of_redirect(request: HttpRequest, match: ResolverMatch) -> Gate | None:
    """Give the gate in front of the redirect to the path of a view: the default validators, with counts of its own.

    Links without a slash must not be taken for broken ones, nor for the view itself, which comes after them.
    """
    if not settings.THROTTLING_ENABLED:
        return None
    validators = _heeded_at_view(guards_of(match.func, request).default)
    subject = replace(subject_of(request), view=f"{NO_VIEW} redirect to {match.view_name}")
    return Gate(request, validators, subject) if validators else None


def _heeded_at_view(default: tuple[Validator, ...]) -> tuple[Validator, ...]:
    # Those of logins are no concern of views where nobody logs in: a login itself asks for them.
    return tuple(validator for validator in default if not _acts_at_login(validator))


def _acts_at_login(validator: Validator) -> bool:
    return isinstance(validator, LoginValidator) and validator.acts_at_login and _is_counted(validator)


def _is_counted(validator: Validator) -> bool:
    # One that validates in a way of its own is asked.
    return isinstance(validator, RateValidator) and type(validator).validate is RateValidator.validate


def _is_shadow(validator: Validator) -> bool:
    return isinstance(validator, ShadowValidator)


def _limits(validators: tuple[Validator, ...], subject: Subject) -> _Counted:
    found: dict[str, tuple[RateValidator, Limit]] = {}
    for validator in validators:
        if isinstance(validator, RateValidator) and _is_counted(validator):
            limit = validator.limit_at_view(subject)
            if limit is not None:
                # The same one given twice counts once.
                found.setdefault(limit.key, (validator, limit))
    return list(found.values())


def _full(limits: _Counted) -> list[tuple[RateValidator, Limit, Any]]:
    validators = {limit.key: validator for validator, limit in limits}
    return [(validators[limit.key], limit, window) for limit, window in decide([limit for _, limit in limits]).full]


async def _validate(validator: Validator, request: HttpRequest) -> None:
    if iscoroutinefunction(validator.validate):
        await validator.validate(request)
        return
    result = await sync_to_async(validator.validate, thread_sensitive=True)(request)
    if isawaitable(result):
        await result


async def _awaited(result: Awaitable[None]) -> None:
    await result


async def _would_refuse(validator: Validator, request: HttpRequest) -> str | None:
    try:
        await _validate(validator, request)
    except ThrottlingException as refusal:
        return text_of(refusal)
    except Exception as error:  # what stands in the shadow must not be felt
        logger.warning("A validator in the shadow failed: %s", type(error).__name__)
    return None
