"""The cases of the corpus, as data: each is a secret in what carries it."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from .carriers import BODIES, CREDENTIALS, CSV, HTML, JSON, LOOSE, PLAIN, PLAIN_BODIES
from .secrets import DETECTED, NAMED, NAMES, PEM
from .secrets import PLAIN as PLAIN_SECRETS

PLAIN_NAMES = [name for name in NAMES if name.isascii()]
# Options are taken apart by the shell: these need its quotes.
SHELL_SECRETS = (*NAMED, "it's 9 hunter2Xq", 'say "hunter2Xq9" twice', "-hunter2Xq9zR")


@dataclass(frozen=True, slots=True)
class Case:
    """A secret in a text."""

    carrier: str
    secret: str
    text: str
    content_type: str = PLAIN
    name: str = ""
    """The header that the text is the value of, or the argument of a task."""

    def __str__(self) -> str:
        return f"{self.carrier} {self.name}: {self.text[:200]!r}"


def named_bodies() -> Iterator[Case]:
    """Give each carrier with some names and some secrets."""
    for number, (carrier, (content_type, make)) in enumerate(BODIES.items()):
        for turn, secret in enumerate(NAMED):
            name = NAMES[(number * len(NAMED) + turn) % len(NAMES)]
            yield Case(carrier, secret, make(name, secret), content_type)
    for number, (carrier, (content_type, make)) in enumerate(PLAIN_BODIES.items()):
        for turn in range(4):
            name = PLAIN_NAMES[(number * 4 + turn) % len(PLAIN_NAMES)]
            secret = PLAIN_SECRETS[turn % len(PLAIN_SECRETS)]
            yield Case(carrier, secret, make(name, secret), content_type)


def loose_bodies() -> Iterator[Case]:
    """Give each carrier with what is a secret without a name."""
    for carrier, (content_type, make) in LOOSE.items():
        for secret in (*DETECTED.values(), PEM):
            yield Case(f"{carrier}, loose", secret, make(secret), content_type)
    for carrier, text in CREDENTIALS.items():
        for secret in PLAIN_SECRETS:
            yield Case(carrier, secret, text(secret))
            yield Case(f"{carrier} in JSON", secret, json.dumps({"log": text(secret)}), JSON)
            yield Case(f"{carrier} in HTML", secret, f"<pre>{text(secret)}</pre>", HTML)


def queries() -> Iterator[Case]:
    for turn, name in enumerate(NAMES):
        secret = NAMED[turn % len(NAMED)]
        yield Case("name", secret, urlencode({"a": 1, name: secret}))
        yield Case("name in an address", secret, urlencode({"next": "/x?" + urlencode({name: secret})}))
        yield Case("name in JSON", secret, urlencode({"filter": json.dumps({name: secret})}))
        yield Case("repeated", secret, urlencode([(f"user[{name}]", "x"), (f"user[{name}]", secret)]))
    for secret in DETECTED.values():
        yield Case("value", secret, urlencode({"q": secret}))
        yield Case("name without a value", secret, quote(secret))
        yield Case("in words", secret, urlencode({"q": f"find {secret} now"}))


def headers(secret: str) -> dict[str, str]:
    """Give headers that each hold the secret."""
    basic = base64.b64encode(f"ann:{secret}".encode()).decode()
    return {
        "Authorization": f"Bearer {secret}",
        "Proxy-Authorization": f"Basic {basic}",
        "X-Authorization": secret,
        "Cookie": f"theme=dark; sessionid={secret}; x={secret}",
        "X-Api-Key": secret,
        "X-Auth-Token": secret,
        "X-CSRFToken": secret,
        "X-Amz-Security-Token": secret,
        "Api-Secret": secret,
        "Referer": f"https://ann:{secret}@h.example/token/{secret}/?password={secret}&a=1#access_token={secret}",
        "X-Original-Url": f"/x?token={secret}",
        "X-Forwarded-Authorization": f"Digest username=a, response={secret}",
        "X-Log": f"password={secret}",
        "X-Data": json.dumps({"password": secret}),
    }


def header_cases() -> Iterator[Case]:
    for secret in PLAIN_SECRETS:
        for name, value in headers(secret).items():
            yield Case("header", secret, value, name=name)
    for secret in DETECTED.values():
        for name, value in (("X-Note", secret), ("Referer", f"/x?q={quote(secret)}"), ("User-Agent", f"a ({secret})")):
            yield Case("header with another name", secret, value, name=name)
    for case in TEXTS:
        if case.text.isascii() and case.text.isprintable():
            yield Case(f"header with {case.carrier}", case.secret, case.text, name="X-Note")


def answer_headers() -> Iterator[Case]:
    """Give the headers of answers: those that a request has as well, and those of answers alone."""
    yield from (case for case in header_cases() if case.name != "Cookie")
    for secret in PLAIN_SECRETS:
        location = f"/x?{urlencode({'code_token': secret, 'a': 1})}#token={secret}"
        for name, value in (
            ("Location", location),
            ("Location", f"https://ann:{secret}@h.example/token/{secret}/"),
            ("Content-Location", location),
            ("Link", f"</x?{urlencode({'token': secret})}>; rel=next"),
            ("Refresh", f"5; url=/x?{urlencode({'token': secret})}"),
            ("Set-Cookie", f"sessionid={secret}; HttpOnly; Path=/"),
            ("Set-Cookie", f"seen={secret}; Path=/"),
            ("X-Reset-Token", secret),
            ("WWW-Authenticate", f'Bearer realm="x", error_description="token={secret}"'),
        ):
            yield Case("header of an answer", secret, value, name=name)


def paths() -> Iterator[Case]:
    for secret in PLAIN_SECRETS:
        yield Case("behind a name", secret, f"token/{quote(secret)}/")
        yield Case("parameter", secret, f"x;jsessionid={quote(secret)}/y")
        yield Case("pair", secret, f"password={quote(secret)}/")
        yield Case("address", secret, f"https://ann:{quote(secret)}@h.example/")
    for secret in (*DETECTED.values(), "cabc12-0123456789abcdef0123456789abcdef"):
        yield Case("segment", secret, f"{quote(secret)}/x")


def options() -> Iterator[Case]:
    """Give what a person writes behind the name of a command, as a shell would read it."""
    for turn, name in enumerate(PLAIN_NAMES):
        for step in range(2):
            secret = SHELL_SECRETS[(2 * turn + step) % len(SHELL_SECRETS)]
            for carrier, words in (
                ("option", [f"--{name}", secret] if secret[0] != "-" else [f"--{name}={secret}"]),
                ("option with an equals sign", [f"--{name}={secret}", "--verbose"]),
                ("pair", ["x", f"{name}={secret}", "y"]),
                ("environment", ["-e", f"DB_{name.upper()}={secret}", "image"]),
                ("pair of an option", ["--set", f"{name}={secret}", "--dry-run"]),
                ("JSON", ["--data", json.dumps({name: secret, "a": 1})]),
                ("form", ["--data", urlencode({"a": 1, name: secret})]),
                ("header", ["--header", f"{name}: {secret}"]),
                ("address", ["--url", f"https://h.example/?{urlencode({'a': 1, name: secret})}"]),
            ):
                yield Case(f"{carrier} of a command", secret, shlex.join(words))
    for secret in PLAIN_SECRETS:
        for carrier, words in (
            ("user info", ["--database", f"postgresql://ann:{secret}@db:5432/x"]),
            ("bearer", ["--header", f"Authorization: Bearer {secret}"]),
            ("user", ["curl", "-u", f"ann:{secret}", "https://h.example"]),
        ):
            yield Case(f"{carrier} of a command", secret, shlex.join(words))
    for secret in (*DETECTED.values(), PEM):
        yield Case("argument of a command", secret, shlex.join(["x", secret, "y"]))


def hosts() -> Iterator[Case]:
    for secret in PLAIN_SECRETS:
        yield Case("host", secret, f"{secret}:x@h.example")
        yield Case("password of a host", secret, f"ann:{secret}@h.example:8000")


def arguments() -> Iterator[Case]:
    """Give arguments of tasks that have the name of a secret."""
    for turn, name in enumerate(NAMES):
        yield Case("argument", NAMED[turn % len(NAMED)], NAMED[turn % len(NAMED)], name=name)


def once(cases: Iterable[Case]) -> list[Case]:
    """Give one case of each carrier, and of each header."""
    return list({(case.carrier, case.name): case for case in cases}.values())


# Several runs can send the corpus together: 1/3 is the second of three parts.
PART, PARTS = map(int, os.environ.get("CORPUS_PART", "0/1").split("/"))


def of_this_run(cases: list[Case], turn: int = 0) -> list[Case]:
    """Give the part of some cases that this run sends; the parts of each turn are others."""
    return cases[(turn + PART) % PARTS :: PARTS]


CASES = [*named_bodies(), *loose_bodies()]
# A table is known as one where its content type says so.
TEXTS = [case for case in CASES if case.content_type != CSV]
HEADERS = [*header_cases()]
ANSWER_HEADERS = [*answer_headers()]
QUERIES = [*queries()]
PATHS = [*paths()]
HOSTS = [*hosts()]
OPTIONS = [*options()]
ARGUMENTS = [*arguments()]
