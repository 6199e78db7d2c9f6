"""Ways in through clients of SOAP, which write texts into XML and read faults out of it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import zeep

from security import suds as recording_suds
from security.enums import LoggerName
from security.zeep import Transport
from tests.acceptance.remote import remote_service

from .cases import TEXTS, Case, once
from .ways import Send, Way

# XML has no other signs of control.
CASES = [case for case in once(TEXTS) if case.text.isprintable() or case.text.replace("\n", "").isprintable()]


def by_suds(address: str) -> Any:
    return recording_suds.Client(address, cache=None).service


def by_zeep(address: str) -> Any:
    return zeep.Client(address, transport=Transport()).service


def opened(make: Callable[[str], Any]) -> Callable[[], AbstractContextManager[Send]]:
    @contextmanager
    def open_way() -> Iterator[Send]:
        with warnings.catch_warnings(), remote_service() as remote:
            # Both use what Python no longer recommends.
            warnings.simplefilter("ignore", DeprecationWarning)
            service = make(f"{remote.address}/soap?wsdl")

            def send(case: Case) -> None:
                with suppress(Exception):
                    service.Price(case.text)

            yield send

    return open_way


WAYS = [
    Way(f"a message, by {name}", CASES, opened(make), {LoggerName.OUTPUT_REQUEST: ("request_body",)})
    for name, make in (("suds", by_suds), ("zeep", by_zeep))
]
