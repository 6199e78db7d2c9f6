"""The validators of every view, unless SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH names another module."""

from security.throttling.default_validators import default_validators

__all__ = ["default_validators"]
