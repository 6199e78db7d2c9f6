"""XML, SOAP and HTML, read tag by tag: nothing is parsed into a tree, no entity is expanded, no DTD is followed.

What stays is left byte for byte, and well formed XML stays so. A document that was cut off, and HTML that no parser
would take, are ordinary input.
"""

from __future__ import annotations

import re
from html import escape, unescape
from typing import Final

from . import detectors
from .hiding import Hiding

# A quoted value has its own end; a tag whose end was cut off ends with the text.
_TAG: Final = re.compile(r"<([^\W\d][^\s/>\"'<=]*+)((?:[^<>\"']++|\"[^\"]*+(?:\"|\Z)|'[^']*+(?:'|\Z))*+)(>|\Z|(?=<))")
_END_TAG: Final = re.compile(r"</([^\s>]*+)[^<>]*+(>|\Z|(?=<))")
# The look behind keeps a search from beginning in the middle of a word, and so the work linear.
_ATTRIBUTE: Final = re.compile(
    r"(?<![^\s=\"'<>/])([^\s=\"'<>/]++)(\s*+=\s*+)(?:\"([^\"]*+)\"?|'([^']*+)'?|([^\s\"'<>]++))"
)
_MAY_HAVE_VALUES: Final = re.compile(r"[:{(\[,'\"]|--")
_NO_LITERAL: Final = r"<!--(?:[^-]++|-(?!->))*+(?:-->)?|<\?(?:[^?]++|\?(?!>))*+(?:\?>)?"
_QUOTED_LITERALS: Final = r"\"[^\"]*+\"|'[^']*+'"
_DECLARATION: Final = re.compile(rf"<!(?:[^<>\"'\[]++|{_QUOTED_LITERALS})*+(?=[>\[])")
_SUBSET: Final = re.compile(rf"\[(?:[^]<\"']++|{_NO_LITERAL}|{_QUOTED_LITERALS}|<)*+(?=])")
_LITERAL: Final = re.compile(rf"{_NO_LITERAL}|\"([^\"]*+)(?:\"|\Z)|'([^']*+)(?:'|\Z)")
# Of HTML: they have no end tag.
_EMPTY: Final = frozenset(
    ("input", "meta", "br", "img", "link", "hr", "area", "base", "col", "embed", "source", "track")
)
# Attributes that name what the element holds, and those that then hold it.
_NAMING: Final = frozenset(
    ("name", "key", "k", "type", "property", "itemprop", "http-equiv", "field", "param", "header")
)
# Those that say so of what a person fills in only
_NAMING_INPUTS: Final = frozenset(("id", "autocomplete", "placeholder", "aria-label"))
_HOLDING: Final = frozenset(("value", "content", "data-value", "v", "val", "default", "text"))
# These have a name and hold much else.
_NOT_NAMED: Final = frozenset(
    ("form", "fieldset", "a", "iframe", "frame", "map", "object", "slot", "label", "section", "div", "html", "body")
)
# Between a label and its value: <b>Password:</b> <td>x</td>
_INSIDE_LINE: Final = frozenset(
    ("b", "strong", "i", "em", "u", "span", "font", "code", "tt", "kbd", "small", "br", "td", "th", "dd", "div")
)
_LONGEST_LABEL: Final = 60
_DIGIT: Final = re.compile(r"[0-9]")
# <key>password</key><string>...</string>, <name>password</name><value>...</value>
_NAMING_ELEMENTS: Final = frozenset(("key", "name", "field", "param", "paramname", "property", "header"))
# <dt>Password</dt><dd>...</dd>; the cell behind the head of a column is the head of another one.
_NAMED_BY: Final = {"dt": "dd", "th": "td"}


def looks_like_xml(text: str) -> bool:
    start = text[:64].lstrip("\ufeff \t\r\n")
    return start[:1] == "<" and (start[1:2].isalpha() or start[1:2] in ("?", "!", "_", "/"))


def mask_xml(text: str, hiding: Hiding) -> str | None:
    """Hide what secret elements and attributes hold, and what is secret in other text; None where there are no tags."""
    lowered = text.lower()
    has_codes = any(sign in lowered for sign in ("&", "%", "\\", "<!entity"))
    if not (has_codes or hiding.rules.keys.may_be_in(lowered) or detectors.may_find(text, lowered)):
        return text
    return _Document(text, hiding).masked()


def _local(name: str) -> str:
    return name.rpartition(":")[2]


