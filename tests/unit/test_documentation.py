"""The documentation and the code say the same."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from security.config import all_settings

ROOT = Path(__file__).parents[2]
SETTINGS = (ROOT / "docs/settings.md").read_text()


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


def test_no_setting_is_documented_that_does_not_exist() -> None:
    names = {name for setting in all_settings() for name in setting.names}
    assert set(re.findall(r"\bSECURITY_[A-Z_]+[A-Z]\b", SETTINGS)) <= names


def test_every_check_is_documented() -> None:
    code = "".join(file.read_text() for file in (ROOT / "src").rglob("*.py"))
    documented = re.findall(r"`(security_logger\.[EW]\d+)`", (ROOT / "docs/checks.md").read_text())
    assert sorted(documented) == sorted(set(re.findall(r"security_logger\.[EW]\d+", code)))


def test_every_page_is_in_the_index() -> None:
    pages = {file.stem for file in (ROOT / "docs").glob("*.md")} - {"index"}
    index = (ROOT / "docs/index.md").read_text().splitlines()
    assert pages <= set(index)
