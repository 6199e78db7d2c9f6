"""Which view a request means, also one that its response keeps it from."""

from __future__ import annotations

from django.conf import settings as site_settings
from django.http import HttpRequest
from django.urls import Resolver404, ResolverMatch, resolve

from security.config import settings


def match_of(request: HttpRequest, response_code: int | None) -> ResolverMatch | None:
    """Find the view that the path means, also where CommonMiddleware will redirect to it with a slash."""
    if request.resolver_match is not None:
        return request.resolver_match
    # What was not found is not looked for again: a converter of the site's may ask its database.
    paths = [] if response_code == 404 else [request.path_info]
    if settings.APPEND_SLASH and site_settings.APPEND_SLASH and not request.path_info.endswith("/"):
        paths.append(f"{request.path_info}/")
    for path in paths:
        try:
            return resolve(path, getattr(request, "urlconf", None))
        except Resolver404:
            continue
        except Exception:  # a fault of the site's, of which its own answer tells
            return None
    return None


def name_of(match: ResolverMatch | None) -> str | None:
    return None if match is None else match.view_name
