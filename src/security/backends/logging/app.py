"""The import path of the app class in the earlier library."""

from .apps import SecurityLoggingBackend

__all__ = ["SecurityLoggingBackend"]
