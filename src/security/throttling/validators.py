"""The validators (published section "Validators"): how often a client may do what."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any, ClassVar, Final, Protocol
from weakref import WeakSet

from django.core.cache import caches
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from security.enums import InputRequestSlug
from security.rates import Limit, Window

from .counting import decide, now
from .exception import ThrottlingException
from .subject import SCOPES, Subject, key_of, subject_of

TOO_MANY: Final = _("You have sent too many requests. Try again later.")
TOO_MANY_LOGINS: Final = _("You have tried to log in too often. Try again later.")
# Bounds within which no product of two numbers leaves 64 bits.
_LONGEST: Final = timedelta(days=366)
_MOST: Final = 10_000_000


class Validator(Protocol):
    """Any object with this method is a validator; it may be a coroutine."""

    def validate(self, request: HttpRequest) -> Awaitable[None] | None: ...


class RateValidator(ABC):
    """A validator that allows `throttle_at` hits in a timeframe (seconds, or a `timedelta`).

    `description` is what a client that is refused is shown.
    """

    def __init__(self, timeframe: float | timedelta, throttle_at: int, description: object = TOO_MANY) -> None:
        seconds = timeframe.total_seconds() if isinstance(timeframe, timedelta) else timeframe
        try:
            is_within = 1 <= seconds <= _LONGEST.total_seconds()
        except TypeError:
            raise TypeError(f"timeframe is a number of seconds or a timedelta, not {timeframe!r}.") from None
        if not is_within:
            raise ValueError(f"timeframe is 1 second to {_LONGEST.days} days, in seconds, not {timeframe!r}.")
        if type(throttle_at) is not int or not 1 <= throttle_at <= _MOST:
            raise ValueError(f"throttle_at is a number of requests, a whole one of 1 to {_MOST}, not {throttle_at!r}.")
        self.timeframe = round(seconds)
        self.throttle_at = throttle_at
        self.description = description

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.timeframe}, {self.throttle_at})"

    def limit_of(self, *parts: object, counts: bool = True) -> Limit:
        """Make the limit of one count; validators with other numbers keep counts of their own."""
        key = key_of(self.timeframe, self.throttle_at, *parts)
        return Limit(key, self.timeframe * 1000, self.throttle_at, counts)

    @abstractmethod
    def limit_at_view(self, subject: Subject) -> Limit | None:
        """Give the limit to heed before a view runs."""

    def refusal(self, limit: Limit, window: Window | None, policies: tuple[Limit, ...] = ()) -> ThrottlingException:
        """Make the exception for a limit that was reached."""
        wait = limit.timeframe if window is None else window.milliseconds_until_room(limit, now())
        return ThrottlingException(
            self.description, retry_after=max(1, -(-wait // 1000)), limit=limit, policies=policies or (limit,)
        )

    def validate(self, request: HttpRequest) -> None:
        """Count a request by itself; raises `ThrottlingException` where it is one too many."""
        limit = self.limit_at_view(subject_of(request))
        if limit is not None:
            for full, window in decide([limit]).full:
                raise self.refusal(full, window)


class PerRequestThrottlingValidator(RateValidator):
    """Limits the requests of one client: to a view, to the whole site (`scope="site"`) or to a path (`"path"`)."""

    def __init__(
        self,
        timeframe: float | timedelta,
        throttle_at: int,
        description: object = TOO_MANY,
        *,
        scope: str = "view",
    ) -> None:
        super().__init__(timeframe, throttle_at, description)
        if scope not in SCOPES:
            raise ValueError(f"scope is one of {', '.join(map(repr, SCOPES))}, not {scope!r}.")
        self.scope = scope

    def limit_at_view(self, subject: Subject) -> Limit:
        return self.limit_of("request", self.scope, subject.target(self.scope), subject.client)


class LoginValidator(RateValidator):
    """Limits how often one client does what a slug says, at whatever view it does it."""

    slug: ClassVar[InputRequestSlug]
    acts_at_login: ClassVar[bool] = False
    """Whether Django's signals tell when it happens, so that it is refused there."""
    known: ClassVar[WeakSet[LoginValidator]] = WeakSet()
    """All that there are: a login counts also for those that guard another view."""

    def __init__(
        self,
        timeframe: float | timedelta,
        throttle_at: int,
        description: object = TOO_MANY_LOGINS,
        *,
        by: str = "client",
    ) -> None:
        super().__init__(timeframe, throttle_at, description)
        if by not in ("client", "account") or (by == "account" and not self.acts_at_login):
            allowed = "'client' or 'account'" if self.acts_at_login else "'client'"
            raise ValueError(f"by is {allowed}, not {by!r}.")
        self.by = by
        self.known.add(self)

    def limit_at_view(self, subject: Subject) -> Limit | None:
        # Which account it is about is not known before the view reads what was sent.
        return None if self.by == "account" else self.limit_at_login(subject.client, counts=False)

    def limit_at_login(self, whom: str, *, counts: bool = True) -> Limit:
        """Give the limit of a client or of an account."""
        return self.limit_of(self.slug, self.by, whom, counts=counts)


class UnsuccessfulLoginThrottlingValidator(LoginValidator):
    """Limits logins that failed: of one client, or on one account (`by="account"`).

    Of an account it counts only the failures of clients that never logged in to it, and refuses only them.
    """

    slug = InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST
    acts_at_login = True


class SuccessfulLoginThrottlingValidator(LoginValidator):
    """Limits logins that succeeded: of one client, or to one account (`by="account"`)."""

    slug = InputRequestSlug.SUCCESSFUL_LOGIN_REQUEST
    acts_at_login = True


class UnSuccessfulTwoFactorCodeVerificationThrottlingValidator(LoginValidator):
    """Limits verifications of a second factor that failed: requests that the site tagged with the slug."""

    slug = InputRequestSlug.UNSUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST


class SuccessfulTwoFactorCodeVerificationThrottlingValidator(LoginValidator):
    """Limits verifications of a second factor that succeeded: requests that the site tagged with the slug."""

    slug = InputRequestSlug.SUCCESSFUL_2FA_CODE_VERIFICATION_REQUEST


class PerRequestCacheThrottlingValidator(PerRequestThrottlingValidator):
    """Limits requests as `PerRequestThrottlingValidator`, counted in a cache of Django's (`CACHES`).

    A cache can add and no more, so windows are fixed ones, and what is refused counts too. The cache has to be one that
    all processes share.
    """

    def __init__(
        self,
        timeframe: float | timedelta,
        throttle_at: int,
        description: object = TOO_MANY,
        *,
        scope: str = "view",
        cache: str = "default",
    ) -> None:
        super().__init__(timeframe, throttle_at, description, scope=scope)
        self.cache = cache

    def validate(self, request: HttpRequest) -> None:
        limit = self.limit_at_view(subject_of(request))
        cache, key = caches[self.cache], f"security:{limit.key}"
        cache.add(key, 0, self.timeframe)
        try:
            count = cache.incr(key)
        except ValueError:
            # It expired just now.
            cache.set(key, 1, self.timeframe)
            return
        if count > self.throttle_at:
            raise self.refusal(limit, None)


class ShadowValidator:
    """Refuses nothing, and notes in the log what another validator would have refused.

    The record of such a request has the descriptions in `extra_data["throttling_shadow"]`.
    """

    def __init__(self, validator: Validator) -> None:
        self.validator = validator

    def validate(self, request: HttpRequest) -> Any:
        """Do nothing: what stands in the shadow is looked at where the decision is made."""
