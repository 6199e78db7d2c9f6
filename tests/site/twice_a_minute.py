"""Default validators that are soon reached."""

from security.throttling import PerRequestThrottlingValidator

default_validators = (PerRequestThrottlingValidator(3600, 1000), PerRequestThrottlingValidator(60, 2))
