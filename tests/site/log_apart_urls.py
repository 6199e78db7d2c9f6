"""A site that tells how many entries it lost."""

from __future__ import annotations

from django.http import HttpRequest, JsonResponse
from django.urls import path

from security.delivery import lost_entries

from . import views


def lost(request: HttpRequest) -> JsonResponse:
    return JsonResponse(lost_entries())


urlpatterns = [path("", views.home), path("async/", views.home_async), path("lost/", lost)]
