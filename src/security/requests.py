"""The library `requests`, recording what it sends (published section "Output requests").

`from security import requests` takes the place of `import requests`: every name of the library is here, and each call
takes two parameters more, `slug` and `related_objects`.
"""

# The first import says what to install where the library is missing; the last one goes before the library's own names.
# ruff: noqa: F403, I001

from typing import Any

from security.sources.output_requests import requests_api as _api  # noqa: F401
import requests as _requests
from requests import *
from security.sources.output_requests.requests_api import *  # type: ignore[assignment]
from security.sources.output_requests.submodules import hand_out_submodules, library_attribute

hand_out_submodules("requests", __name__)


def __getattr__(name: str) -> Any:
    # What a star leaves out: `__version__`, and submodules that are imported later.
    return library_attribute(_requests, name)


def __dir__() -> list[str]:
    return sorted({*dir(_requests), *globals()})
