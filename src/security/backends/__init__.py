"""What keeps the entries; each backend is a Django app that knows no other backend."""
