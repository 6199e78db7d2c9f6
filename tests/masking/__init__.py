"""Nothing secret is stored, and nothing else is lost."""
