"""How often one client may ask; SECURITY_DEFAULT_THROTTLING_VALIDATORS_PATH names this module."""

from security.throttling import PerRequestThrottlingValidator, UnsuccessfulLoginThrottlingValidator

# Of each view: a person who clicks fast passes, a program that asks all day does not.
default_validators = (
    PerRequestThrottlingValidator(60, 60),
    PerRequestThrottlingValidator(3600, 1000),
    UnsuccessfulLoginThrottlingValidator(3600, 10),
)
