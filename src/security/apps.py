"""The app `security`: the part that needs no database."""

from __future__ import annotations

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Registers the system checks."""

    name = "security"
    verbose_name = "Security"

    def ready(self) -> None:
        from security import checks

        checks.register()
