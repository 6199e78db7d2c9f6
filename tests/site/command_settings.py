"""The settings of a command's process, where nothing set `logging` up: it would print what that backend writes."""

import tempfile

from tests.settings import *  # noqa: F403
from tests.settings import INSTALLED_APPS as APPS

INSTALLED_APPS = ["django.contrib.staticfiles", *APPS]
STATIC_ROOT = tempfile.gettempdir() + "/nowhere"
SECURITY_BACKENDS = ["sql"]
ROOT_URLCONF = "tests.site.command_urls"
