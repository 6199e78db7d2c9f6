"""Using a connection of the site's for a bounded time, whatever its database does."""
