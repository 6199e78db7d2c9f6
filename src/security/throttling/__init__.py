"""Limits to how often a client may ask (published section "Throttling")."""

from .exception import ThrottlingException
from .outage import undecided_requests
from .validators import (
    PerRequestCacheThrottlingValidator,
    PerRequestThrottlingValidator,
    ShadowValidator,
    SuccessfulLoginThrottlingValidator,
    SuccessfulTwoFactorCodeVerificationThrottlingValidator,
    UnsuccessfulLoginThrottlingValidator,
    UnSuccessfulTwoFactorCodeVerificationThrottlingValidator,
)

__all__ = [
    "PerRequestCacheThrottlingValidator",
    "PerRequestThrottlingValidator",
    "ShadowValidator",
    "SuccessfulLoginThrottlingValidator",
    "SuccessfulTwoFactorCodeVerificationThrottlingValidator",
    "ThrottlingException",
    "UnSuccessfulTwoFactorCodeVerificationThrottlingValidator",
    "UnsuccessfulLoginThrottlingValidator",
    "undecided_requests",
]
