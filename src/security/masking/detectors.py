"""Secrets that are known by how they look, under whatever name they stand, or under none.

Each detector has a name by which SECURITY_DISABLED_DETECTORS switches it off. A detector finds spans of a text, from
the left to the right, in time that grows with the text and no faster.
"""

from __future__ import annotations

import binascii
import re
import time
from base64 import b64decode, urlsafe_b64decode
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from .hiding import Hiding
from .keys import is_code_of_oauth
from .numbers import Span, card_numbers, ibans
from .spaces import BLANK


@dataclass(frozen=True, slots=True)
class Detector:
    """Something that finds secrets in a text."""

    name: str
    what: str
    """What it finds, for the documentation."""
    signs: tuple[str, ...]
    """A text without any of these, in small letters, has nothing for it; none means that every text may have."""
    find: Callable[[str], Iterator[Span]]


def _first_groups(pattern: str, flags: int = 0) -> Callable[[str], Iterator[Span]]:
    """Find the first group of each match."""
    compiled = re.compile(pattern, flags)
    return lambda text: (match.span(1) for match in compiled.finditer(text))


_PEM_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_END: Final = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")


def _private_keys(text: str) -> Iterator[Span]:
    position = 0
    begin = _PEM_BEGIN.search(text)
    end = _PEM_END.search(text)
    while begin is not None or end is not None:
        if end is not None and (begin is None or end.start() < begin.start()):
            # Its beginning was cut off.
            start, position = position, end.end()
        else:
            start = len(text) if begin is None else begin.start()
            if end is not None and end.start() < start:
                end = _PEM_END.search(text, start)
            position = len(text) if end is None else end.end()
        yield start, position
        # None is not looked for again, which would go over the text once for each of the others.
        if begin is not None and begin.start() < position:
            begin = _PEM_BEGIN.search(text, position)
        if end is not None:
            end = _PEM_END.search(text, position)


_BEARER: Final = re.compile(rf"(?i)\b(?:bearer|negotiate)(?:{BLANK}|\+|%20)+([\w\-.~+/]{{8,}}+=*+)")


def _bearers(text: str) -> Iterator[Span]:
    for match in _BEARER.finditer(text):
        # "bearer certificates" is English.
        if not all(word.isalpha() and word.islower() and len(word) < 24 for word in match[1].split("+")):
            yield match.span(1)


_BASIC: Final = re.compile(rf"(?i)\bbasic(?:{BLANK}|\+|%20)+([a-z0-9+/_-]{{4,}}+(?:=|%3d){{0,2}})")


def _basics(text: str) -> Iterator[Span]:
    for match in _BASIC.finditer(text):
        if b":" in decoded_base64(match[1].replace("%3D", "=").replace("%3d", "=")):
            yield match.span(1)


def decoded_base64(text: str) -> bytes:
    """Decode base 64 of either alphabet, with or without its padding; nothing for what is none."""
    body = text.rstrip("=")
    # One character too many is what a cut leaves.
    body = body[:-1] if len(body) % 4 == 1 else body
    try:
        decode = urlsafe_b64decode if "-" in body or "_" in body else b64decode
        return decode(body + "=" * (-len(body) % 4))
    except (binascii.Error, ValueError):
        return b""


_JWT: Final = r"(?<![A-Za-z0-9_-])(eyJ[A-Za-z0-9_-]{5,}+(?:\.[A-Za-z0-9_-]*+){1,4}|eyJ[A-Za-z0-9_-]{5,}+\Z)"
_CLOUD_KEY: Final = r"""(?x)(?<![A-Za-z0-9])(
      (?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}(?![A-Za-z0-9])
    | AIza[\w-]{30,} | ya29\.[\w.-]{10,} | GOCSPX-[\w-]{20,}
    | gh[pousr]_[A-Za-z0-9]{20,} | github_pat_\w{20,} | glpat-[\w-]{16,}
    | xox[abeoprs]-[\w-]{10,} | xapp-[\w-]{10,}
    | [sr]k_(?:live|test)_[A-Za-z0-9]{10,} | whsec_[A-Za-z0-9+/=]{16,}
    | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{50,} | SG\.[\w-]{16,}\.[\w-]{16,} | dop_v1_[0-9a-f]{40,}
    | shp(?:at|ca|pa|ss)_[0-9a-f]{32} | hv[sb]\.[\w-]{20,} | AGE-SECRET-KEY-1[A-Z0-9]{50,}
    | (?<!-)key-[0-9a-f]{32}(?![0-9a-f]|\.[a-z])
)"""
# The address of a hook is its secret; a record keeps the path apart from the host.
_HOOK: Final = re.compile(
    r"(?:hooks\.slack\.com/services/|/services/T\w{6,20}/B\w{6,20}/)([\w/]{10,})"
    r"|/webhooks/[0-9]{15,20}/([\w\-]{40,})|/IncomingWebhook/([0-9a-f]{20,}(?:/[\w\-]{8,})?)"
)
_CLOUD_KEYS: Final = _first_groups(_CLOUD_KEY)
_MODEL_KEY: Final = re.compile(r"(?<![A-Za-z0-9])sk-[\w-]{20,}+")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}+")
_DIGIT: Final = re.compile(r"[0-9]")


