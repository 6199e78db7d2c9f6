"""HTTP requests, those to the site and those of the site to others."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum
from typing import Any

from security.body import Body
from security.config import settings
from security.enums import Event, LoggerName, RequestLogState
from security.fields import BodyText, Host, Members, Name, Plain, UrlPath, stored
from security.references import user_with_id

from .base import Loss, Record, Transition


@dataclass(slots=True, kw_only=True, eq=False)
class RequestRecord(Record):
    """An HTTP request and its response."""

    transitions = {
        Event.STARTED: Transition(RequestLogState.INCOMPLETE),
        Event.FINISHED: Transition(None, is_final=True, level=None),
        Event.ERROR: Transition(RequestLogState.ERROR, is_final=True, level=logging.ERROR),
    }

    loss = Loss(RequestLogState.ERROR, timedelta(hours=1))

    host: str = stored(Host(255), default="", settled=True)
    method: str = stored(Name(20), default="", settled=True)
    path: str = stored(UrlPath(2000), default="", settled=True)
    queries: Mapping[str, str | list[str]] = stored(Members("QUERIES", 8000), default_factory=dict, settled=True)
    """The values by name; the values of a name that is repeated are a list."""
    is_secure: bool = stored(Plain(), default=False, settled=True)
    request_headers: Mapping[str, str | list[str]] = stored(
        Members("HEADERS", 16_000), default_factory=dict, settled=True
    )
    request_body: Body | str = stored(BodyText(lambda: settings.LOG_REQUEST_BODY_LENGTH), default="")
    response_code: int | None = stored(Plain())
    response_headers: Mapping[str, str | list[str]] = stored(Members("HEADERS", 16_000), default_factory=dict)
    response_body: Body | str = stored(BodyText(lambda: settings.LOG_RESPONSE_BODY_LENGTH), default="")
    state: IntEnum = stored(Plain(), default=RequestLogState.INCOMPLETE)


@dataclass(slots=True, kw_only=True, eq=False)
class InputRequestRecord(RequestRecord):
    """A request to the site; `request.input_logged_request` is one (published section "Input requests")."""

    kind = LoggerName.INPUT_REQUEST
    logger_name = "security.input_request"
    thread_is_tended = True
    subject = 'Input request "{id}" to "{host}" with path "{path}"'
    own_predicates = {Event.FINISHED: "was finished"}

    ip: str | None = stored(Plain(), settled=True)
    user_id: str | None = stored(Name(255))
    view_slug: str | None = stored(Name(255))

    @property
    def user(self) -> Any:
        """The user who asked, as far as `user_id` is known yet, or None; each look is a query."""
        return user_with_id(self.user_id)


@dataclass(slots=True, kw_only=True, eq=False)
class OutputRequestRecord(RequestRecord):
    """A request of the site to another one."""

    kind = LoggerName.OUTPUT_REQUEST
    logger_name = "security.output_request"
    subject = 'Output request "{id}" to "{host}" with path "{path}"'
