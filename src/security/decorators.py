"""Decorators of views (published section "View decorators"); each works bare and called with `()`."""

from security.sources.input_requests.view_options import (
    HIDE_REQUEST_BODY,
    LOG_EXEMPT,
    ViewClassMark,
    ViewMark,
)
from security.throttling.policy import throttling, throttling_all, throttling_exempt, throttling_exempt_all

hide_request_body = ViewMark(HIDE_REQUEST_BODY)
"""Keep the request's body out of the log of a view."""
hide_request_body_all = ViewClassMark(HIDE_REQUEST_BODY)
"""Keep the request's body out of the log of a view class."""
log_exempt = ViewMark(LOG_EXEMPT)
"""Keep all requests to a view out of the log."""
log_exempt_all = ViewClassMark(LOG_EXEMPT)
"""Keep all requests to a view class out of the log."""

__all__ = [
    "hide_request_body",
    "hide_request_body_all",
    "log_exempt",
    "log_exempt_all",
    "throttling",
    "throttling_all",
    "throttling_exempt",
    "throttling_exempt_all",
]
