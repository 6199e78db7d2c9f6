"""Transports of zeep that send by a recording session of `requests`, or by recording clients of httpx."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db.models import Model

try:
    import zeep.transports
except ImportError as error:
    raise ImportError('security.zeep needs the library zeep: pip install "django-security-logger[zeep]"') from error

import requests

from .requests_session import Session

if TYPE_CHECKING:
    import httpx


class Transport(zeep.transports.Transport):  # type: ignore[misc]  # zeep is not typed
    """The transport of zeep, which takes a `slug` and `related_objects` more.

    Raises `ValueError` for a related object that is not saved.
    """

    # zeep asks for it when a transport is dropped, also one that could not be made.
    _close_session = False

    def __init__(
        self,
        cache: Any = None,
        timeout: float = 300,
        operation_timeout: float | None = None,
        session: requests.Session | None = None,
        *,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
    ) -> None:
        recording = Session.recording(session, slug=slug, related_objects=related_objects)
        super().__init__(cache, timeout, operation_timeout, recording)
        # zeep closes a session of its own, and this is one.
        self._close_session = session is None


class AsyncTransport(zeep.transports.AsyncTransport):  # type: ignore[misc]  # zeep is not typed
    """The asynchronous transport of zeep, which takes a `slug` and `related_objects` more.

    A client that is given has to be one of `security.httpx`. Raises `ValueError` for a related object that is not
    saved.
    """

    _close_session = False

    def __init__(
        self,
        client: httpx.AsyncClient | None = None,
        wsdl_client: httpx.Client | None = None,
        cache: Any = None,
        timeout: float = 300,
        operation_timeout: float | None = None,
        verify_ssl: Any = True,
        proxy: Any = None,
        *,
        slug: str | None = None,
        related_objects: Iterable[Model] | None = None,
    ) -> None:
        from .httpx_clients import AsyncClient, Client

        for given, kind in ((client, AsyncClient), (wsdl_client, Client)):
            if given is not None and not isinstance(given, kind):
                raise TypeError(f"{given!r} records nothing: write security.httpx.{kind.__name__} for it.")
        related_objects = list(related_objects or ())
        said: dict[str, Any] = {"slug": slug, "related_objects": related_objects, "verify": verify_ssl, "proxy": proxy}
        super().__init__(
            client or AsyncClient(timeout=operation_timeout, **said),
            wsdl_client or Client(timeout=timeout, **said),
            cache,
            timeout,
            operation_timeout,
        )
