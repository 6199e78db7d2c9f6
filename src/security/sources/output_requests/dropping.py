"""Responses that the site neither reads to their end nor closes."""

from __future__ import annotations

import weakref

from security.delivery import deliver_later, expect_leftovers

from .exchange import OutputExchange


def complete_when_dropped(body: object, exchange: OutputExchange) -> None:
    """Have the record of a response completed when its body is no more."""
    expect_leftovers()
    weakref.finalize(body, complete_soon, exchange).atexit = False


def complete_soon(exchange: OutputExchange) -> None:
    """Complete a record from where nothing may be waited for."""
    if not exchange.has_ended:
        deliver_later(exchange.finish)
