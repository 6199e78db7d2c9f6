"""The submodules of a client library, under the name of the module that takes its place."""

from __future__ import annotations

import sys


def hand_out_submodules(library: str, stand_in: str) -> None:
    """Have `import stand_in.part` give the very module that `import library.part` gives.

    A second copy of it would have classes of its own: an `except` would no longer catch what the library raises.
    """
    for name, module in list(sys.modules.items()):
        if name.startswith(f"{library}."):
            sys.modules.setdefault(stand_in + name.removeprefix(library), module)


def library_attribute(library: object, name: str) -> object:
    """Give an attribute of the library that its stand-in does not have."""
    if name == "__path__":
        # With a path the stand-in would be a package, and its submodules would be loaded a second time.
        raise AttributeError(name)
    return getattr(library, name)
