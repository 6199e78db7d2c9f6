"""What a view's decorators say about its logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from django.http import HttpRequest

from security.view_marks import ViewClassMark, ViewMark, is_marked

LOG_EXEMPT: Final = "_security_log_exempt"
HIDE_REQUEST_BODY: Final = "_security_hide_request_body"


class HidingMark(ViewMark):
    """Marks views whose requests' bodies are kept out of the log; at the latest when they are called."""

    def found_late(self, view: Callable[..., Any], request: HttpRequest) -> None:
        # A copy of the request has its exchange, too.
        vars(request)["_security_exchange"].hides_request_body = True


__all__ = ["HIDE_REQUEST_BODY", "LOG_EXEMPT", "HidingMark", "ViewClassMark", "ViewMark", "is_marked"]
