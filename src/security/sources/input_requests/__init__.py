"""The requests that clients send to the site."""

from .middleware import LogMiddleware, is_log_middleware

__all__ = ["LogMiddleware", "is_log_middleware"]
