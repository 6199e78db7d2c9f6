"""The import path of the routers as the published documentation writes it in one place."""

from .db_router import MirrorSecurityLoggerRouter, MultipleDBSecurityLoggerRouter

__all__ = ["MirrorSecurityLoggerRouter", "MultipleDBSecurityLoggerRouter"]
