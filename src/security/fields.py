"""How each field of a record is stored: what masks it, and how long it may be.

A record's dataclass gives each field one of these (`stored(...)`); the recorder, the models and the mappings read them
there, so what holds for a field is said once.
"""

from __future__ import annotations

import dataclasses
import json
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from django.core.serializers.json import DjangoJSONEncoder

from security.body import Body, capture_bound, media_type, stored_body
from security.config import settings
from security.masking import mask_body, mask_data, mask_host, mask_members, mask_path, mask_text, mask_words
from security.truncation import ELLIPSIS, fit_mapping, fit_text, fits, without_cut_end

_METADATA_KEY: Final = "security"
_SETTLED_KEY: Final = "security_settled"
# How many times the length that is stored is looked at of a traceback.
_LONGEST_TRACEBACK: Final = 20
# MariaDB refuses JSON that is nested deeper than 32.
_DEEPEST_DATA: Final = 30


class StoredAs(ABC):
    """How the value of a field becomes what is stored."""

    keeps_none: ClassVar[bool] = False
    """Whether None stays None; then `clean` is not asked."""

    @abstractmethod
    def clean(self, value: Any) -> Any:
        """Mask a value and make it fit."""

    def mask_stored(self, name: str, values: Mapping[str, Any]) -> Any:
        """Mask the value of the field `name` of an entry that is stored already."""
        value = values.get(name)
        return value if not value else self.clean(value)

    def when_masking_fails(self) -> Any:
        """Give what is stored in place of a value that could not be masked."""
        return settings.SENSITIVE_DATA_REPLACEMENT


class Plain(StoredAs):
    """A value with no text from outside in it: an id, a number, a time, a state."""

    def clean(self, value: Any) -> Any:
        return value


@dataclass(frozen=True, slots=True)
class Name(StoredAs):
    """A text of the site's own or of a protocol, such as a method: cut, but not masked."""

    keeps_none = True

    max_length: int

    def clean(self, value: str) -> str:
        return fit_text(str(value), self.max_length)


@dataclass(frozen=True, slots=True)
class Text(StoredAs):
    """A text from outside: masked, then cut."""

    keeps_none = True

    max_length: int

    def clean(self, value: str) -> str:
        text = str(value)
        # A secret that begins inside what is stored is masked as far as this window reaches, and cut after that.
        window = 2 * self.max_length
        masked = self.mask(text[:window])
        return fit_text(masked if len(text) <= window else without_cut_end(masked), self.max_length)

    def mask(self, text: str) -> str:
        return mask_text(text)


class UrlPath(Text):
    """The path of an address: masked segment by segment, then cut."""

    __slots__ = ()

    def mask(self, text: str) -> str:
        return mask_path(text)


class CommandLine(Text):
    """The words of a command line: masked word by word and as a text, then cut."""

    __slots__ = ()

    def clean(self, value: Sequence[str] | str) -> str:
        # A text is what was stored once; no longer one was.
        words = value if not isinstance(value, str) else _split(value) if len(value) <= self.max_length else None
        if words is None:
            return super().clean(str(value))
        seen: list[str] = []
        room = 2 * self.max_length
        for word in words:
            if room <= 0:
                break
            seen.append(word[:room])
            room -= len(word) + 1
        masked = mask_words(seen)
        # What was stored as a text stays as it was written.
        line = value if isinstance(value, str) and masked == words else _joined(masked)
        text = mask_text(line)
        return fit_text(text if room > 0 else without_cut_end(text), self.max_length)


def _split(line: str) -> list[str] | None:
    try:
        return shlex.split(line)
    except ValueError:
        # It was cut inside quotes.
        return None


def _joined(words: Sequence[str]) -> str:
    """Quote words as a shell needs them; a replacement that a shell takes for one word needs no quotes."""
    replacement = settings.SENSITIVE_DATA_REPLACEMENT
    if _split(replacement) != [replacement]:
        return shlex.join(words)
    return " ".join(word if _is_bare(word.replace(replacement, "x")) else shlex.quote(word) for word in words)


def _is_bare(word: str) -> bool:
    return shlex.quote(word) == word


@dataclass(frozen=True, slots=True)
class Traceback(StoredAs):
    """A text whose end says the most: masked, then cut in the middle."""

    keeps_none = True

    max_length: int

    def clean(self, value: str) -> str:
        value = str(value)
        head = self.max_length // 4
        if len(value) > _LONGEST_TRACEBACK * self.max_length:
            # More is not looked at, and what is not looked at is not stored: the end may be that of a secret.
            first = without_cut_end(mask_text(value[: 2 * self.max_length]))
            return fit_text(first, self.max_length)
        text = fit_text(mask_text(value), None)
        rest = self.max_length - head - 1
        return text if len(text) <= self.max_length else text[:head] + ELLIPSIS + text[-rest:]


class Host(Text):
    """The host of an address, which may come with user and password."""

    __slots__ = ()

    def mask(self, text: str) -> str:
        return mask_host(text)


