"""What a view's decorators say about its logs."""

from __future__ import annotations

from typing import Final

from security.view_marks import ViewClassMark, ViewMark, is_marked

LOG_EXEMPT: Final = "_security_log_exempt"
HIDE_REQUEST_BODY: Final = "_security_hide_request_body"

__all__ = ["HIDE_REQUEST_BODY", "LOG_EXEMPT", "ViewClassMark", "ViewMark", "is_marked"]
