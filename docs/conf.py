"""The documentation, built by Sphinx."""

from security import __version__

project = "django-security-logger"
author = "django-security-logger contributors"
copyright = f"2026, {author}"  # noqa: A001 Sphinx's name
release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "django-security-logger"
