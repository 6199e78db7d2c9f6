"""The documentation and the code say the same."""

from __future__ import annotations

import ast
import re
import tomllib
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

import pytest
from django.core.management import get_commands

from security.config import all_settings, settings
from security.default_validators import default_validators
from tests.differential.scenarios import SCENARIOS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
SETTINGS = (ROOT / "docs/settings.md").read_text()
PAGES = {file.name: file.read_text() for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]}

# As the documentation that was published says them.
PUBLISHED_DEFAULTS: dict[str, Any] = {
    "DEFAULT_THROTTLING_VALIDATORS_PATH": "security.default_validators",
    "THROTTLING_FAILURE_VIEW": "security.views.throttling_failure_view",
    "LOG_REQUEST_BODY_LENGTH": 1000,
    "LOG_RESPONSE_BODY_LENGTH": 1000,
    "LOG_RESPONSE_BODY_CONTENT_TYPES": (
        "application/json",
        "application/xml",
        "text/xml",
        "text/csv",
        "text/html",
        "application/xhtml+xml",
    ),
    "LOG_JSON_STRING_LENGTH": 250,
    "COMMAND_LOG_EXCLUDED_COMMANDS": (
        "runserver",
        "makemigrations",
        "migrate",
        "sqlmigrate",
        "showmigrations",
        "shell",
        "shell_plus",
        "test",
        "help",
        "reset_db",
        "compilemessages",
        "makemessages",
        "dumpdata",
        "loaddata",
    ),
    "HIDE_SENSITIVE_DATA_PATTERNS": {
        "BODY": (
            r'"password"\s*:\s*"((?:\\"|[^"])*)',
            r"<password>([^<]*)",
            r"password=([^&]*)",
            r"csrfmiddlewaretoken=([^&]*)",
            r'(?i)content-disposition: form-data; name="password"\r\n\r\n.*',
            r'"access_key": "([^"]*)',
        ),
        "HEADERS": (r"Authorization", r"X_Authorization", r"Cookie", r".*token.*"),
        "QUERIES": (r".*token.*",),
    },
    "HIDE_SENSITIVE_DATA": True,
    "SENSITIVE_DATA_REPLACEMENT": "[Filtered]",
    "APPEND_SLASH": True,
    "CELERY_STALE_TASK_TIME_LIMIT_MINUTES": 60,
    "LOG_OUTPUT_REQUESTS": True,
    "BACKENDS": None,
    "LOG_STRING_IO_FLUSH_TIMEOUT": 5,
    "LOG_STRING_OUTPUT_TRUNCATE_LENGTH": 10000,
    "LOG_STRING_OUTPUT_TRUNCATE_OFFSET": 1000,
}
# The published documentation names no default of these.
PUBLISHED_WITHOUT_DEFAULT = (
    "LOG_REQUEST_IGNORE_URL_PATHS LOG_REQUEST_IGNORE_IP AUTO_GENERATE_TASKS_FOR_DJANGO_COMMANDS LOG_DB_NAME DB_NAME "
    "BACKEND_WRITERS ELASTICSEARCH_DATABASE ELASTICSEARCH_AUTO_REFRESH ELASTICSEARCH_LOGSTASH_WRITER DEBUG_TOOLBAR "
    "SHOW_DEBUG_TOOLBAR"
)


def documented_default(name: str) -> Any:
    """Give what the page says of a setting: a value on one line, or a block of code."""
    section = SETTINGS.split(f"\n### {name}\n", 1)[1].split("\n### ", 1)[0]
    block = re.search(r"Default:\n\n```python\n(.*?)\n```|Default: `([^\n]*)`\n", section, re.DOTALL)
    assert block is not None, f"{name} has no default in docs/settings.md"
    text = block[1] or block[2]
    return frozenset() if text == "frozenset()" else ast.literal_eval(text)


@pytest.mark.parametrize("setting", list(all_settings()), ids=lambda setting: setting.name)
def test_a_setting_is_documented_with_its_default(setting: Any) -> None:
    assert documented_default(setting.name) == setting.default


@pytest.mark.parametrize("name", PUBLISHED_DEFAULTS)
def test_a_setting_has_the_default_that_was_published(name: str) -> None:
    default = {setting.name: setting.default for setting in all_settings()}[f"SECURITY_{name}"]
    assert default == PUBLISHED_DEFAULTS[name]


def test_every_setting_that_was_published_is_a_setting() -> None:
    names = {name for setting in all_settings() for name in setting.names}
    assert {f"SECURITY_{name}" for name in [*PUBLISHED_DEFAULTS, *PUBLISHED_WITHOUT_DEFAULT.split()]} <= names


def test_the_default_limits_are_those_that_were_published() -> None:
    assert settings.DEFAULT_THROTTLING_VALIDATORS_PATH == "security.default_validators"
    limits = [(type(limit).__name__, limit.timeframe, limit.throttle_at) for limit in default_validators]
    assert limits == [("PerRequestThrottlingValidator", 3600, 1000), ("PerRequestThrottlingValidator", 60, 20)]


