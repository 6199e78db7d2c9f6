"""Hiding secrets: pure functions from what was seen to what may be stored."""

from .patterns import mask_members, mask_text

__all__ = ["mask_members", "mask_text"]
