"""Which backends there are: those that are installed, and the captures that are open in a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Protocol

from django.apps import AppConfig, apps
from django.core.exceptions import ImproperlyConfigured

from security.backends.base import Counter, History, OpenLogs, Reader, SecurityBackend, TaskLogs, Writer
from security.config import settings


class Capture(Protocol):
    """A backend for a while: it takes all entries made while it is attached, whatever the settings select."""

    @property
    def backend_name(self) -> str: ...
    @property
    def writer(self) -> Writer: ...
    @property
    def reader(self) -> Reader: ...
    @property
    def counter(self) -> Counter: ...


_installed: tuple[Mapping[str, AppConfig], Mapping[str, SecurityBackend]] | None = None
_captures: tuple[Capture, ...] = ()
_captures_lock = Lock()


@contextmanager
def attached(capture: Capture) -> Iterator[None]:
    """Let `capture` take all entries for this block, and answer the readers, unless the site reads another backend."""
    global _captures
    with _captures_lock:
        _captures = (*_captures, capture)
    try:
        yield
    finally:
        with _captures_lock:
            _captures = tuple(other for other in _captures if other is not capture)


def installed_backends() -> Mapping[str, SecurityBackend]:
    """Give the backends of INSTALLED_APPS by name, in their order."""
    global _installed
    # Django makes other ones where INSTALLED_APPS changes in a test.
    configs = apps.app_configs
    if _installed is None or _installed[0] is not configs:
        backends = [config for config in apps.get_app_configs() if isinstance(config, SecurityBackend)]
        _installed = (configs, {backend.backend_name: backend for backend in backends})
    return _installed[1]


def _written_to() -> list[tuple[str, SecurityBackend]]:
    """Give the backends that the site selected (SECURITY_BACKENDS, by default all), with their names."""
    selected = settings.BACKENDS
    return [found for found in installed_backends().items() if selected is None or found[0] in selected]


def writers() -> list[tuple[str, Writer]]:
    """Give the writers of the backends that are written to, with the backends' names."""
    found = [(name, backend.writer) for name, backend in _written_to() if backend.writer is not None]
    return found + [(capture.backend_name, capture.writer) for capture in _captures]


def open_logs() -> list[OpenLogs]:
    """Give the open logs of each installed backend that can close them, and is written to."""
    return [backend.open_logs for _, backend in _written_to() if backend.open_logs is not None]


def task_logs() -> list[TaskLogs]:
    """Give the logs of tasks of each installed backend that can close them, and is written to."""
    return [backend.task_logs for _, backend in _written_to() if backend.task_logs is not None]


def _answering_capture() -> Capture | None:
    """Give the capture that is read: the latest that is open, unless SECURITY_BACKEND_READER names another backend."""
    if _captures and settings.BACKEND_READER in (None, _captures[-1].backend_name):
        return _captures[-1]
    return None


def reader() -> Reader:
    """Give the reader: that of SECURITY_BACKEND_READER, or an open capture's, or the first that is installed.

    Raises `ImproperlyConfigured` where no backend can be read.
    """
    capture = _answering_capture()
    if capture is not None:
        return capture.reader
    readers = {name: backend.reader for name, backend in installed_backends().items() if backend.reader is not None}
    chosen = settings.BACKEND_READER
    if chosen is None and readers:
        return next(iter(readers.values()))
    if chosen in readers:
        return readers[chosen]
    raise ImproperlyConfigured(
        f"SECURITY_BACKEND_READER names {chosen!r}, but the backends that can be read now are "
        f"{', '.join(readers) or 'none'}; the testing backend can while capture_security_logs is open."
        if chosen
        else "No installed backend can be read. Add 'security.backends.sql' to INSTALLED_APPS."
    )


def counter() -> Counter | None:
    """Give the counter of the backend that reads, an open capture or another; None where that one cannot count."""
    capture = _answering_capture()
    if capture is not None:
        return capture.counter
    chosen = settings.BACKEND_READER
    backends = installed_backends()
    if chosen is not None:
        return backends[chosen].counter if chosen in backends else None
    return next((backend.counter for backend in backends.values() if backend.counter is not None), None)


def history() -> History:
    """Give what tells the past: of SECURITY_BACKEND_READER, or of the first backend that can.

    Raises `ImproperlyConfigured` where none can.
    """
    chosen = settings.BACKEND_READER
    for name, backend in installed_backends().items():
        if backend.history is not None and chosen in (None, name):
            return backend.history
    raise ImproperlyConfigured(
        "No installed backend can go through past requests. Add 'security.backends.sql' to INSTALLED_APPS."
    )