def test_the_settings_that_nothing_reads_are_documented_apart() -> None:
    apart = SETTINGS.split("\n## Not used yet\n", 1)[1]
    assert re.findall(r"^### (\w+)$", apart, re.MULTILINE) == [
        setting.name for setting in all_settings() if not setting.is_used
    ]


def test_no_setting_is_documented_that_does_not_exist() -> None:
    names = {name for setting in all_settings() for name in setting.names}
    assert set(re.findall(r"\bSECURITY_[A-Z_]+[A-Z]\b", SETTINGS)) <= names


def test_every_check_is_documented() -> None:
    code = "".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    documented = re.findall(r"`(security_logger\.[EW]\d+)`", (ROOT / "docs/checks.md").read_text())
    assert sorted(documented) == sorted(set(re.findall(r"security_logger\.[EW]\d+", code)))


def test_the_checks_are_in_the_order_of_their_numbers() -> None:
    listed = re.findall(r"`security_logger\.([EW])(\d+)`", (ROOT / "docs/checks.md").read_text())
    assert listed == sorted(listed, key=lambda letter_and_number: letter_and_number[::-1])


def test_every_page_is_in_the_index() -> None:
    pages = {file.stem for file in (ROOT / "docs").glob("*.md")} - {"index"}
    index = (ROOT / "docs/index.md").read_text().splitlines()
    assert pages <= set(index)


@pytest.mark.parametrize("page", PAGES)
def test_what_a_page_imports_can_be_imported(page: str) -> None:
    imports = re.findall(r"\bfrom (security(?:\.\w+)*) import ([\w, ]+\w)", PAGES[page])
    missing = []
    for path, names in imports:
        module = import_module(path)
        for name in names.split(", "):
            if not hasattr(module, name):
                import_module(f"{path}.{name}")
            missing += [] if hasattr(module, name) else [f"{path}.{name}"]
    assert missing == []


@pytest.mark.parametrize("page", PAGES)
def test_a_command_on_a_page_exists(page: str) -> None:
    called = re.findall(r"manage\.py ([a-z]\w+)", PAGES[page])
    assert set(called) <= set(get_commands())


@pytest.mark.parametrize("page", PAGES)
def test_a_setting_on_a_page_exists(page: str) -> None:
    names = {name for setting in all_settings() for name in setting.names}
    assert set(re.findall(r"\bSECURITY_[A-Z_]*[A-Z]\b", PAGES[page])) <= names


@pytest.mark.parametrize("page", ["README.md", "installation.md"])
def test_each_extra_is_documented_and_none_that_does_not_exist(page: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    written = re.findall(r'`"?(?:django-security-logger)?\[([a-z]+)\]"?`', PAGES[page])
    assert set(written) == set(project["optional-dependencies"])


def test_the_links_of_the_readme_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", README) if "://" not in link]
    assert links
    assert [link for link in links if not (ROOT / link.partition("#")[0]).exists()] == []


def test_the_readme_counts_the_exchanges_that_are_compared() -> None:
    (count,) = re.findall(r"more than (\d+) exchanges", README)
    assert len(SCENARIOS) - 50 < int(count) < len(SCENARIOS)


def modules_in(package: Path) -> set[str]:
    packages = {f"{file.name}/" for file in package.iterdir() if (file / "__init__.py").exists()}
    return packages | ({file.name for file in package.glob("*.py")} - {"__init__.py"})


def test_each_package_and_module_is_in_the_architecture() -> None:
    package = ROOT / "src/security"
    written = set(re.findall(r"`([\w/.]+)`", PAGES["architecture.md"]))
    named = written | {re.sub(r"/.*", "/", name) for name in written}
    assert sorted(modules_in(package) - named) == []
    files = [name for name in written if name.endswith((".py", "/"))]
    assert [name for name in files if not ((ROOT / name).exists() or any(package.rglob(name.rstrip("/"))))] == []


@pytest.mark.parametrize("package", ["sources", "throttling"])
def test_each_module_of_what_sees_and_decides_is_in_the_rows_of_its_package(package: str) -> None:
    rows = re.findall(rf"^\| `{package}/.*$", PAGES["architecture.md"], re.MULTILINE)
    named = {name.removeprefix(f"{package}/") for row in rows for name in re.findall(r"`([\w/.]+)`", row)}
    assert sorted(modules_in(ROOT / "src/security" / package) - named) == []


def test_no_module_may_import_a_backend() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (contract,) = (one for one in contracts if one["name"].startswith("Nothing imports a backend"))
    package = ROOT / "src/security"
    inside = {f"security.{module.name}" for module in iter_modules([str(package)])} - {"security.backends"}
    # The packages beside these modules are the backends.
    beside = {f"security.backends.{one.name}" for one in iter_modules([str(package / "backends")]) if not one.ispkg}
    assert sorted(contract["source_modules"]) == sorted(inside | beside)
