"""The documented import path of the view that answers throttled requests."""

from security.throttling.views import throttling_failure_view

__all__ = ["throttling_failure_view"]
