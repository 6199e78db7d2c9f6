"""The documented import path of the exception with which a validator refuses a request."""

from security.throttling.exception import ThrottlingException

__all__ = ["ThrottlingException"]
