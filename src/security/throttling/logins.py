"""Counting logins, at whatever view they happen: Django's signals tell of them, or the slug of the request's record.

A login is counted at once, and refused at once where its limit is reached: also the right password is, so that who
guesses learns nothing more. Inside a transaction of the site's it is only looked at, and counted after the view, as a
rollback would undo the count.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from security.config import settings
from security.enums import InputRequestSlug
from security.rates import Limit

from .counting import counter, decide
from .exception import NotCountedError
from .policy import guards_of
from .subject import key_of, subject_of
from .validators import LoginValidator

_EVENTS: Final = "_security_login_events"
_FAILURE: Final = InputRequestSlug.UNSUCCESSFUL_LOGIN_REQUEST
_SLUGS: Final = frozenset(InputRequestSlug.values)
_SUCCESS: Final = InputRequestSlug.SUCCESSFUL_LOGIN_REQUEST
# How long it is remembered that a client has logged in to an account.
_REMEMBERED: Final = 366 * 86_400_000
_LONGEST_ACCOUNT: Final = 1000


@dataclass(slots=True)
class _Events:
    """What happened during one request."""

    told: set[str] = field(default_factory=set)
    """The slugs of what signals told of."""
    pending: list[Limit] = field(default_factory=list)
    """What is counted when the site's transaction is over."""


def note_failure(request: Any = None, credentials: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
    """Count a login that failed (signal user_login_failed); raises `ThrottlingException` for one too many."""
    request = _observed(request)
    if request is None:
        return
    request.input_logged_request.set_slug(str(_FAILURE))
    if settings.THROTTLING_ENABLED:
        _events(request).told.add(_FAILURE)
        _count(request, _FAILURE, list(_accounts_of(credentials or {})))


def note_success(request: Any = None, user: Any = None, **kwargs: Any) -> None:
    """Count a login that succeeded (signal user_logged_in); raises `ThrottlingException` for one too many."""
    request = _observed(request)
    if request is None:
        return
    request.input_logged_request.set_slug(str(_SUCCESS))
    if not settings.THROTTLING_ENABLED:
        return
    _events(request).told.add(_SUCCESS)
    accounts = list(_accounts_of_user(user))
    try:
        _count(request, _FAILURE, accounts, counts=False)
        _count(request, _SUCCESS, accounts)
    except Exception:
        from django.contrib.auth.models import AnonymousUser

        # The session has the user by now.
        request.session.flush()
        request.user = AnonymousUser()
        raise
    if any(validator.by == "account" for validator in _validators(_FAILURE)):
        client = subject_of(request).client
        for account in accounts:
            _hit(request, _acquaintance(client, account))


def has_events(request: HttpRequest) -> bool:
    """Tell whether anything happened in a request that is still to be counted."""
    seen = vars(request)
    events: _Events | None = seen.get(_EVENTS)
    if events is not None and events.pending:
        return True
    slug = getattr(seen.get("input_logged_request"), "slug", None)
    return slug in _SLUGS and (events is None or slug not in events.told)


def settle(request: HttpRequest) -> None:
    """Count what is left, among it what only the slug of the record tells."""
    events = _events(request)
    pending, events.pending = events.pending, []
    slug = vars(request)["input_logged_request"].slug
    if slug in _SLUGS and slug not in events.told:
        events.told.add(slug)
        client = subject_of(request).client
        pending += [validator.limit_at_login(client) for validator in _validators(slug) if validator.by == "client"]
    try:
        for limit in {limit.key: limit for limit in pending}.values():
            decide([limit])
    except NotCountedError:
        # The site has answered already.
        return


def _count(request: HttpRequest, slug: str, accounts: list[str], *, counts: bool = True) -> None:
    """Count what happened for all validators of its kind; those that guard the view refuse it."""
    guards = guards_of(request.resolver_match.func if request.resolver_match else None, request)
    guarding = {id(validator) for validator in (*guards.default, *guards.own)}
    client = subject_of(request).client
    refusal: Exception | None = None
    limits: dict[str, Limit] = {}
    by_key: dict[str, list[LoginValidator]] = {}
    for validator in _validators(slug):
        for whom in [client] if validator.by == "client" else _asked_more(slug, client, accounts):
            limit = validator.limit_at_login(whom, counts=counts)
            limits[limit.key] = limit
            by_key.setdefault(limit.key, []).append(validator)
    for key, limit in limits.items():
        for full, window in _hit(request, limit):
            for validator in by_key[key]:
                if id(validator) in guarding and refusal is None:
                    refusal = validator.refusal(full, window)
    if refusal is not None:
        raise refusal


def _hit(request: HttpRequest, limit: Limit) -> Iterable[tuple[Limit, Any]]:
    """Hit one limit, now or, where a rollback would undo it, after the view; gives it where it was full."""
    if not limit.counts or not _can_be_rolled_back():
        return decide([limit]).full
    full = decide([replace(limit, counts=False)]).full
    if not full:
        _events(request).pending.append(limit)
    return full


def _can_be_rolled_back() -> bool:
    try:
        return counter().can_be_rolled_back()
    except Exception:  # `decide` meets it too, and says so
        return False


def _asked_more(slug: str, client: str, accounts: list[str]) -> Iterator[str]:
    """Give the accounts of which a limit holds for this client: who logged in before is not locked out by others."""
    for account in accounts:
        if slug != _FAILURE or decide([replace(_acquaintance(client, account), counts=False)]).passed:
            yield account


def _acquaintance(client: str, account: str) -> Limit:
    """Give the limit that is full when a client has logged in to an account."""
    return Limit(key_of("acquaintance", client, account), _REMEMBERED, 1)


def _validators(slug: str) -> list[LoginValidator]:
    return [validator for validator in LoginValidator.known if validator.slug == slug]


def _accounts_of(credentials: Mapping[str, Any]) -> Iterator[str]:
    """Give the account that credentials are for, as the client wrote it."""
    for name in (get_user_model().USERNAME_FIELD, "username", "email"):
        value = credentials.get(name)
        if isinstance(value, str) and value:
            yield _normal(value)
            return


def _accounts_of_user(user: Any) -> Iterator[str]:
    """Give all that a client may have written for the account of a user."""
    names = {user.get_username()}
    if hasattr(user, "get_email_field_name"):
        names.add(getattr(user, user.get_email_field_name(), None))
    yield from {_normal(name) for name in names if isinstance(name, str) and name}


def _normal(name: str) -> str:
    return unicodedata.normalize("NFKC", name[:_LONGEST_ACCOUNT]).strip().casefold()


def _observed(request: Any) -> Any:
    """Give the site's request, which Django REST framework wraps, if the middleware saw it come."""
    request = getattr(request, "_request", request)
    return request if getattr(request, "input_logged_request", None) is not None else None


def _events(request: HttpRequest) -> _Events:
    events: _Events = vars(request).setdefault(_EVENTS, _Events())
    return events


user_login_failed.connect(note_failure, dispatch_uid="security.throttling.failure")
user_logged_in.connect(note_success, dispatch_uid="security.throttling.success")
