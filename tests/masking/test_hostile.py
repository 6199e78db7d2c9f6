"""Bodies made to cost much are masked in steps that never go back."""

from __future__ import annotations

import json

import pytest

from bench.masking import SHAPES, body_of
from security.fields import Members
from security.masking import mask_body, mask_host, mask_members, mask_path, mask_text

SECRET = "hunter2zz"


@pytest.mark.parametrize("shape", SHAPES)
def test_hostile_bodies_end(shape: str) -> None:
    # A step that looked back would make these run for minutes, which ends the run.
    text, content_type = body_of(shape, 100_000)
    assert isinstance(mask_body(text, content_type), str)
    mask_text(text[:20_000])


@pytest.mark.parametrize(
    "path",
    ["/%25252f", "%2f", "/token;", "/token:a1b2c3", "/./", "//u:x@", "\\", "/a%", "://a:b%40", "%", "u%3A", "/bot1:"],
)
def test_hostile_paths_and_hosts_end_and_hide_what_follows(path: str) -> None:
    hostile = path * (200_000 // len(path))
    headers = {"Location": f"{hostile}?password={SECRET}", "Referer": f"https://h/#{path * 20_000}&password={SECRET}"}
    assert SECRET not in mask_path(f"{hostile}?password={SECRET}")
    assert SECRET not in mask_host(f"u:{SECRET}@{hostile}")
    assert SECRET not in str(mask_members(headers, "HEADERS"))


@pytest.mark.parametrize("name", ["a" * 100_000, "token" * 20_000, "a_" * 50_000, "é" * 100_000])
def test_hostile_names_end_and_hide_what_follows(name: str) -> None:
    members = {name: "x", "password": SECRET}
    assert SECRET not in str(mask_members(members, "HEADERS"))
    assert SECRET not in str(mask_members(members, "QUERIES"))
    assert SECRET not in mask_body(json.dumps(members), "application/json")
    assert SECRET not in mask_path(f"/{name}/{name};{name}={name}?password={SECRET}")


def test_a_document_with_20_000_secret_names_ends() -> None:
    text = json.dumps({f"password_{number}x": number for number in range(20_000)})
    document = json.loads(mask_body(text, "application/json"))
    assert set(document.values()) == {"[Filtered]"}


def test_no_more_of_headers_is_looked_at_than_can_be_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def look(members: dict[str, str], group: str) -> dict[str, str]:
        seen.append(sum(len(name) + len(value) for name, value in members.items()))
        return mask_members(members, group)  # type: ignore[arg-type,return-value]

    monkeypatch.setattr("security.fields.mask_members", look)
    headers = {"X-First": "a", "X-Long": f"{'b ' * 1_000_000}password=hunter2", "X-Last": "c"}
    stored = Members("HEADERS", 16_000).clean(headers)
    assert sum(seen) <= 32_000
    assert (stored["X-First"], list(stored)[-1]) == ("a", "…")


def test_a_header_that_is_cut_before_it_is_masked_leaves_no_half_of_a_secret() -> None:
    for cut in range(1, 20):
        value = f"password={'a' * (200 - len('X-Apassword= ') - cut)} 4111-1111-1111-1111 more"
        assert "4111" not in str(Members("HEADERS", 100).clean({"X-A": value, "X-B": "4111"}))
