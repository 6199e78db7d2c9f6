"""The import path of the app class in the earlier library."""

from .apps import SecuritySQLBackend

__all__ = ["SecuritySQLBackend"]
