"""Counting logins, at whatever view they happen: Django's signals tell of them, or the slug of the request's record.

Where a limit is reached a login is refused before its password is looked at (`attempts`), so that who guesses learns
nothing more. What happened is counted at once. Inside a transaction of the site's it is only looked at, and counted
after the view, as a rollback would undo the count.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.signals import user_logged_in, user_login_failed
from django.http import HttpRequest

from security.config import settings
from security.enums import InputRequestSlug
from security.rates import Limit

from .counting import counter, decide
from .current import request_served
from .exception import NotCountedError, ThrottlingException
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
# Marks that stand on, around or over a letter, control and format characters.
_UNSEEN: Final = frozenset(("Mn", "Me", "Cc", "Cf"))


@dataclass(slots=True)
class _Events:
    """What happened during one request."""

    told: set[str] = field(default_factory=set)
    """The slugs of what signals told of."""
    pending: list[list[Limit]] = field(default_factory=list)
    """The decisions that are made when the site's transaction is over."""


def is_limited(request: Any) -> bool:
    """Tell whether limits may hold for a login in this request."""
    return bool(settings.THROTTLING_ENABLED and LoginValidator.known) and _observed(request) is not None


def refuse_attempt(request: Any, credentials: Mapping[str, Any]) -> None:
    """Look at all limits of logins before the password is; raises `ThrottlingException` where one is reached."""
    request = _observed(request)
    try:
        _count(request, {_FAILURE: False, _SUCCESS: False}, list(_accounts_of(credentials)))
    except (ThrottlingException, NotCountedError):
        request.input_logged_request.set_slug(str(_FAILURE))
        _events(request).told.add(_FAILURE)
        raise


