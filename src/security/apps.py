"""The app `security`: the part that needs no database."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from django.apps import AppConfig


class SecurityConfig(AppConfig):
    """Registers the system checks, and watches the requests that Django refuses and the tasks of the site."""

    name = "security"
    verbose_name = "Security"

    def ready(self) -> None:
        from security import checks
        from security.sources.input_requests import refused

        checks.register()
        refused.watch()
        _observe_tasks()


def _observe_tasks() -> None:
    """Watch the frameworks for tasks that the site uses; importing what watches one connects it."""
    from security.config import Settings, settings

    # Django has tasks of its own from 6.0 on.
    if find_spec("django.tasks") is not None:
        from security.sources import django_tasks  # noqa: F401
    names = settings.AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS
    if not Settings.AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS.expected.accepts(names):
        return  # a system check says so
    if names and find_spec("celery") is not None:
        from security.sources.celery.command_tasks import generate_tasks

        generate_tasks(names)
    elif "celery" in sys.modules:
        # Tasks that are queued by name are seen also where no task of the site is imported.
        from security.sources import celery  # noqa: F401
