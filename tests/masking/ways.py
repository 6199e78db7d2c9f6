"""The ways by which texts from outside come into a log: what each of them is, and looking at what it left behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from security.decorators import log_with_data
from security.enums import LoggerName

from .cases import Case
from .stored import Everything, Place, everything_stored, shown_in

Send = Callable[[Case], object]


@dataclass(frozen=True, slots=True)
class Way:
    """One way in. What is sent while it is open has been stored when it is closed."""

    name: str
    cases: Sequence[Case]
    open: Callable[[], AbstractContextManager[Send]]
    reaches: Mapping[LoggerName, tuple[str, ...]]
    """The fields in which the secret of each case would stand if nothing were masked."""
    closes_connections: bool = False
    """Whether the way ends the connection to the database, which no transaction outlives."""

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class Outcome:
    """What is stored of each case that was sent, and what cannot be told to be of any."""

    everything: Everything
    cases: Sequence[Case]

    def places(self) -> tuple[dict[int, list[Place]], list[Place]]:
        """Give what is stored of each case, and what is of none; what has no slug is of its parent's case."""
        places = [*self.everything.places()]
        slugs = {_key(place.id): place.slug for place in places if place.slug}
        of_cases: dict[int, list[Place]] = defaultdict(list)
        others = []
        for place in places:
            parent = _key((place.parent or "").rpartition("|")[2])
            slug = place.slug or slugs.get(parent) or ""
            if slug.startswith("case "):
                of_cases[int(slug.removeprefix("case "))].append(place)
            else:
                others.append(place)
        return of_cases, others

    def leaks(self, way: Way) -> Iterator[str]:
        """Tell of each secret that can be read anywhere, and of each case of which nothing is stored."""
        of_cases, others = self.places()
        for number, case in enumerate(self.cases):
            yield from (f"{way}: {found} of {case}" for found in shown_in(of_cases[number], case.secret))
            for kind in way.reaches:
                for backend in ("sql", "testing"):
                    if not any(place.where.startswith(f"{backend} {kind}") for place in of_cases[number]):
                        yield f"{way}: no {kind} in {backend} of {case}"
        for secret in dict.fromkeys(case.secret for case in self.cases):
            yield from (f"{way}: {found}" for found in shown_in(others, secret))

    def hidden(self, way: Way) -> Iterator[str]:
        """Tell of each case and field in which the secret cannot be read."""
        of_cases, _ = self.places()
        for number, case in enumerate(self.cases):
            for kind, fields in way.reaches.items():
                rows = [place for place in of_cases[number] if place.where == f"sql {kind}"]
                for name in fields:
                    if not any(row.shows(case.secret, name) for row in rows):
                        yield f"{way}: {kind}.{name} does not show {case}"


def _key(id_: str) -> str:
    # A database without a type for it writes an id without its hyphens.
    return id_.replace("-", "")


def send_all(way: Way, cases: Iterable[Case]) -> Outcome:
    """Send cases by a way, with all backends writing, and give what they stored; the tables have to be empty."""
    cases = list(cases)
    with everything_stored() as everything:
        with way.open() as send:
            for number, case in enumerate(cases):
                with log_with_data(slug=f"case {number}"):
                    send(case)
        return Outcome(everything, cases)
