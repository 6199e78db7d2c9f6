"""A small shop whose requests are recorded: the example of the documentation, and the site of `make demo`."""
