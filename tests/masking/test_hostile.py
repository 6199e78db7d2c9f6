"""Bodies made to cost much are masked in steps that never go back."""

from __future__ import annotations

import json

import pytest

from bench.masking import SHAPES, body_of
from security.masking import mask_body, mask_members, mask_path, mask_text


@pytest.mark.parametrize("shape", SHAPES)
def test_hostile_bodies_end(shape: str) -> None:
    # A step that looked back would make these run for minutes, which ends the run.
    text, content_type = body_of(shape, 100_000)
    assert isinstance(mask_body(text, content_type), str)
    mask_text(text[:20_000])


@pytest.mark.parametrize("name", ["a" * 100_000, "token" * 20_000, "a_" * 50_000, "é" * 100_000])
def test_hostile_names_end(name: str) -> None:
    mask_members({name: "x"}, "HEADERS")
    mask_members({name: "x"}, "QUERIES")
    mask_body(json.dumps({name: "x"}), "application/json")
    mask_path(f"/{name}/{name};{name}={name}")


def test_a_document_with_20_000_secret_names_ends() -> None:
    text = json.dumps({f"password_{number}x": number for number in range(20_000)})
    document = json.loads(mask_body(text, "application/json"))
    assert set(document.values()) == {"[Filtered]"}