class _Document:
    def __init__(self, text: str, hiding: Hiding) -> None:
        self.text = text
        self.hiding = hiding
        self.replacement = escape(hiding.replacement)
        self.kept: list[str] = []
        self.copied = 0
        self.tags = 0
        # The element that is hidden: its name, how often it is open in itself, where its content began.
        self.hidden = ""
        self.depth = 0
        self.began = 0
        self.why = ""
        self.name_of_hidden = ""
        self.name_of_next = ""
        self.naming_element = ""
        self.label = ""
        self.element = ""
        # Where no further end of a comment, a CDATA section or an instruction comes, none is looked for.
        self.missing: set[str] = set()

    def put(self, start: int, end: int, replacement: str) -> None:
        self.kept += (self.text[self.copied : start], replacement)
        self.copied = end

    def masked(self) -> str | None:
        text = self.text
        position, count = 0, self.hiding.count_of_findings()
        while position < len(text):
            mark = text.find("<", position)
            end = len(text) if mark < 0 else mark
            if end > position and not self.hidden:
                self.take_text(position, end)
            if mark < 0:
                break
            position = self.take_markup(mark)
        if self.hidden:
            self.hide_content(len(text))
        if not self.tags:
            self.hiding.forget_findings(count)
            return None
        return "".join((*self.kept, text[self.copied :])) if self.kept else text

    def take_markup(self, start: int) -> int:
        text = self.text
        if text.startswith("<!--", start):
            return self.take_section(start, 4, "-->")
        if text.startswith("<![CDATA[", start):
            return self.take_section(start, 9, "]]>")
        if text.startswith("<?", start):
            return self.take_section(start, 2, "?>")
        if text.startswith("<!", start):
            return self.take_declaration(start)
        if text.startswith("</", start):
            match = _END_TAG.match(text, start)
            if match is not None:
                self.close(_local(match[1]).lower(), start)
                return max(match.end(), start + 2)
        match = _TAG.match(text, start)
        if match is None:
            return start + 1
        self.tags += 1
        self.open(match)
        return match.end()

    def take_section(self, start: int, length: int, closer: str) -> int:
        begin = start + length
        end = -1 if closer in self.missing else self.text.find(closer, begin)
        if end < 0:
            self.missing.add(closer)
            end = len(self.text)
            if not self.tags:
                # Nothing follows, so there is no tag, and what would be found here is given up.
                return end
        else:
            self.tags += 1
        if not self.hidden:
            content = self.text[begin:end]
            if self.name_of_next == "" and closer == "]]>":
                self.note_name(content)
            masked = self.hiding.inner(content)
            if masked != content:
                self.put(begin, end, masked.replace(closer, ""))
        return min(end + len(closer), len(self.text))

    def take_declaration(self, start: int) -> int:
        """Pass over a document type; the texts of the entities that it declares are hidden, as they are never used."""
        text = self.text
        self.tags += 1
        declaration = _DECLARATION.match(text, start)
        end = self.end_of(">", start) if declaration is None else declaration.end()
        if text[start + 2 : start + 8].upper() == "ENTITY":
            self.hide_literals(start, end)
        elif not self.hidden:
            self.mask_literals(start, end)
        if text[end : end + 1] == "[":
            # A document has one. Where its end is not found, each declaration is read by itself.
            subset = None if "subset" in self.missing else _SUBSET.match(text, end)
            if subset is None:
                self.missing.add("subset")
                return end + 1
            stop = subset.end()
            self.hide_literals(end, stop)
            end = stop + 1 if text[stop + 1 : stop + 2] == ">" else stop
        return min(end + 1, len(text))

    def end_of(self, mark: str, start: int) -> int:
        end = -1 if mark in self.missing else self.text.find(mark, start)
        if end < 0:
            self.missing.add(mark)
            return len(self.text)
        return end

    def mask_literals(self, start: int, end: int) -> None:
        for match in _LITERAL.finditer(self.text, start, end):
            begin, stop = match.span(match.lastindex or 0)
            masked = self.hiding.inner(self.text[begin:stop]) if match.lastindex else self.text[begin:stop]
            if masked != self.text[begin:stop]:
                # References mean nothing in an address; only the quotes are marks.
                self.put(begin, stop, masked.replace('"', "&quot;").replace("'", "&#39;"))

    def hide_literals(self, start: int, end: int) -> None:
        if self.hidden:
            return
        for match in _LITERAL.finditer(self.text, start, end):
            begin, stop = match.span(match.lastindex or 0)
            held = self.text[begin:stop]
            if not match.lastindex:
                # A comment or an instruction; its end may be cut off.
                opener, closer = ("<!--", "-->") if held.startswith("<!--") else ("<?", "?>")
                content = held.removeprefix(opener).removesuffix(closer)
                masked = self.hiding.inner(content)
                if masked != content:
                    begin += len(opener)
                    self.put(begin, begin + len(content), masked.replace(closer[:2], ""))
            elif held and held != self.replacement:
                self.hiding.hide("entity", held)
                self.put(begin, stop, self.replacement)

    def take_text(self, start: int, end: int) -> None:
        raw = self.text[start:end]
        if raw.isspace():
            return
        content = unescape(raw) if "&" in raw else raw
        self.note_name(content)
        masked = self.without_labelled(content)
        masked = self.hiding.inner(content) if masked is None else masked
        if masked == content:
            return
        # Where there were no references, other signs stay as they are.
        has_new_marks = masked.count("<") > raw.count("<") or masked.count("&") > raw.count("&")
        self.put(start, end, escape(masked, quote=False) if has_new_marks or content != raw else masked)

    def without_labelled(self, content: str) -> str | None:
        """Hide the word behind "Password:", in another cell or in bold letters, if it has a digit."""
        stripped = content.strip()
        before, self.label = self.label, ""
        if before and (before.endswith(":") or stripped.startswith(":")):
            value = stripped.lstrip(": ")
            if " " not in value and _DIGIT.search(value) is not None and value != self.hiding.replacement:
                return content.replace(value, self.hiding.hide(f"text {before}", value), 1)
        if len(stripped) < _LONGEST_LABEL and self.hiding.is_secret(stripped):
            self.label = stripped
        return None

    def note_name(self, content: str) -> None:
        if (
            (self.element in _NAMING_ELEMENTS or self.element in _NAMED_BY)
            and len(content) < 200
            and self.hiding.is_secret(content.strip())
        ):
            self.name_of_next, self.naming_element = content.strip(), self.element

    def open(self, match: re.Match[str]) -> None:
        name = _local(match[1]).lower()
        if self.hidden:
            self.depth += name == self.hidden and not match[2].endswith("/")
            return
        self.element = name
        if name not in _INSIDE_LINE:
            self.label = ""
        why, named = self.mask_attributes(match, name), _local(match[1])
        if self.name_of_next and name not in _NAMING_ELEMENTS:
            if name == _NAMED_BY.get(self.naming_element, name):
                why, named = f"element {self.name_of_next}", self.name_of_next
            self.name_of_next = ""
        elif self.hiding.is_secret(_local(match[1])):
            why = f"element {match[1]}"
        if why and name not in _EMPTY and not match[2].endswith("/"):
            self.hidden, self.depth, self.began, self.why = name, 1, match.end(), why
            self.name_of_hidden = named

    def close(self, name: str, start: int) -> None:
        self.element = ""
        if self.hidden and name == self.hidden:
            self.depth -= 1
            if self.depth == 0:
                self.hide_content(start)

    def hide_content(self, end: int) -> None:
        content = self.text[self.began : end]
        self.hidden = ""
        if content.strip() and content != self.replacement and not self.hiding.is_count(self.name_of_hidden, content):
            self.hiding.hide(self.why, content)
            self.put(self.began, end, self.replacement)

    def mask_attributes(self, tag: re.Match[str], element: str) -> str:
        """Mask the attributes of a tag; give why its content is secret, where an attribute says that it is."""
        if not tag[2].strip("/ \t\r\n"):
            return ""
        attributes = list(_ATTRIBUTE.finditer(self.text, tag.start(2), tag.end(2)))
        named = ""
        if element not in _NOT_NAMED:
            for attribute in attributes:
                name = _local(attribute[1]).lower()
                is_naming = name in _NAMING or (name in _NAMING_INPUTS and element in ("input", "textarea"))
                value = _value_of(attribute)
                if is_naming and self.hiding.is_secret(value) and len(value) < 200:
                    named = value
                    break
        # <Cred: password=x> is a tag to look at, and has its values between the attributes.
        secret_element = _local(tag[1]) if self.hiding.is_secret(_local(tag[1])) else ""
        after = tag.start(1) if tag[1].endswith(":") else tag.start(2)
        for attribute in attributes:
            self.mask_between(after, attribute.start())
            self.mask_attribute(attribute, named or secret_element)
            after = attribute.end()
        self.mask_between(after, tag.end(2))
        return f"element named {named}" if named else ""

    def mask_between(self, start: int, end: int) -> None:
        text = self.text[start:end]
        if _MAY_HAVE_VALUES.search(text) is not None:
            masked = self.hiding.inner(text)
            if masked != text:
                self.put(start, end, masked)

    def mask_attribute(self, attribute: re.Match[str], named: str) -> None:
        name = _local(attribute[1])
        value = _value_of(attribute)
        start, end = attribute.span(attribute.lastindex or 0)
        if not value or value == self.hiding.replacement:
            return
        if self.hiding.is_count(name, value):
            return
        if (named and name.lower() in _HOLDING) or self.hiding.is_secret(name):
            self.hiding.hide(f"attribute {name}", value)
            # Without quotes it would end at the first space.
            bare = f'"{self.replacement}"' if attribute.lastindex == 5 else self.replacement
            self.put(start, end, bare)
            return
        masked = self.hiding.inner(value)
        if masked != value:
            escaped = escape(masked)
            self.put(start, end, f'"{escaped}"' if attribute.lastindex == 5 else escaped)


def _value_of(attribute: re.Match[str]) -> str:
    raw = attribute[3] or attribute[4] or attribute[5] or ""
    return unescape(raw) if "&" in raw else raw
