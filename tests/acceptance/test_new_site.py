"""A new site, as Django begins one, with the lines of the README: it starts, is sound, and records."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

# The site has a database of its own, which Django gives it: one run of each Python is enough.
pytestmark = pytest.mark.only_on("sqlite")

README = Path(__file__).parents[2] / "README.md"

ASK_AND_COUNT = """
from django.test import Client
from security.backends.sql.models import InputRequestLog
assert Client(headers={"host": "localhost"}).get("/admin/login/").status_code == 200
print([(log.path, log.response_code, log.state.name) for log in InputRequestLog.objects.all()])
"""


def manage(site: Path, *arguments: str) -> str:
    """Run a command of the site as its developer would, and give what it writes."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    done = subprocess.run(command, cwd=site, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


LOGGING_PAGE = README.parent / "docs" / "logging.md"

ASK = """
from django.test import Client
assert Client(headers={"host": "localhost"}).get("/admin/login/").status_code == 200
"""


def begin_site(directory: Path, *added: str) -> None:
    """Begin a site as Django does, and add lines to its settings."""
    subprocess.run([sys.executable, "-m", "django", "startproject", "shop", str(directory)], check=True, timeout=60)
    settings = directory / "shop" / "settings.py"
    settings.write_text("\n".join((settings.read_text(), *added)))


def code_of(page: Path, beginning: str) -> str:
    (code,) = re.findall(rf"```python\n({beginning} .*?)```", page.read_text(), re.DOTALL)
    return str(code)


@pytest.mark.parametrize("is_configured", [True, False])
def test_the_logging_of_the_documentation_prints_requests_that_are_not_seen_without_it(
    tmp_path: Path, is_configured: bool
) -> None:
    backend = 'INSTALLED_APPS += ["security.backends.logging"]'
    logging = code_of(LOGGING_PAGE, "LOGGING") if is_configured else ""
    begin_site(tmp_path, code_of(README, "INSTALLED_APPS"), backend, logging)
    manage(tmp_path, "migrate", "--verbosity=0")
    lines = [line for line in manage(tmp_path, "shell", "-c", ASK).splitlines() if "Input request" in line]
    said = [re.sub('".*?"', "…", line.partition(" INFO ")[2]) for line in lines]
    line = "security.input_request Input request … to … with path …"
    assert said == ([f"{line} was started", f"{line} was finished"] if is_configured else [])


@pytest.mark.parametrize("debug", [True, False])
def test_the_lines_of_the_readme_make_a_new_site_record(tmp_path: Path, debug: bool) -> None:
    # Django begins a site with DEBUG, under which it looks closer at much.
    production = "" if debug else "DEBUG = False\nALLOWED_HOSTS = ['localhost']\n"
    begin_site(tmp_path, code_of(README, "INSTALLED_APPS"), production)
    assert "\nDEBUG = True\n" in (tmp_path / "shop" / "settings.py").read_text()
    manage(tmp_path, "migrate", "--verbosity=0")
    assert "no issues" in manage(tmp_path, "check", "--fail-level=WARNING")
    assert "No changes" in manage(tmp_path, "makemigrations", "--check")
    told = manage(tmp_path, "shell", "-c", ASK_AND_COUNT)
    assert told.splitlines()[-1] == "[('/admin/login/', 200, 'INFO')]"
