"""A cut never leaves half a secret, wherever a text is cut."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest
from django.test import Client, override_settings

from security.body import Body
from security.management import call_command
from tests.site import tasks

from .carriers import JSON
from .secrets import DETECTED, NAMED
from .stored import EVERYTHING, rows, shown_in

pytestmark = pytest.mark.django_db

OFFSETS = range(-40, 41, 8)


def assert_hidden(secret: str) -> None:
    stored = [*rows()]
    assert stored
    assert [*shown_in(stored, secret)] == []


@pytest.mark.parametrize("limit", [100, 1000])
@pytest.mark.parametrize("offset", OFFSETS)
def test_of_a_body(limit: int, offset: int) -> None:
    with EVERYTHING, override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=limit, SECURITY_LOG_RESPONSE_BODY_LENGTH=limit):
        for secret, make in ((NAMED[0], "password={}"), (DETECTED["aws"], "x {}"), (DETECTED["jwt"], "x {}")):
            for bound in (limit, max(16_384, 4 * limit)):
                text = " " * (bound + offset) + make.format(secret)
                for content_type, body in (
                    ("text/plain", text),
                    (JSON, json.dumps({"long": text, "password": secret})),
                    ("text/html", f"<p>{text}</p>"),
                ):
                    Client().generic("POST", "/echo/", body.encode(), content_type)
            assert_hidden(secret)


LONG = "".join(f"{number * 7919:x}K" for number in range(200))


@pytest.mark.parametrize(
    "end",
    [
        f'"c":["password","{LONG}"]',
        f'"c":{{"value":"{LONG}","name":"password"}}',
        f'"op":"replace","value":"{LONG}","path":"/password"',
        f'"value":"Opaque {LONG}","name":"X-Auth-Token"',
        f'"dsn":"postgres://app:{LONG}@db.internal/shop"',
        f'"in":"[\\"password\\", \\"{LONG}\\"]"',
    ],
)
def test_of_json_whose_secret_is_told_by_what_is_not_seen_any_more(end: str) -> None:
    text = f'{{"p":"{"lorem ipsum " * 1320}",{end}}}'
    body = Body(text.encode()[:16_384], JSON)
    assert LONG[:300] in body.content.decode()
    stored = body.stored(1000)
    assert json.loads(stored)["p"].startswith("lorem ipsum")
    assert not any(LONG[start : start + 8] in stored for start in range(0, 600, 4))


@EVERYTHING
def test_of_a_body_in_which_masking_made_room() -> None:
    card = DETECTED["card_number"]
    with override_settings(SECURITY_LOG_REQUEST_BODY_LENGTH=1000, SECURITY_LOG_RESPONSE_BODY_LENGTH=1000):
        for content_type in ("text/plain", "text/html"):
            beginning = f"<password>{'z' * 16_000}</password> "
            text = beginning + " " * (16_384 - len(beginning) - 12) + card
            Client().generic("POST", "/echo/", text.encode(), content_type)
    assert_hidden(card)


def repeat(deed: str) -> Callable[[str], None]:
    def run(text: str) -> None:
        try:
            call_command("repeat", deed, text, stdout=io.StringIO())
        except ValueError:
            assert deed == "fail"

    return run


def queue(text: str) -> None:
    tasks.repeat_text.apply((text,), {"more": [text]})


PLACES: dict[str, tuple[Callable[[str], None], tuple[int, ...]]] = {
    # What is stored of a field, and what is looked at of it
    "the input of a command": (repeat("nothing"), (10_000, 20_000)),
    # An error may be longer; what is looked at of it has bounds of its own.
    "an exception": (repeat("fail"), (10_000, 20_000)),
    "an argument of a task": (queue, (1000, 10_000)),
}


@EVERYTHING
@pytest.mark.parametrize("place", PLACES)
def test_of_a_text(place: str) -> None:
    send, bounds = PLACES[place]
    for secret, make in (
        (NAMED[0], "password={}"),
        (DETECTED["card_number"], "x {} y"),
        (DETECTED["aws"], "x {} y"),
        (DETECTED["jwt"], "x {} y"),
    ):
        for bound in bounds:
            for offset in OFFSETS:
                send("x " * ((bound + offset) // 2) + make.format(secret) + " z" * 5_500)
        assert_hidden(secret)


@EVERYTHING
@pytest.mark.parametrize("place", PLACES)
def test_of_a_text_in_which_masking_made_room(place: str) -> None:
    send, bounds = PLACES[place]
    card = DETECTED["card_number"]
    for bound in bounds:
        beginning = f"password='{'z' * (bound - 200)}' "
        send(beginning + " " * (bound - len(beginning) - 12) + card + "\n" + " " * 4 * bound)
    assert_hidden(card)


@EVERYTHING
@override_settings(SECURITY_LOG_STRING_OUTPUT_TRUNCATE_LENGTH=1000, SECURITY_LOG_STRING_OUTPUT_TRUNCATE_OFFSET=100)
@pytest.mark.parametrize("separator", [" ", "\n"])
def test_of_the_beginning_of_an_output(separator: str) -> None:
    """The end of an output is kept, so that it is cut in front of that."""
    for secret, make in (
        (NAMED[0], "password={}"),
        ("correct horse battery", '{{"password": "{}"}}'),
        (DETECTED["card_number"], "x {} y"),
        (DETECTED["jwt"], "x {} y"),
    ):
        for rest in range(900, 1200, 4):
            repeat("write")("x" * 2000 + separator + make.format(secret) + separator + "z " * (rest // 2))
        assert_hidden(secret)
