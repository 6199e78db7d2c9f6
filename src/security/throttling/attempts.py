"""Refusing a login before its password is looked at, wherever a site calls Django's `authenticate`.

Once the password was looked at, whatever is done tells whether it was right: the time, the cookies, the time of the
last login. So the limits are asked in front of the first authentication backend. `AUTHENTICATION_BACKENDS` stays as it
is, since Django asks for more where there are several; and `authenticate` itself is imported by name all over. What
both it and `aauthenticate` look up each time is the function that gives them the backends.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import wraps
from typing import Any, Final

from asgiref.sync import sync_to_async
from django.contrib import auth
from django.views.decorators.debug import sensitive_variables

from .logins import is_limited, refuse_attempt

logger = logging.getLogger("security")

_NAME: Final = "_get_compatible_backends"
_MARK: Final = "_security_is_limited"


class _Limits:
    """What Django takes for the first backend: it knows nobody, and raises where the limit is reached."""

    @sensitive_variables("credentials")
    def authenticate(self, request: Any, **credentials: Any) -> None:
        refuse_attempt(request, credentials)

    @sensitive_variables("credentials")
    async def aauthenticate(self, request: Any, **credentials: Any) -> None:
        # As Django does with receivers of its signals.
        await sync_to_async(refuse_attempt, thread_sensitive=True)(request, credentials)


def watch() -> None:
    """Put the limits of logins in front of the backends, once."""
    backends = getattr(auth, _NAME, None)
    if backends is None:
        logger.warning("This version of Django is not known: a login is refused only after its password was looked at.")
        return
    if hasattr(backends, _MARK):
        return

    @wraps(backends)
    @sensitive_variables("credentials")
    def limited(request: Any, **credentials: Any) -> Iterator[tuple[Any, str]]:
        if is_limited(request):
            yield _Limits(), f"{_Limits.__module__}.{_Limits.__qualname__}"
        yield from backends(request, **credentials)

    setattr(limited, _MARK, True)
    setattr(auth, _NAME, limited)


watch()
