"""Passwords and codes, which are known by what stands beside them: an address, an option, the words of a database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .keys import is_code_of_oauth
from .spans import Span, first_groups

_AUTHORITY: Final = re.compile(r":?\\{0,8}+/\\{0,8}+/{1,3}([^\s/?#\"'<>\\]++)")
# Without a scheme, where the port or the path behind it tells a host from an address of mail
_USER_INFO: Final = re.compile(
    r"(?<![\w.%+\-/@:])([\w.%+\-]{1,64}:[^\s/?#\"'<>\\@,;=&()\[\]{}]{1,256})@(?=[\w.\-]{1,255}(?:/|:[0-9]{2,5}(?!\w)))"
)
# A password in the address of a database may hold a slash; its length bounds what each "://" costs.
_REST_OF_PASSWORD: Final = re.compile(r"[^\s\"'<>@]{1,256}@(?=\w)")


# What a client writes into its Host header is quoted by Django, where it is none.
_QUOTED_HOST: Final = re.compile(r"HTTP_HOST header: \\*'([^'\s@]++)@")


def user_infos(text: str) -> Iterator[Span]:
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


user_options: Final = first_groups(
    r"(?<![\w\-])(?:-u|--user|--proxy-user)(?:\\*+[\"']?,?[ \t]++|=)\\*+[\"']?([^\s\"':]{1,128}:[^\s\"'<>\\]++)"
)

password_options: Final = first_groups(
    r"(?i)(?:(?<![\w\-])curl(?= )[^\r\n|;]{0,200}?\s-u(?=\w{1,64}:)|\blogin\s{1,3}+\S{1,100}+\s{1,3}+password\s{1,3}+"
    r"|(?<![\w\-])(?:mysql\w*+|mariadb[\w\-]*+|mongo\w*+|sshpass|(?:docker|podman|helm(?: registry)?|az) login)"
    r"(?= )[^\r\n|;]{0,200}?\s(?-i:-p)[ \t]*+|(?<![\w\-])redis-cli(?= )[^\r\n|;]{0,200}?\s-a[ \t]++)"
    r"[\"']?([^\s\"'<>\-][^\s\"'<>]*+)"
)
_OAUTH_CODE: Final = re.compile(r"(?<![\w.%\-])code=([^&\s\"'<>#]++)(&[^\s\"'<>]{1,300}+)?")
_LONGEST_QUERY_BEFORE: Final = 300


def oauth_codes(text: str) -> Iterator[Span]:
    for match in _OAUTH_CODE.finditer(text):
        before = text[max(match.start() - _LONGEST_QUERY_BEFORE, 0) : match.start()]
        fields = (re.split(r"[\s\"'<>?#]", before)[-1] + (match[2] or "")).split("&")
        values = {name: value for name, _, value in (field.partition("=") for field in fields)}
        if is_code_of_oauth(values, match[1], values.get("state", "")):
            yield match.span(1)


identified_by: Final = first_groups(
    r"(?i)\bidentified\s{1,3}+(?:with\s{1,3}+[\w\"'`]{1,40}+\s{1,3}+)?(?:by|as)(?:\s{1,3}+password)?\s{1,3}+"
    r"\\*+[\"']((?:[^\"'\\]++|\\[^\"'])++)"
)
failing_rows: Final = first_groups(r"(?i)\bfailing row contains \(([^\r\n]+?)\)?\.?(?=[\r\n]|\Z)")

stored_digests: Final = first_groups(r"""(?x)(?<![\w$])(
      pbkdf2_sha[0-9]{1,3}\$[0-9]{1,9}\$[^\s"'<>\\$]++\$[\w+/=]++ | scrypt\$[^\s"'<>\\]{20,}+
    | (?:bcrypt(?:_sha256)?\$)?\$2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53} | (?:argon2)?\$argon2(?:id|i|d)\$[^\s"'<>\\]++
    | \$[156]\$[./A-Za-z0-9]{1,16}\$[./A-Za-z0-9]{22,86}
)""")
url_signatures: Final = first_groups(
    r"(?i)[?&;](?:amp;)?(?:x-(?:amz|goog)-(?:signature|credential|security-token)|signature|sig|hmac)="
    r"([^&\s\"'<>]++)"
)
