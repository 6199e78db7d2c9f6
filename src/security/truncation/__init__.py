"""Making values fit where they are stored: pure functions, linear in what they may keep."""

from .json import truncate_json
from .text import ELLIPSIS, fit_mapping, fit_text, fits, storable, without_cut_end

__all__ = ["ELLIPSIS", "fit_mapping", "fit_text", "fits", "storable", "truncate_json", "without_cut_end"]
