"""The tables of the logs, one a kind, and one of their relations to the site's objects.

The primary keys sort by time (UUID version 7): "what happened at 14:03" and "what is older than a year" are ranges of
the primary key (`started_between`), so no table has a second index on its start. Each other index names its query.
"""

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

if not apps.is_installed("security.backends.sql"):
    # Django would take them for models of the app `security`, and look for their tables in vain.
    raise ImproperlyConfigured("Add 'security.backends.sql' to INSTALLED_APPS: these are its models.")

from .base import LOG_MODELS, CeleryTaskLog, Ending, Listing, Log, LogQuerySet, RequestLog
from .celery_tasks import CeleryTaskInvocationLog, CeleryTaskRunLog
from .commands import CommandLog
from .related_objects import RelatedObject
from .requests import InputRequestLog, OutputRequestLog
from .throttling_counts import ThrottlingCount

__all__ = [
    "LOG_MODELS",
    "CeleryTaskInvocationLog",
    "CeleryTaskLog",
    "CeleryTaskRunLog",
    "CommandLog",
    "Ending",
    "InputRequestLog",
    "Listing",
    "Log",
    "LogQuerySet",
    "OutputRequestLog",
    "RelatedObject",
    "RequestLog",
    "ThrottlingCount",
]
