"""Asking the past: whom a set of validators would have stopped, had they been the default ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from security.backends.base import PastRequest
from security.enums import InputRequestSlug
from security.rates import Counts, Limit

from .subject import NO_VIEW, Subject, client_of
from .validators import (
    LoginValidator,
    PerRequestThrottlingValidator,
    RateValidator,
    ShadowValidator,
    Validator,
)

# A client of whose requests more are answered by 4xx or 5xx does not look innocent.
_INNOCENT_SHARE_OF_ERRORS: Final = 0.1


@dataclass(slots=True)
class Client:
    """What the log tells of one client, and what would have become of it."""

    name: str
    requests: int = 0
    errors: int = 0
    failed_logins: int = 0
    has_user: bool = False
    stopped: int = 0
    first_stop: datetime | None = None
    last_stop: datetime | None = None
    stopped_by: dict[RateValidator, int] = field(default_factory=dict)

    @property
    def looks_innocent(self) -> bool:
        """Whether somebody was logged in there, no login failed, and hardly a request did."""
        return self.has_user and self.failed_logins == 0 and self.errors <= _INNOCENT_SHARE_OF_ERRORS * self.requests


class Replay:
    """Counts past requests as they would have been counted."""

    def __init__(self, validators: Iterable[Validator]) -> None:
        self.clients: dict[str, Client] = {}
        self.counted: list[RateValidator] = []
        self.left_out: list[Validator] = []
        for validator in validators:
            inner = validator.validator if isinstance(validator, ShadowValidator) else validator
            if isinstance(inner, PerRequestThrottlingValidator) or (
                isinstance(inner, LoginValidator) and inner.by == "client"
            ):
                self.counted.append(inner)
            else:
                # The log does not hold what it looks at.
                self.left_out.append(validator)
        self._counts = Counts()

    @property
    def stopped(self) -> list[Client]:
        """The clients that would have been stopped, those stopped most often first."""
        return sorted(
            (client for client in self.clients.values() if client.stopped), key=lambda client: -client.stopped
        )

    def add(self, request: PastRequest) -> None:
        """Count the next request."""
        name = client_of(request.ip)
        client = self.clients.setdefault(name, Client(name))
        client.requests += 1
        client.errors += (request.response_code or 0) >= 400
        client.failed_logins += request.slug == InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST
        client.has_user = client.has_user or request.user_id is not None
        moment = round(request.start.timestamp() * 1000)
        limits = [
            (limit, validator)
            for validator in self.counted
            if (limit := self._limit(validator, request, name)) is not None
        ]
        validators = {limit.key: validator for limit, validator in limits}
        full = self._counts.count([limit for limit, _ in limits], moment).full
        if full:
            validator = validators[full[0][0].key]
            client.stopped += 1
            client.first_stop = client.first_stop or request.start
            client.last_stop = request.start
            client.stopped_by[validator] = client.stopped_by.get(validator, 0) + 1

    def _limit(self, validator: RateValidator, request: PastRequest, client: str) -> Limit | None:
        if isinstance(validator, LoginValidator):
            return validator.limit_at_login(client) if request.slug == validator.slug else None
        return validator.limit_at_view(Subject(client, request.view_slug or NO_VIEW, request.path))
