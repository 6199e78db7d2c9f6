"""Secrets that the corpus hides in all sorts of places, and how one is looked for in what was stored."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from urllib.parse import unquote, unquote_plus

# What people and programs take for passwords: no detector knows these, only their names give them away.
NAMED = (
    "hunter2Xq9zR",
    "correct7horse_battery",
    "Pa$$w0rd!Zx41",
    "918273645546",
    "zażółć9gęśląJaźń",
    "dGhpcyBpcyBhIHNlY3JldA==",
)
# Those that know no quoting or escaping, for carriers that have none.
PLAIN = NAMED[:2]
# What is known by how it looks.
DETECTED = {
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MjQyNDIifQ.c2lnbmF0dXJlLW9mLWl0",
    "card_number": "4539578763621486",
    "card_number in groups": "5555 5555 5555 4444",
    "iban": "GB82WEST12345698765432",
    "iban in groups": "DE89 3704 0044 0532 0130 00",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "github": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "stripe": "sk_live_4eC39HqLyjWDarjtT1zdp7dc",
    "slack": "xoxb-123456789012-abcdefghijkl",
}
PEM = (
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA7bq2hVdOdkF3\nq8vPzRkT9xWmY5uLcN1sJ0aEfGhB\n"
    "-----END RSA PRIVATE KEY-----"
)

# Names that say that a value is secret, as they are met.
NAMES = (
    "password",
    "PASSWORD",
    "Password",
    "userPassword",
    "user_password",
    "new-password1",
    "pass_word",
    "passwd",
    "pwd",
    "passphrase",
    "contraseña",
    "heslo",
    "Passwort",
    "mot_de_passe",
    "пароль",
    "密码",
    "secret",
    "client_secret",
    "clientSecret",
    "token",
    "accessToken",
    "refresh_token",
    "csrfmiddlewaretoken",
    "csrf-token",
    "api_key",
    "apiKey",
    "X-API-Key",
    "access_key",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "authorization",
    "credentials",
    "session_id",
    "sessionid",
    "pin",
    "otp",
    "cvv",
    "card_number",
    "cardNumber",
    "iban",
    "jwt",
)

_RUN_OF_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")


def _decoded_base64(text: str) -> Iterator[str]:
    for run in _RUN_OF_BASE64.findall(text):
        body = run.rstrip("=").replace("-", "+").replace("_", "/")
        try:
            yield base64.b64decode(body + "=" * (-len(body) % 4)).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            continue


def _unescaped(text: str) -> str:
    return re.sub(r"\\+u([0-9a-fA-F]{4})", lambda match: chr(int(match[1], 16)), text).replace('\\"', '"')


# How a text can be written, and the signs without which it is not.
_WRITINGS: tuple[tuple[str, Callable[[str], str]], ...] = (
    ("%", unquote),
    ("%+", unquote_plus),
    ("\\", _unescaped),
    ("&", html.unescape),
    ("\N{SYMBOL FOR NULL}", lambda text: text.replace("\N{SYMBOL FOR NULL}", "")),
)


def readings(text: str) -> Iterator[str]:
    """Give a text in all the ways in which somebody may read it: with up to three writings undone, and base 64."""
    known = {text: None}
    latest = [text]
    for _ in range(3):
        read = [undo(text) for text in latest for signs, undo in _WRITINGS if any(sign in text for sign in signs)]
        latest = [text for text in dict.fromkeys(read) if text not in known]
        known.update(dict.fromkeys(latest))
    yield from known
    for reading in known:
        yield from _decoded_base64(reading)


@lru_cache(maxsize=256)
def pieces(secret: str) -> list[str]:
    """Give all parts of a secret that have six characters."""
    return [secret[start : start + 6] for start in range(max(len(secret) - 5, 1))]


def found_in(text: str, secret: str) -> str | None:
    """Give the piece of a secret that can be read in a text; None where there is none."""
    wanted = pieces(secret)
    for reading in readings(text):
        for piece in wanted:
            if piece in reading:
                return f"{piece!r} in {text[:300]!r}"
    return None
