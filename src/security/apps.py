"""The app `security`: the part that needs no database."""

from __future__ import annotations

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Registers the system checks, and listens for the requests that Django refuses."""

    name = "security"
    verbose_name = "Security"

    def ready(self) -> None:
        from security import checks
        from security.sources.input_requests import refused

        checks.register()
        refused.watch()
