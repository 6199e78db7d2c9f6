"""Numbers that prove themselves: payment cards (ISO/IEC 7812) and bank accounts (ISO 13616)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from .spans import Span

# Digits with single spaces (in a form, a plus) or hyphens between them; not what is behind a decimal point.
_DIGITS: Final = re.compile(r"(?<![0-9])(?<![0-9]\.)(?<![0-9][ +-])[0-9](?:[ +-]?[0-9]){12,}+(?!\.[0-9])")
_GROUP: Final = re.compile(r"[0-9]++")
# The issuers' prefixes, with the lengths of their numbers.
_CARD: Final = re.compile(
    r"4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"
    r"|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    r"|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9]|9[0-9])[0-9]{11}"
    r"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12}|35(?:2[89]|[3-8][0-9])[0-9]{12}"
    r"|62[0-9]{14,17}|(?:50|5[6-8]|6[0-9])[0-9]{14,17}"
)
_CARD_LENGTHS: Final = range(13, 20)
# Cards have their numbers in groups of four, or of four, six and five.
_SHORTEST_FIRST_GROUP: Final = 4
_DOUBLED: Final = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)

_IBAN_START: Final = re.compile(r"(?<![A-Za-z0-9])[A-Za-z]{2}[0-9]{2}(?=[ +-]?[A-Za-z0-9])")
_SEPARATORS: Final = re.compile("[ +-]")
# How many characters the numbers of a country have (the registry of ISO 13616).
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD FK",
        19: "MK SI",
        20: "AT BA EE KZ LT LU XK MN",
        21: "CH CR HR LI LV",
        22: "BG BH DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM TL SO",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}
_IBAN_OF_COUNTRY: Final = {
    country: re.compile(rf"[A-Za-z]{{2}}(?:[ +-]?[A-Za-z0-9]){{{length - 2}}}(?![A-Za-z0-9])")
    for country, length in _IBAN_LENGTHS.items()
}


def passes_luhn(digits: str) -> bool:
    """Tell whether the last digit is the check digit of those before it."""
    total = sum(map(int, digits[-1::-2])) + sum(_DOUBLED[int(digit)] for digit in digits[-2::-2])
    return total % 10 == 0


def is_card_number(digits: str) -> bool:
    """Tell whether digits are a card's number, by its issuer, its length and its check digit."""
    return len(digits) in _CARD_LENGTHS and _CARD.fullmatch(digits) is not None and passes_luhn(digits)


def card_numbers(text: str) -> Iterator[Span]:
    """Find the card numbers in a text."""
    for run in _DIGITS.finditer(text):
        groups = [match.span() for match in _GROUP.finditer(text, *run.span())]
        first = 0
        while first < len(groups):
            last = _last_group(text, groups, first)
            if last is not None:
                yield groups[first][0], groups[last][1]
                first = last
            first += 1


def _last_group(text: str, groups: list[Span], first: int) -> int | None:
    """Give the group with which a card number ends that begins with the group `first`."""
    digits = ""
    if groups[first][1] - groups[first][0] < _SHORTEST_FIRST_GROUP:
        return None
    for last in range(first, len(groups)):
        digits += text[slice(*groups[last])]
        if len(digits) >= _CARD_LENGTHS.stop:
            return None
        if is_card_number(digits):
            return last
    return None


def ibans(text: str) -> Iterator[Span]:
    """Find the bank account numbers in a text, written in one piece or in groups."""
    for match in _IBAN_START.finditer(text):
        pattern = _IBAN_OF_COUNTRY.get(match[0][:2].upper())
        number = None if pattern is None else pattern.match(text, match.start())
        if number is not None and _passes_mod_97(number[0]):
            yield number.span()


def _passes_mod_97(text: str) -> bool:
    characters = _SEPARATORS.sub("", text).upper()
    return int("".join(str(int(c, 36)) for c in characters[4:] + characters[:4])) % 97 == 1
