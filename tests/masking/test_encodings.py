"""A secret in an encoding that somebody may read is one."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from .carriers import JSON
from .cases import TEXTS
from .secrets import NAMED
from .stored import EVERYTHING, rows, shown_in

pytestmark = pytest.mark.django_db


@EVERYTHING
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
def test_json_in_any_encoding_that_its_parser_takes_is_masked(encoding: str) -> None:
    for content_type in ("application/json", "application/json; charset=latin-1"):
        Client().generic("POST", "/echo/", json.dumps({"password": NAMED[0]}).encode(encoding), content_type)
    assert [*shown_in(rows(), NAMED[0])] == []


@EVERYTHING
def test_a_header_that_django_writes_as_mime_does_is_masked() -> None:
    for case in TEXTS:
        if not case.text.isascii() and case.text.isprintable():
            header = {"secret": [["X-Note", case.text]]}
            Client().post("/masking/answer-with-headers/", header, content_type=JSON)
            assert [*shown_in(rows(), case.secret)] == [], case.text
