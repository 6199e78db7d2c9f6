"""Default validators of logins."""

from security.throttling import SuccessfulLoginThrottlingValidator, UnsuccessfulLoginThrottlingValidator

default_validators = (
    UnsuccessfulLoginThrottlingValidator(3600, 3, "Too many failures."),
    UnsuccessfulLoginThrottlingValidator(3600, 5, "Too many failures of the account.", by="account"),
    SuccessfulLoginThrottlingValidator(3600, 4, "Too many logins."),
)
