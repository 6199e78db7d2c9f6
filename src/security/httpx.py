"""The library httpx, recording what it sends.

`from security import httpx` takes the place of `import httpx`: every name of the library is here, and each call takes
two parameters more, `slug` and `related_objects`.
"""

# The first import says what to install where the library is missing; the last one goes before the library's own names.
# ruff: noqa: F403, I001

from typing import Any

from security.sources.output_requests import httpx_api as _api  # noqa: F401
import httpx as _httpx
from httpx import *
from security.sources.output_requests.httpx_api import *
from security.sources.output_requests.submodules import hand_out_submodules, library_attribute

hand_out_submodules("httpx", __name__)


def __getattr__(name: str) -> Any:
    # What a star leaves out.
    return library_attribute(_httpx, name)


def __dir__() -> list[str]:
    return sorted({*dir(_httpx), *globals()})
