"""The app of the testing backend."""

from __future__ import annotations

from typing import ClassVar

from security.backends.base import SecurityBackend


class SecurityTestingBackend(SecurityBackend):
    """Keeps nothing by itself: logs are kept while `capture_security_logs` is open, whatever the settings select."""

    name = "security.backends.testing"
    label = "security_testing"
    verbose_name = "Security log for tests"
    backend_name: ClassVar[str] = "testing"
