"""The import path of the app class in the earlier library."""

from .apps import SecurityTestingBackend

__all__ = ["SecurityTestingBackend"]
