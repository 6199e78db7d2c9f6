"""Logs in a relational database, by Django's ORM (published section "SQL backend")."""
