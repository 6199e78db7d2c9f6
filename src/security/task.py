"""Celery's tasks, recorded (published section "Celery tasks log")."""

from security.sources.task_states import StaleTaskRunError

try:
    from security.sources.celery import LoggedTask
except ModuleNotFoundError as error:
    # Celery brings the other two, and whichever of them is imported first is missed first.
    if (error.name or "").partition(".")[0] not in ("billiard", "celery", "kombu"):
        raise
    raise ImportError('security.task needs Celery: pip install "django-security-logger[celery]"') from error

__all__ = ["LoggedTask", "StaleTaskRunError"]
