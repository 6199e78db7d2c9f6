"""The line of each output request in the site's own log (SECURITY_LOG_OUTPUT_REQUESTS)."""

from __future__ import annotations

import logging
from typing import Final

from security.config import settings
from security.records import Entry

LOGGER: Final = "security.output_request.line"
logger = logging.getLogger(LOGGER)

_FORMAT: Final = '"{}" "{}" "{}" "{}" "{}" "{}" "{}" "{}"'


def write_line(entry: Entry) -> None:
    """Write the documented line of a request that has ended; what is not known is an empty text."""
    if settings.LOG_OUTPUT_REQUESTS and logger.isEnabledFor(logging.INFO):
        values = (
            *(entry.start.isoformat(), entry.stop.isoformat(), entry.time, entry.response_code),
            *(entry.host, entry.path, entry.method, entry.slug),
        )
        logger.info("%s", _FORMAT.format(*("" if value is None else _on_one_line(str(value)) for value in values)))


def _on_one_line(text: str) -> str:
    """Keep an address from writing lines or columns of its own."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in escaped)
