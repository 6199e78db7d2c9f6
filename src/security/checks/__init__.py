"""System checks: each names what is wrong and what to write instead.

Their ids begin with `security_logger`, as Django's own checks of a site's security have the ids `security.…`.
"""

from __future__ import annotations

from django.core.checks import Tags
from django.core.checks import register as register_check

from .setup import check_backends, check_command_tasks, check_middleware
from .throttling import check_counter, check_proxies
from .values import (
    check_detectors,
    check_names,
    check_paths,
    check_patterns,
    check_unused,
    check_values,
    check_what_is_recorded,
)


def register() -> None:
    """Register all checks with Django."""
    for check in (
        check_names,
        check_values,
        check_unused,
        check_patterns,
        check_detectors,
        check_paths,
        check_what_is_recorded,
        check_backends,
        check_middleware,
        check_counter,
        check_proxies,
        check_command_tasks,
    ):
        register_check(check, Tags.security)
