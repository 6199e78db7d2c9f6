"""The same site with the apps of other libraries, which are measured beside this one."""

from bench.settings import *  # noqa: F403
from bench.settings import INSTALLED_APPS as OWN_APPS

INSTALLED_APPS = [*OWN_APPS, "easyaudit", "request", "requestlog"]

REQUEST_LOGGING_ENABLED = True
# It would write down what the others store.
DJANGO_EASY_AUDIT_WATCH_MODEL_EVENTS = False
