"""Secrets that are known by how they look, under whatever name they stand, or under none.

Each detector has a name by which SECURITY_DISABLED_DETECTORS switches it off. A detector finds spans of a text, from
the left to the right, in time that grows with the text and no faster.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Final

from . import credentials, tokens
from .hiding import Hiding
from .numbers import card_numbers, ibans
from .spans import NamedSpan, Span


@dataclass(frozen=True, slots=True)
class Detector:
    """Something that finds secrets in a text."""

    name: str
    what: str
    """What it finds, for the documentation."""
    signs: tuple[str, ...]
    """A text without any of these, in small letters, has nothing for it; none means that every text may have."""
    find: Callable[[str], Iterator[Span]]


DETECTORS: Final = (
    Detector(
        "private_key", "private keys in PEM, also one whose end was cut off", ("private key",), tokens.private_keys
    ),
    Detector("jwt", "JSON Web Tokens (RFC 7519), also one whose end was cut off", ("eyj",), tokens.json_web_tokens),
    Detector(
        "card_number",
        "payment card numbers: an issuer's prefix, its length, and a check digit that is right (Luhn)",
        (),
        card_numbers,
    ),
    Detector("iban", "bank account numbers whose length and checksum are right (ISO 13616)", (), ibans),
    Detector(
        "cloud_key",
        "keys of AWS, Google, GitHub, GitLab, Slack, Stripe, npm, PyPI, SendGrid, DigitalOcean, Shopify and Vault,"
        " tokens of Telegram's bots, and the hooks of Slack, Discord and Teams",
        (
            *("akia", "asia", "abia", "acca", "aiza", "ya29", "gocspx", "ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
            *("github_pat", "glpat", "xox", "xapp-", "k_live", "k_test", "whsec", "sk-", "npm_", "pypi-", "sg."),
            *("dop_v1", "shp", "hvs.", "hvb.", "age-secret", "key-", "hooks.slack", "/bot"),
            *("/services/t", "/webhooks/", "/incomingwebhook/"),
        ),
        tokens.cloud_keys,
    ),
    Detector("bearer", "what follows the words Bearer or Negotiate", ("bearer", "negotiate"), tokens.bearers),
    Detector("basic", "user and password in base 64 behind the word Basic", ("basic",), tokens.basics),
    Detector("user_option", "user and password behind the options -u and --user", ("-u",), credentials.user_options),
    Detector(
        "password_option",
        "passwords behind the options -p and -a of the clients of databases and of registries, and in files of netrc",
        ("curl", "mysql", "mariadb", "mongo", "sshpass", "docker", "podman", "helm", "redis-cli", "login"),
        credentials.password_options,
    ),
    Detector(
        "oauth_code",
        "the code of OAuth in an address or a form, beside what comes with it",
        ("code=",),
        credentials.oauth_codes,
    ),
    Detector("sql_password", "what SQL has behind IDENTIFIED BY", ("identified",), credentials.identified_by),
    Detector(
        "failing_row", "the row that PostgreSQL quotes when it refuses one", ("failing row",), credentials.failing_rows
    ),
    Detector(
        "password_hash",
        "passwords as Django, Unix and PHP store them: PBKDF2, bcrypt, Argon2, scrypt, crypt",
        ("$",),
        credentials.stored_digests,
    ),
    Detector("url_credentials", "user and password in an address", ("@", "%40"), credentials.user_infos),
    Detector(
        "signed_url",
        "the signatures of signed addresses (AWS, Google, Azure and such)",
        ("sig", "x-amz", "x-goog", "hmac"),
        credentials.url_signatures,
    ),
    Detector(
        "django_token",
        "the tokens of Django's links to reset a password, and the signatures of what it signs with a time",
        ("-", ":"),
        tokens.signed_by_django,
    ),
)

# What the detectors of numbers need; most texts have no such run of digits.
_MAY_BE_NUMBER: Final = re.compile(
    r"[0-9](?:(?:[ +-]?[0-9]){12}|(?<=[A-Za-z]{2}[0-9])[0-9](?:[ +-]?[A-Za-z0-9]){11})",
)
# The beginnings of tokens and keys. Where every branch begins with a plain letter, a search is fast.
_MAY_BE_TOKEN: Final = re.compile(
    "eyJ|AKIA|ASIA|ABIA|ACCA|AIza|AGE-SECRET|ya29|GOCSPX-|gh[pousr]_|github_pat_|glpat-|xox|xapp-|k_live_|k_test_"
    "|whsec_|sk-|npm_|pypi-|SG[.]|dop_v1_|shp[acps]|hv[sb][.]|key-|hooks[.]slack|/bot|@|%40|-[0-9a-f]{32}|PRIVATE KEY"
    "|/services/T|/webhooks/|/IncomingWebhook/"
    r"|:[0-9A-Za-z]{6}:[\w\-]{27}"
)


_HASHES: Final = ("pbkdf2_sha", "scrypt$", "$2", "$argon2", "$1$", "$5$", "$6$")
_ASSIGNED: Final = ("sig", "x-amz", "x-goog", "hmac", "code=")
_RARE: Final = ("bearer", "basic", "negotiate", "identified", "failing row", "login ")
# Those that take a password behind a short option.
_CLIENTS: Final = ("curl", "sshpass", "mysql", "mariadb", "mongo", "redis-cli", "docker", "podman", "helm", "az ")


def may_find(text: str, lowered: str) -> bool:
    """Tell quickly whether a detector can find something in a text, which is given in small letters as well."""
    if _MAY_BE_NUMBER.search(text) is not None or _MAY_BE_TOKEN.search(text) is not None:
        return True
    if "-u" in text and ":" in text:
        return True
    if any(map(lowered.__contains__, _RARE)) or (" -" in text and any(map(lowered.__contains__, _CLIENTS))):
        return True
    if "$" in text and any(map(lowered.__contains__, _HASHES)):
        return True
    return "=" in text and any(map(lowered.__contains__, _ASSIGNED))


def detect(text: str, hiding: Hiding) -> str:
    """Hide what the detectors find that are on."""
    lowered = text.lower()
    if not may_find(text, lowered):
        return text
    for detector in DETECTORS:
        if detector.name in hiding.rules.disabled_detectors:
            continue
        if not detector.signs or any(sign in lowered for sign in detector.signs):
            text = hiding.hide_spans(text, _found(text, detector, hiding.replacement))
    return text


def has_secret(text: str, disabled: Collection[str]) -> bool:
    """Tell whether a detector that is on finds something in a short text."""
    return may_find(text, text.lower()) and any(
        next(detector.find(text), None) is not None for detector in DETECTORS if detector.name not in disabled
    )


def _found(text: str, detector: Detector, replacement: str) -> Iterator[NamedSpan]:
    for start, end in detector.find(text):
        if not text.startswith(replacement or "\0", start):
            yield f"detector {detector.name}", start, end
