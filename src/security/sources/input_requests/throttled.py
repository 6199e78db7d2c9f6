"""The steps at which a request may be refused: before its view, and where it turned out not to reach one.

A request that passes is begun in the same visit to a thread in which it was counted. One that is refused is written
once, when it is complete.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http.response import HttpResponseBase

from security.config import settings
from security.delivery import adeliver, arun_blocking, deliver, run_blocking
from security.throttling import attempts  # noqa: F401  which puts the limits in front of the passwords
from security.throttling.answer import Refusal, aanswer, answer
from security.throttling.exception import ThrottlingException, text_of
from security.throttling.gate import Gate, gate_of, gate_of_redirect
from security.throttling.logins import has_events, settle

from .exchange import Exchange
from .view_match import match_of


def before(exchange: Exchange, view: Callable[..., Any]) -> HttpResponseBase | None:
    """Decide on a request to a view, and begin its record; gives the answer to one that is refused."""
    exchange.is_decided = True
    gate = gate_of(exchange.request, view)
    if gate is None:
        deliver(exchange.reach_view(view))
        return None
    refusal = gate.check(lambda: deliver(exchange.reach_view(view)))
    return None if refusal is None else refuse(exchange, refusal)


async def abefore(exchange: Exchange, view: Callable[..., Any]) -> HttpResponseBase | None:
    """Do as `before`, without blocking the event loop."""

    async def begin() -> None:
        await adeliver(exchange.reach_view(view))

    exchange.is_decided = True
    gate = gate_of(exchange.request, view)
    if gate is None:
        await begin()
        return None
    refusal = await gate.acheck(lambda: deliver(exchange.reach_view(view)), begin)
    return None if refusal is None else await _arefuse(exchange, refusal)


def concerns(exchange: Exchange, response: HttpResponseBase) -> bool:
    """Tell whether anything is left to do after a request, which for most is nothing."""
    return settings.THROTTLING_ENABLED and (_is_undecided(exchange, response) or has_events(exchange.request))


def after(exchange: Exchange, response: HttpResponseBase) -> HttpResponseBase:
    """Count a request that reached no view, or in which somebody logged in; gives the answer that is sent."""
    request = exchange.request
    if _is_undecided(exchange, response):
        gate = _late_gate(exchange)
        refusal = None if gate is None else gate.check(_nothing)
        if refusal is not None:
            return refuse(exchange, refusal)
    if has_events(request):
        run_blocking(settle, request)
    return response


async def aafter(exchange: Exchange, response: HttpResponseBase) -> HttpResponseBase:
    """Do as `after`, without blocking the event loop."""
    request = exchange.request
    if _is_undecided(exchange, response):
        gate = _late_gate(exchange)
        refusal = None if gate is None else await gate.acheck(_nothing, _anothing)
        if refusal is not None:
            return await _arefuse(exchange, refusal)
    if has_events(request):
        await arun_blocking(settle, request)
    return response


def refuse(exchange: Exchange, refusal: Refusal) -> HttpResponseBase:
    """Answer a request that is refused, and let its record say so."""
    _note(exchange, refusal)
    return answer(exchange.request, refusal)


async def _arefuse(exchange: Exchange, refusal: Refusal) -> HttpResponseBase:
    _note(exchange, refusal)
    return await aanswer(exchange.request, refusal)


def _note(exchange: Exchange, refusal: Refusal) -> None:
    if isinstance(refusal, ThrottlingException):
        exchange.refusal = text_of(refusal)
    else:
        exchange.error_message = "The request could not be counted."


def _is_undecided(exchange: Exchange, response: HttpResponseBase) -> bool:
    """Tell whether the path led to no view, or a middleware before ours kept the request from it.

    The protection against forged requests is one such, and an attacker must not be let off for lack of its token.
    """
    return not exchange.is_decided and (
        exchange.request.resolver_match is not None or getattr(response, "status_code", None) == 404
    )


def _late_gate(exchange: Exchange) -> Gate | None:
    """Give the gate of a request that did not reach a view: of the one that it was kept from, or redirected to."""
    request = exchange.request
    if request.resolver_match is not None:
        return gate_of(request, request.resolver_match.func)
    match = match_of(request, 404)
    return gate_of(request, None) if match is None else gate_of_redirect(request, match)


def _nothing() -> None:
    """A request that reached no view is recorded when it is complete."""


async def _anothing() -> None:
    """Do as `_nothing`."""
