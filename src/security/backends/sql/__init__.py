"""Logs in a relational database, by Django's ORM (published section "SQL backend")."""

from typing import Final

APP_LABEL: Final = "security_sql"
