"""The site that the tests drive."""
