"""Logs as records of Python's `logging`."""
