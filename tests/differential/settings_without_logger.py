"""The site under comparison behind a real server, without the middleware."""

from tests.differential.settings import *  # noqa: F403
from tests.settings import MIDDLEWARE as WITH_LOGGER

MIDDLEWARE = [path for path in WITH_LOGGER if path != "security.middleware.LogMiddleware"]
