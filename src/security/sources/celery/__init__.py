"""Celery's tasks: where they are queued, and each attempt to run one.

All is seen by Celery's signals, so that a task queued by its name, in a chain or by `beat` is seen as well. Importing
this package connects them.
"""

from . import lost, producer, worker
from .task import LoggedTask

__all__ = ["LoggedTask", "lost", "producer", "worker"]