@dataclass(frozen=True, slots=True)
class BodyText(StoredAs):
    """A message body; how long it may be is a setting of the site."""

    limit: Callable[[], int | None]

    def clean(self, value: Body | str) -> str:
        if not value:
            return ""
        limit = self.limit()
        if isinstance(value, Body):
            return value.stored(limit)
        text, bound = str(value), capture_bound(limit)
        is_whole = bound is None or len(text) <= bound
        return stored_body(text[:bound], media_type(""), limit, is_whole=is_whole)

    def mask_stored(self, name: str, values: Mapping[str, Any]) -> str:
        # What was cut as the setting said then is not cut again.
        headers = values.get(name.replace("_body", "_headers")) or {}
        content_type = next((str(value) for key, value in headers.items() if key.lower() == "content-type"), "")
        return fit_text(mask_body(values.get(name) or "", media_type(content_type).name), None)


@dataclass(frozen=True, slots=True)
class Members(StoredAs):
    """Headers or queries: names with their values."""

    group: Literal["HEADERS", "QUERIES"]
    max_length: int

    def clean(self, value: Mapping[str, str | list[str]]) -> dict[str, str | list[str]]:
        if not value:
            return {}
        if fits(value, self.max_length):
            masked = mask_members(value, self.group)
            # What fitted and is the same fits.
            return masked if masked == value else fit_mapping(masked, self.max_length)
        room = 2 * self.max_length
        seen: dict[str, str | list[str]] = {}
        for name, held in value.items():
            rest = room - len(name) - (len(held) if isinstance(held, str) else sum(map(len, held)) + len(held))
            if rest < 0:
                break
            seen[name], room = held, rest
        masked = mask_members(seen, self.group)
        if len(seen) < len(value):
            # What reaches over the window is masked as far as that, and its end is dropped.
            cut = _beginning(name, held, room)
            for shown, held in mask_members(cut, self.group).items():
                masked[shown] = without_cut_end(held) if isinstance(held, str) else [*map(without_cut_end, held)]
            return fit_mapping(masked, self.max_length, more=len(value) - len(seen) - len(cut))
        return fit_mapping(masked, self.max_length)

    def when_masking_fails(self) -> Any:
        return {}


@dataclass(frozen=True, slots=True)
class Data(StoredAs):
    """Any data of the site's own that JSON can hold; what it cannot hold is stored as text."""

    max_length: int

    def clean(self, value: Any) -> Any:
        if not value:
            return value
        text = json.dumps(value, cls=_Encoder, skipkeys=True)
        if len(text) > 8 * self.max_length:
            # Six characters of an escape are one that is stored; more than this is too long whatever is hidden of it.
            return {ELLIPSIS: f"{len(text)} characters, too long to store"}
        cleaned = self._clean_texts(mask_data(json.loads(text)), _DEEPEST_DATA)
        length = len(json.dumps(cleaned, ensure_ascii=False))
        return cleaned if length <= self.max_length else {ELLIPSIS: f"{length} characters, too long to store"}

    def _clean_texts(self, value: Any, depth: int) -> Any:
        if isinstance(value, str):
            return fit_text(value, None)
        if isinstance(value, (list, dict)) and depth == 0:
            return ELLIPSIS
        if isinstance(value, list):
            return [self._clean_texts(item, depth - 1) for item in value]
        if isinstance(value, dict):
            return {fit_text(name, None): self._clean_texts(item, depth - 1) for name, item in value.items()}
        # JSON has neither, and databases refuse them.
        return str(value) if value in (float("inf"), float("-inf")) or value != value else value

    def when_masking_fails(self) -> Any:
        return {}


def _beginning(name: str, value: str | list[str], room: int) -> dict[str, str | list[str]]:
    room -= len(name)
    if room <= 0:
        return {}
    if isinstance(value, str):
        return {name: value[:room]}
    kept = []
    for item in value:
        if room <= 0:
            break
        kept.append(item[:room])
        room -= len(item) + 1
    return {name: kept}


class _Encoder(DjangoJSONEncoder):
    def default(self, o: Any) -> Any:
        try:
            return super().default(o)
        except TypeError:
            return str(o)


def stored(
    how: StoredAs, *, default: Any = None, default_factory: Callable[[], Any] | None = None, settled: bool = False
) -> Any:
    """Declare a field of a record that is stored; a `settled` one is what it is in the first entry for good.

    What is settled is masked and written once, however many entries follow.
    """
    metadata = {_METADATA_KEY: how, _SETTLED_KEY: settled}
    if default_factory is not None:
        return dataclasses.field(default_factory=default_factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def stored_fields(record_type: type[Any]) -> dict[str, StoredAs]:
    """Give the stored fields of a record type, in their order."""
    return {
        field.name: field.metadata[_METADATA_KEY]
        for field in dataclasses.fields(record_type)
        if _METADATA_KEY in field.metadata
    }


def settled_fields(record_type: type[Any]) -> frozenset[str]:
    """Give the names of the stored fields of a record type that no later entry changes."""
    return frozenset(field.name for field in dataclasses.fields(record_type) if field.metadata.get(_SETTLED_KEY))
