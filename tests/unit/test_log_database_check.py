"""The checks of what the library cannot bound itself where the log's database hangs."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from django.db import connections
from django.test import override_settings

from security.backends.sql.checks import check_log_database


def found(vendor: str, options: dict[str, Any], alias: str = "log") -> list[str | None]:
    settings = {**connections.settings, alias: {**connections.settings["log"], "OPTIONS": options}}
    routers = ["security.backends.sql.db_router.MultipleDBSecurityLoggerRouter"]
    with (
        patch.object(connections, "settings", settings),
        patch.object(type(connections["log"]), "vendor", vendor),
        override_settings(SECURITY_LOG_DB_NAME=alias, DATABASE_ROUTERS=routers),
    ):
        return [message.id for message in check_log_database()]


@pytest.mark.parametrize(
    ("vendor", "options", "expected"),
    [
        ("postgresql", {}, []),
        ("sqlite", {}, []),
        ("postgresql", {"pool": True}, ["security_logger.W017"]),
        ("postgresql", {"pool": {"min_size": 2}}, ["security_logger.W017"]),
        ("postgresql", {"pool": {"timeout": 3}}, []),
        ("mysql", {}, ["security_logger.W018"]),
        ("mysql", {"read_timeout": 5}, []),
    ],
)
def test_what_has_no_bound_is_named(vendor: str, options: dict[str, Any], expected: list[str]) -> None:
    assert found(vendor, options) == expected


def test_the_alias_of_the_site_is_the_sites_business() -> None:
    assert found("mysql", {}, "default") == []


@override_settings(SECURITY_LOG_DB_NAME="log")
def test_without_a_router_nothing_goes_there() -> None:
    assert check_log_database() == []
