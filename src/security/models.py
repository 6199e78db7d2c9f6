"""The published name of the class of `request.input_logged_request` (published section "Input requests").

Django imports this module of each app: there is no table here. Those of the logs are in `security.backends.sql.models`.
"""

from security.records import InputRequestRecord

InputLoggedRequest = InputRequestRecord

__all__ = ["InputLoggedRequest"]
