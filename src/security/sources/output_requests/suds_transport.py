"""A transport of suds that sends by a recording session of `requests`, and a client that has it."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Model

try:
    import suds.client
    from suds.transport import Reply, TransportError
    from suds.transport.https import HttpAuthenticated
except ImportError as error:
    raise ImportError('security.suds needs the library suds: pip install "django-security-logger[suds]"') from error

import requests

from .exchange import text_of
from .requests_session import Session


class SecurityRequestsTransport(HttpAuthenticated):  # type: ignore[misc]  # suds is not typed
    """A transport for the standard client of suds (published section "suds").

    `session` is a session of `requests` to send by, and the other arguments are those of suds' own transport, such as
    `timeout` in seconds. What is no HTTP, such as a WSDL in a file, is left to that. Raises `ValueError` for a related
    object that is not saved.
    """

    def __init__(
        self,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
        session: requests.Session | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.session = Session.recording(session, slug=slug, related_objects=related_objects)

    def open(self, request: Any) -> Any:
        """Fetch a document, such as a WSDL."""
        if urlsplit(request.url).scheme not in ("http", "https"):
            return super().open(request)
        return BytesIO(self._ask("GET", request).content)

    def send(self, request: Any) -> Any:
        """Send a message; suds reads a fault out of the `TransportError` that is raised for it."""
        response = self._ask("POST", request, data=request.message)
        return Reply(HTTPStatus.OK, response.headers, response.content)

    def __deepcopy__(self, memo: Any = None) -> SecurityRequestsTransport:
        # suds copies the transport of a client that is cloned.
        clone: SecurityRequestsTransport = super().__deepcopy__({})
        clone.session = self.session
        return clone

    def _ask(self, method: str, request: Any, **kwargs: Any) -> requests.Response:
        username, password = self.credentials()
        response = self.session.request(
            method,
            request.url,
            headers={name: text_of(value) for name, value in request.headers.items()},
            timeout=request.timeout or self.options.timeout,
            proxies=self.options.proxy or None,
            auth=(username, password) if username is not None and password is not None else None,
            **kwargs,
        )
        if not response.ok:
            raise TransportError(response.reason, response.status_code, BytesIO(response.content))
        return response


class Client(suds.client.Client):  # type: ignore[misc]  # suds is not typed
    """The client of suds with a recording transport; all other arguments are those of suds' own.

    Raises `ValueError` for a related object that is not saved.
    """

    def __init__(
        self,
        url: str,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
        session: requests.Session | None = None,
        **kwargs: Any,
    ) -> None:
        if "transport" not in kwargs:
            # First, as suds hands the options after it on to the transport that it then has.
            kwargs = {"transport": SecurityRequestsTransport(slug, related_objects, session), **kwargs}
        elif slug is not None or related_objects or session is not None:
            raise TypeError(
                "A client with a transport of its own takes no slug, related_objects or session: write "
                "transport=SecurityRequestsTransport(slug=…, related_objects=…, session=…)."
            )
        super().__init__(url, **kwargs)
