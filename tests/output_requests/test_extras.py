"""A client library that is not installed is named by what needs it, and by nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

# No database is part of this: one run of each Python is enough.
pytestmark = pytest.mark.only_on("sqlite")


def run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings", "PYTHONPATH": str(Path.cwd())}
    # Another process has no use for the database.
    script = f"import sys, django\n{code}"
    return subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", script],
        env=environment | {"TMPDIR": str(tmp_path), "DATABASE": "sqlite"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["requests", "httpx", "suds", "zeep"])
def test_a_missing_library_is_named_with_its_extra(name: str, tmp_path: Path) -> None:
    run_ = run(f"sys.modules[{name!r}] = None\nfrom security import {name}", tmp_path)
    assert f"ImportError: security.{name} needs the library {name}" in run_.stderr
    assert f'pip install "django-security-logger[{name}]"' in run_.stderr


@pytest.mark.parametrize(
    "missing", [["celery"], ["billiard"], ["kombu"], ["billiard", "celery", "kombu"]], ids="+".join
)
def test_celery_is_named_with_its_extra_whichever_part_of_it_is_missing(missing: list[str], tmp_path: Path) -> None:
    without = "\n".join(f"sys.modules[{name!r}] = None" for name in missing)
    run_ = run(f"{without}\nfrom security.task import LoggedTask", tmp_path)
    assert 'ImportError: security.task needs Celery: pip install "django-security-logger[celery]"' in run_.stderr


def test_the_library_itself_needs_none_of_them(tmp_path: Path) -> None:
    names = ["requests", "urllib3", "httpx", "suds", "zeep"]
    missing = "\n".join(f"sys.modules[{name!r}] = None" for name in names)
    run_ = run(
        f"{missing}\nfrom unittest.mock import patch\n"
        "from django.conf import settings\n"
        "settings.configure(INSTALLED_APPS=['django.contrib.contenttypes', 'django.contrib.auth', 'security',"
        " 'security.backends.sql', 'security.backends.logging', 'security.backends.testing'])\n"
        "django.setup()\nimport security.decorators, security.middleware, security.context\nprint('ready')",
        tmp_path,
    )
    assert run_.stdout.strip() == "ready", run_.stderr
