"""The requests that clients send to the site."""

from .middleware import LogMiddleware

__all__ = ["LogMiddleware"]
