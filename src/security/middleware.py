"""The middleware of MIDDLEWARE: `security.middleware.LogMiddleware`."""

from security.sources.input_requests import LogMiddleware

__all__ = ["LogMiddleware"]
