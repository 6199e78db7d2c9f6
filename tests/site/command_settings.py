"""The settings of a command's process, in which nothing has set `logging` up: what that backend writes it would print."""

import tempfile

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = ["django.contrib.staticfiles", *APPS]
STATIC_ROOT = tempfile.gettempdir() + "/nowhere"
SECURITY_BACKENDS = ["sql"]
