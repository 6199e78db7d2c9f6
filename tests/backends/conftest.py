"""What the tests of the backends share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings

from security.backends.testing import capture_security_logs


@pytest.fixture(params=["sql", "testing"])
def reading(request: pytest.FixtureRequest) -> Iterator[None]:
    """Have each backend that reads answer the readers."""
    if request.param == "sql":
        with override_settings(SECURITY_BACKEND_READER="sql"):
            yield
    else:
        with override_settings(SECURITY_BACKENDS=[]), capture_security_logs():
            yield