def _cloud_keys(text: str) -> Iterator[Span]:
    hooks = (match.span(match.lastindex or 0) for match in _HOOK.finditer(text))
    bots = (match.span(1) for match in _BOT.finditer(text))
    return iter(sorted([*_CLOUD_KEYS(text), *hooks, *bots, *_model_keys(text)]))


def _model_keys(text: str) -> Iterator[Span]:
    for match in _MODEL_KEY.finditer(text):
        # Words with hyphens between them are a slug: sk-8-inch-knife.
        if any(_DIGIT.search(run) for run in _RUN.findall(match[0])):
            yield match.span()


_AUTHORITY: Final = re.compile(r":?\\{0,8}+/\\{0,8}+/{1,3}([^\s/?#\"'<>\\]++)")
# Without a scheme, where the port or the path behind it tells a host from an address of mail
_USER_INFO: Final = re.compile(
    r"(?<![\w.%+\-/@:])([\w.%+\-]{1,64}:[^\s/?#\"'<>\\@,;=&()\[\]{}]{1,256})@(?=[\w.\-]{1,255}(?:/|:[0-9]{2,5}(?!\w)))"
)
# The bots of Telegram have their token in the path.
_BOT: Final = re.compile(r"(?<=/bot)([0-9]{6,12}:[\w\-]{20,}+)")
# A password in the address of a database may hold a slash; its length bounds what each "://" costs.
_REST_OF_PASSWORD: Final = re.compile(r"[^\s\"'<>@]{1,256}@(?=\w)")


# What a client writes into its Host header is quoted by Django, where it is none.
_QUOTED_HOST: Final = re.compile(r"HTTP_HOST header: \\*'([^'\s@]++)@")


def _user_infos(text: str) -> Iterator[Span]:
    return iter(sorted([*_user_infos_of_urls(text), *_user_infos_without_scheme(text)]))


def _user_infos_without_scheme(text: str) -> Iterator[Span]:
    for pattern in (_QUOTED_HOST, _USER_INFO):
        yield from (match.span(1) for match in pattern.finditer(text))


def _user_infos_of_urls(text: str) -> Iterator[Span]:
    for match in _AUTHORITY.finditer(text):
        authority = match[1]
        user_info, at, _ = authority.rpartition("@" if "@" in authority else "%40")
        has_scheme = match[0].startswith(":")
        if at and (":" in user_info or "%3a" in user_info.lower() or (has_scheme and at == "@")):
            yield match.start(1), match.start(1) + len(user_info)
        elif not has_scheme:
            continue
        elif ":" in authority and not authority.rpartition(":")[2].isdigit():
            rest = _REST_OF_PASSWORD.match(text, match.end())
            if rest is not None:
                yield match.start(1), rest.end() - 1


_user_options: Final = _first_groups(
    r"(?<![\w\-])(?:-u|--user|--proxy-user)(?:\\*+[\"']?,?[ \t]++|=)\\*+[\"']?([^\s\"':]{1,128}:[^\s\"'<>\\]++)"
)

# The seconds since 2001, in base 36, and half a digest. Behind the user's id in base 64 it need not have a digit.
_DJANGO_TOKEN: Final = re.compile(
    r"(?:(?<=/)(?:(?:[MNO][A-Za-z0-9]{1,30}|[A-Za-z0-9_-]{48})/|[0-9A-Za-z]{1,32}-)|(?<![0-9a-zA-Z\-]))"
    r"(([0-9a-z]{6})-[0-9a-f]{32})(?![0-9a-zA-Z]|\.[a-z])"
)
# What django.core.signing makes: a value, a time in base 62, and a signature in base 64.
_SIGNED: Final = re.compile(r"(?<![\w\-.:=])[\w\-.=]{1,1000}+:[0-9A-Za-z]{6}:([\w\-]{43}|[\w\-]{27})(?![\w\-])")
_BEGINNING_OF_TIME: Final = int(datetime(2001, 1, 1, tzinfo=UTC).timestamp())
_OLDEST_TOKEN: Final = int(datetime(2015, 1, 1, tzinfo=UTC).timestamp())
_A_YEAR: Final = 366 * 24 * 60 * 60


def _django_tokens(text: str) -> Iterator[Span]:
    newest = time.time() + _A_YEAR
    for match in _DJANGO_TOKEN.finditer(text):
        made = int(match[2], 36) + _BEGINNING_OF_TIME
        is_behind_id = match.start() < match.start(1) and text[match.start(1) - 1] == "/"
        # A name with a digest behind it is no token: invoice-<md5>, asset-<md5>.
        if _OLDEST_TOKEN < made < newest and (is_behind_id or _DIGIT.search(match[2]) is not None):
            yield match.span(1)


def _signed_by_django(text: str) -> Iterator[Span]:
    return iter(sorted([*_django_tokens(text), *(match.span(1) for match in _SIGNED.finditer(text))]))


