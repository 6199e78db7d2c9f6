"""What the tests of output requests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.acceptance.remote import Remote, remote_service


@pytest.fixture(scope="session")
def remote() -> Iterator[Remote]:
    """A remote service that all tests ask."""
    with remote_service() as service:
        yield service
