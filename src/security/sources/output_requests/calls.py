"""One call of a client library: what the site said about it, and the first of the requests that it led to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from django.db.models import Model

from security.faults import log_fault
from security.records import Entry, Record
from security.references import ObjectReference

from .exchange import OutputExchange, text_of


@dataclass(slots=True)
class Call:
    """A call that is under way."""

    client: object
    slug: str | None = None
    references: tuple[ObjectReference, ...] = ()
    first: Record | None = None

    def new_exchange(self) -> OutputExchange:
        """Begin one of the call's requests; all but the first are children of that."""
        exchange = OutputExchange(slug=self.slug, references=self.references, parent=self.first)
        self.first = self.first or exchange.record
        return exchange

    def failure(self, method: object, url: object, error: BaseException, *headers: object) -> list[Entry]:
        """Record a call that failed before anything was sent: its address, for example, is none."""
        if self.first is not None:
            return []
        try:
            exchange = self.new_exchange()
            return [*exchange.send(text_of(method), text_of(url), {}), *exchange.fail(error, *headers)]
        except Exception:  # the site is to see its own error
            log_fault("An output request that failed could not be recorded.")
            return []


_current: Final[ContextVar[Call | None]] = ContextVar("security_output_call", default=None)


def current_call(client: object) -> Call | None:
    """Give the call of a client that is under way, if it is that client's."""
    call = _current.get()
    return call if call is not None and call.client is client else None


class Calling:
    """A client whose calls can be told a slug and related objects; what it was told itself holds for all others."""

    slug: str | None = None
    references: tuple[ObjectReference, ...] = ()

    def _tell(self, slug: str | None, related_objects: Iterable[Model] | None) -> None:
        self.slug = slug
        self.references = ObjectReference.to_all(related_objects)

    @contextmanager
    def _calling(
        self, slug: str | None = None, related_objects: Iterable[Model] | None = None, *, is_new: bool = False
    ) -> Iterator[Call]:
        """Let what is sent in this block be of one call, unless it is a part of one already and not `is_new`.

        What the site asks for by a method of its own, in a hook or for an authentication, is a new call.
        Raises `ValueError` for a related object that is not saved.
        """
        references = ObjectReference.to_all(related_objects) or self.references
        call = current_call(self)
        if call is not None and not is_new:
            yield call
            return
        call = Call(self, slug if slug is not None else self.slug, references)
        token = _current.set(call)
        try:
            yield call
        finally:
            _current.reset(token)
