"""Middleware of the site's own."""

from security.middleware import LogMiddleware


class OwnLogMiddleware(LogMiddleware):
    """A site may extend the middleware."""