_password_options: Final = _first_groups(
    r"(?i)(?:(?<![\w\-])curl(?= )[^\r\n|;]{0,200}?\s-u(?=\w{1,64}:)|\blogin\s{1,3}+\S{1,100}+\s{1,3}+password\s{1,3}+"
    r"|(?<![\w\-])(?:mysql\w*+|mariadb[\w\-]*+|mongo\w*+|sshpass|(?:docker|podman|helm(?: registry)?|az) login)"
    r"(?= )[^\r\n|;]{0,200}?\s(?-i:-p)[ \t]*+|(?<![\w\-])redis-cli(?= )[^\r\n|;]{0,200}?\s-a[ \t]++)"
    r"[\"']?([^\s\"'<>\-][^\s\"'<>]*+)"
)
_OAUTH_CODE: Final = re.compile(r"(?<![\w.%\-])code=([^&\s\"'<>#]++)(&[^\s\"'<>]{1,300}+)?")
_LONGEST_QUERY_BEFORE: Final = 300


def _oauth_codes(text: str) -> Iterator[Span]:
    for match in _OAUTH_CODE.finditer(text):
        before = text[max(match.start() - _LONGEST_QUERY_BEFORE, 0) : match.start()]
        fields = (re.split(r"[\s\"'<>?#]", before)[-1] + (match[2] or "")).split("&")
        values = {name: value for name, _, value in (field.partition("=") for field in fields)}
        if is_code_of_oauth(values, match[1], values.get("state", "")):
            yield match.span(1)


_identified_by: Final = _first_groups(
    r"(?i)\bidentified\s{1,3}+(?:with\s{1,3}+[\w\"'`]{1,40}+\s{1,3}+)?(?:by|as)(?:\s{1,3}+password)?\s{1,3}+"
    r"\\*+[\"']((?:[^\"'\\]++|\\[^\"'])++)"
)
_failing_rows: Final = _first_groups(r"(?i)\bfailing row contains \(([^\r\n]+?)\)?\.?(?=[\r\n]|\Z)")

_STORED_DIGEST: Final = r"""(?x)(?<![\w$])(
      pbkdf2_sha[0-9]{1,3}\$[0-9]{1,9}\$[^\s"'<>\\$]++\$[\w+/=]++ | scrypt\$[^\s"'<>\\]{20,}+
    | (?:bcrypt(?:_sha256)?\$)?\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53} | (?:argon2)?\$argon2(?:id|i|d)\$[^\s"'<>\\]++
    | \$[156]\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86}
)"""

DETECTORS: Final = (
    Detector("private_key", "private keys in PEM, also one whose end was cut off", ("private key",), _private_keys),
    Detector("jwt", "JSON Web Tokens (RFC 7519), also one whose end was cut off", ("eyj",), _first_groups(_JWT)),
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
        _cloud_keys,
    ),
    Detector("bearer", "what follows the words Bearer or Negotiate", ("bearer", "negotiate"), _bearers),
    Detector("basic", "user and password in base 64 behind the word Basic", ("basic",), _basics),
    Detector("user_option", "user and password behind the options -u and --user", ("-u",), _user_options),
    Detector(
        "password_option",
        "passwords behind the options -p and -a of the clients of databases and of registries, and in files of netrc",
        ("curl", "mysql", "mariadb", "mongo", "sshpass", "docker", "podman", "helm", "redis-cli", "login"),
        _password_options,
    ),
    Detector(
        "oauth_code", "the code of OAuth in an address or a form, beside what comes with it", ("code=",), _oauth_codes
    ),
    Detector("sql_password", "what SQL has behind IDENTIFIED BY", ("identified",), _identified_by),
    Detector("failing_row", "the row that PostgreSQL quotes when it refuses one", ("failing row",), _failing_rows),
    Detector(
        "password_hash",
        "passwords as Django, Unix and PHP store them: PBKDF2, bcrypt, Argon2, scrypt, crypt",
        ("$",),
        _first_groups(_STORED_DIGEST),
    ),
    Detector("url_credentials", "user and password in an address", ("@", "%40"), _user_infos),
    Detector(
        "signed_url",
        "the signatures of signed addresses (AWS, Google, Azure and such)",
        ("sig", "x-amz", "x-goog", "hmac"),
        _first_groups(
            r"(?i)[?&;](?:amp;)?(?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|hmac)="
            r"([^&\s\"'<>]++)"
        ),
    ),
    Detector(
        "django_token",
        "the tokens of Django's links to reset a password, and the signatures of what it signs with a time",
        ("-", ":"),
        _signed_by_django,
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
            text = _hidden(text, detector, hiding)
    return text


def has_secret(text: str, disabled: Collection[str]) -> bool:
    """Tell whether a detector that is on finds something in a short text."""
    return may_find(text, text.lower()) and any(
        next(detector.find(text), None) is not None for detector in DETECTORS if detector.name not in disabled
    )


def _hidden(text: str, detector: Detector, hiding: Hiding) -> str:
    kept: list[str] = []
    position = 0
    for start, end in detector.find(text):
        if start < position or start == end or text.startswith(hiding.replacement or "\0", start):
            continue
        kept += (text[position:start], hiding.hide(f"detector {detector.name}", text[start:end]))
        position = end
    return "".join((*kept, text[position:])) if kept else text
