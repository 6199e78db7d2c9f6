"""The settings of a site whose logs go to another server, at a port of this machine."""

import os

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES

DATABASES["log"] = DATABASES["default"] | {"HOST": "127.0.0.1", "PORT": os.environ["LOG_PORT"], "CONN_MAX_AGE": None}
DATABASE_ROUTERS = ["security.backends.sql.db_router.MultipleDBSecurityLoggerRouter"]
SECURITY_LOG_DB_NAME = "log"
SECURITY_LOG_DB_TIMEOUT = 0.5
ROOT_URLCONF = "tests.site.log_apart_urls"
