"""One masking of one value: its rules, how deep it is inside other structures, and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from .rules import Rules
from .spans import NamedSpan
from .work import TooMuchWork, Work

# JSON in a form in a URL in JSON ... : what is inside more structures than these is hidden whole.
_MOST_LEVELS: Final = 8
_MOST_ROUNDS: Final = 4
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was hidden: by which rule, and what it was."""

    rule: str
    hidden: str


@dataclass(frozen=True, slots=True)
class Hiding:
    """What every part of the masking is given beside the text."""

    rules: Rules
    mask: Callable[[str, Hiding], str]
    """Masks a text whose structure is not known: how one structure reaches those inside it."""
    level: int = 0
    findings: list[Finding] | None = None
    """Where findings go, if anybody asks for them; they hold secrets."""
    work: Work | None = None
    """What is left of the work on the value; None before there is one."""

    @property
    def replacement(self) -> str:
        return self.rules.replacement

    def is_secret(self, key: str) -> bool:
        return self.rules.keys.has(key)

    def names_secret(self, text: str) -> bool:
        """Tell whether a text that stands for a value is the name of what its neighbour holds."""
        if len(text) > _LONGEST_NAME or (self.replacement and self.replacement in text):
            return False
        return self.is_secret(text)

    def is_count(self, key: str, value: str) -> bool:
        return self.rules.keys.is_count(key, value)

    def hide(self, rule: str, hidden: str) -> str:
        """Give what is stored in place of `hidden`."""
        if self.findings is not None and hidden != self.rules.replacement:
            self.findings.append(Finding(rule, hidden))
        return self.rules.replacement

    def hide_spans(self, text: str, spans: Iterable[NamedSpan]) -> str:
        """Hide parts of a text, in the order of their starts; of two that overlap the first one counts."""
        kept: list[str] = []
        position = 0
        for rule, start, end in spans:
            if position <= start < end:
                kept += (text[position:start], self.hide(rule, text[start:end]))
                position = end
        return "".join((*kept, text[position:])) if kept else text

    def count_of_findings(self) -> int:
        return 0 if self.findings is None else len(self.findings)

    def forget_findings(self, count: int) -> None:
        """Forget what was found behind the first `count` findings: the reading that found it was given up."""
        if self.findings is not None:
            del self.findings[count:]

    def whole(self, value: str, mask: Callable[[str, Hiding], str]) -> str:
        """Mask a value as `mask` does until nothing changes, within the bound on its work."""
        return self.bounded(value, lambda value, hiding: settled(value, lambda text: mask(text, hiding)))

    def bounded(self, value: str, mask: Callable[[str, Hiding], str]) -> str:
        """Mask a value as `mask` does; one that costs too much is hidden whole."""
        count = self.count_of_findings()
        try:
            return mask(value, Hiding(self.rules, self.mask, self.level, self.findings, Work(len(value))))
        except TooMuchWork:
            self.forget_findings(count)
            return self.hide("too much work", value)

    def inner(self, text: str) -> str:
        """Mask a text that stood inside a structure."""
        if not text or text == self.rules.replacement:
            return text
        if self.level >= _MOST_LEVELS:
            return self.hide("nested too deep", text)
        work = self.work
        if work is None:
            # It is a value by itself.
            return self.bounded(text, lambda text, hiding: hiding.inner(text))
        level = self.level + 1
        if work.is_settled(text, level):
            return text
        deeper = Hiding(self.rules, self.mask, level, self.findings, work)
        for _ in range(_MOST_ROUNDS):
            work.spend(len(text))
            masked = self.mask(text, deeper)
            if masked == text:
                work.note_settled(text, level)
                break
            text = masked
        return text


def settled(text: str, mask: Callable[[str], str]) -> str:
    """Mask until nothing changes, a few times at most: what was hidden can have stood in the way of its neighbour."""
    for _ in range(_MOST_ROUNDS):
        masked = mask(text)
        if masked == text:
            break
        text = masked
    return text
