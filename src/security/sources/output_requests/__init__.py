"""The requests that the site sends to others."""
