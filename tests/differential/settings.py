"""The site under comparison behind a real server, with the middleware."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.differential.site"
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
CSRF_COOKIE_AGE = None
