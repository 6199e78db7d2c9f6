"""The page "What is hidden, and what is not" says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from security.masking.detectors import DETECTORS
from security.masking.keys import ANYWHERE, ENDS_OF_WORDS, STEMS, WHOLE, WORDS

PAGE = (Path(__file__).parents[2] / "docs/masking.md").read_text()


def section(name: str) -> str:
    return PAGE.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0]


def test_every_name_is_on_the_page_and_no_other() -> None:
    lists = [re.findall(r"`([^`]+)`", paragraph) for paragraph in section("keys").split("**")[2::2]]
    assert lists == [list(ANYWHERE), list(ENDS_OF_WORDS), list(WORDS), list(WHOLE)]


def test_every_detector_is_on_the_page_with_what_it_finds() -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \| (.+) \|$", section("detectors"), re.MULTILINE)
    assert rows == [(detector.name, detector.what) for detector in DETECTORS]


def test_the_signs_of_names_are_in_use() -> None:
    terms = " ".join((*ANYWHERE, *ENDS_OF_WORDS, *WORDS, *WHOLE))
    assert [stem for stem in STEMS if stem not in terms] == []