def note_failure(request: Any = None, credentials: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
    """Count a login that failed (signal user_login_failed); raises `ThrottlingException` for one too many."""
    request = _observed(request)
    if request is None:
        return
    request.input_logged_request.set_slug(str(_FAILURE))
    if settings.THROTTLING_ENABLED:
        _events(request).told.add(_FAILURE)
        _count(request, {_FAILURE: True}, list(_accounts_of(credentials or {})))


def note_success(request: Any = None, user: Any = None, **kwargs: Any) -> None:
    """Count a login that succeeded (signal user_logged_in); raises `ThrottlingException` for one too many."""
    request = _observed(request)
    if request is None:
        return
    if not settings.THROTTLING_ENABLED:
        request.input_logged_request.set_slug(str(_SUCCESS))
        return
    accounts = list(_accounts_of_user(user))
    try:
        # A login without a password, or one that others overtook while its password was looked at, is refused here.
        _count(request, {_FAILURE: False, _SUCCESS: True}, accounts)
    except Exception:
        from django.contrib.auth.models import AnonymousUser

        request.input_logged_request.set_slug(str(_FAILURE))
        _events(request).told.add(_FAILURE)
        # The session has the user by now.
        request.session.flush()
        request.user = AnonymousUser()
        raise
    request.input_logged_request.set_slug(str(_SUCCESS))
    _events(request).told.add(_SUCCESS)
    if any(validator.by == "account" for validator in _validators(_FAILURE)):
        client = subject_of(request).client
        for account in accounts:
            _hit(request, [_acquaintance(client, account)])


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
        found = [validator.limit_at_login(client) for validator in _validators(slug) if validator.by == "client"]
        pending += [[limit] for limit in {limit.key: limit for limit in found}.values()]
    try:
        for limits in pending:
            decide(limits)
    except NotCountedError:
        # The site has answered already.
        return


def _count(request: HttpRequest, slugs: Mapping[str, bool], accounts: list[str]) -> None:
    """Count what happened, or look (False), for all validators of its kinds.

    Those that guard the view refuse it, and are one decision: who is refused fills no count, least of all the account's
    of somebody else. For those that guard other views it counts all the same.
    """
    guards = guards_of(request.resolver_match.func if request.resolver_match else None, request)
    guarding = {id(validator) for validator in (*guards.default, *guards.own)}
    client = subject_of(request).client
    strangers: list[str] | None = None
    held: dict[str, tuple[LoginValidator, Limit]] = {}
    elsewhere: dict[str, tuple[LoginValidator, Limit]] = {}
    for slug, counts in slugs.items():
        for validator in _validators(slug):
            if not counts and id(validator) not in guarding:
                continue
            whom = [client]
            if validator.by == "account" and slug == _FAILURE:
                whom = strangers = _asked_more(client, accounts) if strangers is None else strangers
            elif validator.by == "account":
                whom = accounts
            for one in whom:
                limit = validator.limit_at_login(one, counts=counts)
                (held if id(validator) in guarding else elsewhere)[limit.key] = validator, limit
    for full, window in _hit(request, [limit for _, limit in held.values()]):
        validator, limit = held[full.key]
        raise validator.refusal(limit, window)
    is_full = False
    for validator, limit in sorted(elsewhere.values(), key=lambda found: found[0].by == "account"):
        if limit.key not in held and not (is_full and validator.by == "account"):
            is_full = bool(_hit(request, [limit])) or is_full


def _hit(request: HttpRequest, limits: list[Limit]) -> Sequence[tuple[Limit, Any]]:
    """Hit limits, all or none, now or, where a rollback would undo it, after the view; gives those that are full."""
    counted = [limit for limit in limits if limit.counts]
    waits = bool(counted) and _can_be_rolled_back()
    pending = _events(request).pending
    if not waits and not pending:
        return decide(limits).full
    # What this request is going to hit takes up room already.
    waiting = Counter(limit.key for decision in pending for limit in decision)
    looked = [
        replace(limit, counts=limit.counts and not waits, throttle_at=limit.throttle_at - waiting[limit.key])
        for limit in limits
    ]
    full: Sequence[tuple[Limit, Any]] = [(limit, None) for limit in looked if limit.throttle_at < 1]
    full = full or decide(looked).full
    if waits and not full:
        pending.append(counted)
    return full


def _can_be_rolled_back() -> bool:
    try:
        return counter().can_be_rolled_back()
    except Exception:  # `decide` meets it too, and says so
        return False


def _asked_more(client: str, accounts: list[str]) -> list[str]:
    """Give the accounts of which a limit holds for this client: who logged in before is not locked out by others."""
    known = decide([replace(_acquaintance(client, account), counts=False) for account in accounts]).full
    return [] if known else accounts


def _acquaintance(client: str, account: str) -> Limit:
    """Give the limit that is full when a client has logged in to an account."""
    return Limit(key_of("acquaintance", client, account), _REMEMBERED, 1)


def _validators(slug: str) -> list[LoginValidator]:
    return [validator for validator in LoginValidator.known if validator.slug == slug]


def _accounts_of(credentials: Mapping[str, Any]) -> Iterator[str]:
    """Give the account that credentials are for: as the client wrote it, and the user whom the site takes that for.

    A database can take for one what is written in many ways, such as with accents or without. Only it knows.
    """
    if not any(validator.by == "account" for validator in LoginValidator.known):
        return
    users = get_user_model()
    for name in (users.USERNAME_FIELD, "username", "email"):
        value = credentials.get(name)
        if isinstance(value, str) and value:
            yield _normal(value)
            with suppress(Exception):  # the site's own manager; where nobody is found the name remains
                yield _account_of_key(users._default_manager.get_by_natural_key(value).pk)
            return


def _accounts_of_user(user: Any) -> Iterator[str]:
    """Give all that a client may have written for the account of a user."""
    names = {user.get_username()}
    if hasattr(user, "get_email_field_name"):
        names.add(getattr(user, user.get_email_field_name(), None))
    yield from {_normal(name) for name in names if isinstance(name, str) and name}
    yield _account_of_key(user.pk)


def _account_of_key(key: object) -> str:
    # What clients write is left without control characters: no name is one of these.
    return f"\0{key}"


def _normal(name: str) -> str:
    """Give a name without what a client can vary: its letters' case, width and accents, and what is not seen."""
    letters = unicodedata.normalize("NFKD", name[:_LONGEST_ACCOUNT]).casefold()
    seen = (letter for letter in unicodedata.normalize("NFKD", letters) if unicodedata.category(letter) not in _UNSEEN)
    return "".join(seen).strip()


def _observed(request: Any) -> Any:
    """Give the site's request, which Django REST framework wraps, if the middleware saw it come.

    Where the code that logs in hands on none, it is the one that is being served.
    """
    request = request_served() if request is None else getattr(request, "_request", request)
    return request if getattr(request, "input_logged_request", None) is not None else None


def _events(request: HttpRequest) -> _Events:
    events: _Events = vars(request).setdefault(_EVENTS, _Events())
    return events


user_login_failed.connect(note_failure, dispatch_uid="security.throttling.failure")
user_logged_in.connect(note_success, dispatch_uid="security.throttling.success")
