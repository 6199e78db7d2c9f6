"""Records what a Django site does at its edges: requests in and out, commands and Celery tasks."""

__version__ = "2.0.0.dev0"
