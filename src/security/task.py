"""Celery's tasks, recorded (published section "Celery tasks log")."""

from security.sources.task_states import StaleTaskRunError

try:
    from security.sources.celery import LoggedTask
except ModuleNotFoundError as error:
    if error.name != "celery":
        raise
    raise ImportError("security.task needs Celery: pip install django-security-logger[celery]") from error

__all__ = ["LoggedTask", "StaleTaskRunError"]
