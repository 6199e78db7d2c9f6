"""Import paths of the earlier library."""
