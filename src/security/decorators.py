"""Decorators of views (published section "View decorators") and of anything else; each works bare and called."""

from security.log_data import log_with_data
from security.sources.input_requests.view_options import (
    HIDE_REQUEST_BODY,
    LOG_EXEMPT,
    HidingMark,
    ViewClassMark,
    ViewMark,
)
from security.throttling.policy import throttling, throttling_all, throttling_exempt, throttling_exempt_all

hide_request_body = HidingMark(HIDE_REQUEST_BODY)
"""Keep the request's body out of the log of a view."""
hide_request_body_all = ViewClassMark(HIDE_REQUEST_BODY)
"""Keep the request's body out of the log of a view class."""
log_exempt = ViewMark(LOG_EXEMPT)
"""Keep all requests to a view out of the log."""
log_exempt_all = ViewClassMark(LOG_EXEMPT)
"""Keep all requests to a view class out of the log."""

atomic_log = log_with_data
"""The documentation's other name of `log_with_data`."""

__all__ = [
    "atomic_log",
    "hide_request_body",
    "hide_request_body_all",
    "log_exempt",
    "log_exempt_all",
    "log_with_data",
    "throttling",
    "throttling_all",
    "throttling_exempt",
    "throttling_exempt_all",
]
