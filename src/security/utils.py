"""The import path of the earlier library for references to objects."""

from security.references import ObjectReference

get_object_triple = ObjectReference.to

__all__ = ["get_object_triple"]
