"""The view that answers a throttled request (published section "View")."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render


def throttling_failure_view(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer with the template 429.html, or with JSON where the client asks for that rather than for HTML."""
    description = str(exception)
    if request.get_preferred_type(["text/html", "application/json"]) == "application/json":
        return JsonResponse({"status": 429, "title": "Too Many Requests", "detail": description}, status=429)
    return render(request, "429.html", {"description": description}, status=429)
