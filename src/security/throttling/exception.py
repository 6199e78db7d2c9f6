"""What a validator raises to refuse a request."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from security.rates import Limit

logger = logging.getLogger("security")


class ThrottlingException(Exception):  # noqa: N818 the published name
    """A request is refused; the text is shown to the client (published section "Custom validator").

    `retry_after` is the number of seconds after which it may be tried again, None where nobody knows. `limit` is the
    limit that was reached, and `policies` all those that held for the request.
    """

    def __init__(
        self,
        *args: object,
        retry_after: int | None = None,
        limit: Limit | None = None,
        policies: Sequence[Limit] = (),
    ) -> None:
        super().__init__(*args)
        self.retry_after = retry_after
        self.limit = limit
        self.policies = tuple(policies)


class NotCountedError(Exception):
    """A request cannot be counted now, and SECURITY_THROTTLING_FAIL_OPEN says that it is not to pass uncounted."""


def text_of(said: object) -> str:
    """Give the text of a refusal, or of a description, also where it fails to make one: it may be translated late."""
    try:
        return str(said)
    except Exception as error:  # the request is refused whatever its text is
        logger.error("The description of a validator failed; the client is refused without it.", exc_info=error)
        return "Too Many Requests"
