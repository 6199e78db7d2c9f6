"""What secrets travel in: each carrier makes, of a name and a secret, a body of a content type, or a text."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode
from xml.sax.saxutils import escape, quoteattr

Carrier = Callable[[str, str], str]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
XML = "text/xml"
HTML = "text/html"
CSV = "text/csv"
PLAIN = "text/plain"


def escaped(text: str) -> str:
    """Write each character as JSON's \\uXXXX."""
    return "".join(f"\\u{ord(c):04x}" for c in text)


def part(name: str, content: str, more: str = "") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n'


# For any name and any secret.
BODIES: dict[str, tuple[str, Carrier]] = {
    "json": (JSON, lambda n, s: json.dumps({"user": "ann", n: s, "count": 3})),
    "json, not ASCII": (JSON, lambda n, s: json.dumps({n: s, "after": "x"}, ensure_ascii=False)),
    "json, indented": (JSON, lambda n, s: json.dumps({"a": [{"b": {n: s}}]}, indent=2)),
    "json, name escaped": (JSON, lambda n, s: f'{{"{escaped(n)}" : {json.dumps(s)}}}'),
    "json, all escaped": (JSON, lambda n, s: f'{{"{escaped(n)}":"{escaped(s)}"}}'),
    "json, in a list": (JSON, lambda n, s: json.dumps({n: [1, s, None]})),
    "json, in an object": (JSON, lambda n, s: json.dumps({n: {"x": {"y": s}, "z": "}"}, "after": 1})),
    "json, repeated": (JSON, lambda n, s: f'{{{json.dumps(n)}: "a", {json.dumps(n)}: {json.dumps(s)}}}'),
    "json in a string": (JSON, lambda n, s: json.dumps({"payload": json.dumps({n: s})})),
    "json in a string in a string": (JSON, lambda n, s: json.dumps({"p": json.dumps({"q": json.dumps({n: s})})})),
    "json lines": (JSON, lambda n, s: json.dumps({"a": 1}) + "\n" + json.dumps({n: s}) + "\n"),
    "json, cut in the value": (JSON, lambda n, s: json.dumps({"a": 1, n: s})[:-4]),
    "json, cut behind the value": (JSON, lambda n, s: json.dumps({"a": 1, n: s})[:-1]),
    "json, cut in a list": (JSON, lambda n, s: json.dumps({n: ["x", s, "y"]})[:-6]),
    "json, name and value": (JSON, lambda n, s: json.dumps({"fields": [{"name": n, "value": s}]})),
    "json, value and key": (JSON, lambda n, s: json.dumps([{"value": s, "key": n}, {"value": "v", "key": "k"}])),
    "json, couples": (JSON, lambda n, s: json.dumps({"headers": [["a", "b"], [n, s]]})),
    "json, form in a string": (JSON, lambda n, s: json.dumps({"body": "a=1&" + urlencode({n: s})})),
    "json, address in a string": (JSON, lambda n, s: json.dumps({"url": "https://h.example/?" + urlencode({n: s})})),
    "json, XML in a string": (JSON, lambda n, s: json.dumps({"xml": f"<r><p name={quoteattr(n)}>{escape(s)}</p></r>"})),
    "json in apostrophes": (JSON, lambda n, s: repr({"user": "ann", n: s, "count": 3})),
    "json with a comma too many": (JSON, lambda n, s: json.dumps({"a": 1, n: s})[:-1] + ",}"),
    "json with a comment": (JSON, lambda n, s: '{// "quoted\n' + json.dumps(n) + ": " + json.dumps(s) + "}"),
    "json as a call": (JSON, lambda n, s: f"cb({json.dumps({n: s})});"),
    "json with a mark": (JSON, lambda n, s: "\ufeff" + json.dumps({n: s})),
    "json, said to be a form": (FORM, lambda n, s: json.dumps({n: s})),
    "json, said to be HTML": (HTML, lambda n, s: json.dumps({n: s})),
    "form": (FORM, lambda n, s: urlencode({"a": "1", n: s, "b": "2"})),
    "form, name encoded": (FORM, lambda n, s: "".join(f"%{c:02X}" for c in n.encode()) + "=" + quote(s)),
    "form, all encoded": (FORM, lambda n, s: "x=1&" + quote(n) + "=" + "".join(f"%{c:02x}" for c in s.encode())),
    "form, array": (FORM, lambda n, s: urlencode({f"{n}[]": s})),
    "form, nested": (FORM, lambda n, s: urlencode({f"user[{n}]": s})),
    "form, of a formset": (FORM, lambda n, s: urlencode({f"form-0-{n}": s})),
    "form, repeated": (FORM, lambda n, s: urlencode([(n, "x"), (n, s)])),
    "form with JSON": (FORM, lambda n, s: urlencode({"data": json.dumps({n: s})})),
    "form with an address": (FORM, lambda n, s: urlencode({"next": "/a?" + urlencode({n: s})})),
    "form with a form twice": (FORM, lambda n, s: urlencode({"n": "/?" + urlencode({"m": "/?" + urlencode({n: s})})})),
    "form, said to be JSON": (JSON, lambda n, s: urlencode({"a": "1", n: s})),
    "multipart": (MULTIPART, lambda n, s: part("a", "1") + part(n, s) + "--b--\r\n"),
    "multipart, cut": (MULTIPART, lambda n, s: part("a", "1") + part(n, s)[:-2]),
    "multipart, file": (MULTIPART, lambda n, s: part(n, s, '; filename="x.txt"\r\nContent-Type: text/plain') + "--b--"),
    "multipart with JSON": (MULTIPART, lambda n, s: part("j", json.dumps({n: s})) + "--b--\r\n"),
    "multipart with line feeds": (MULTIPART, lambda n, s: (part(n, s) + "--b--").replace("\r\n", "\n")),
    "xml, value of a named element": (XML, lambda n, s: f"<r><field name={quoteattr(n)}>{escape(s)}</field></r>"),
    "xml, attribute of a named element": (XML, lambda n, s: f"<r><add key={quoteattr(n)} value={quoteattr(s)}/></r>"),
    "xml-rpc": (
        XML,
        lambda n, s: f"<member><name>{escape(n)}</name><value><string>{escape(s)}</string></value></member>",
    ),
    "plist": (XML, lambda n, s: f"<dict><key>{escape(n)}</key><string>{escape(s)}</string></dict>"),
    "xml with JSON": (XML, lambda n, s: f"<r><j><![CDATA[{json.dumps({n: s})}]]></j></r>"),
    "html input": (HTML, lambda n, s: f"<form><input name={quoteattr(n)} value={quoteattr(s)}></form>"),
    "html input, other order": (HTML, lambda n, s: f"<input value={quoteattr(s)} type=hidden name='{n}'>"),
    "html input, cut": (HTML, lambda n, s: f"<input name={quoteattr(n)} value={quoteattr(s)}"),
    "html text area": (HTML, lambda n, s: f"<textarea name={quoteattr(n)}>{escape(s)}</textarea>"),
    "html meta": (HTML, lambda n, s: f"<meta name={quoteattr(n)} content={quoteattr(s)}>"),
    "html list of definitions": (HTML, lambda n, s: f"<dl><dt>{escape(n)}</dt><dd>{escape(s)}</dd></dl>"),
    "html row": (HTML, lambda n, s: f"<tr><th>{escape(n)}</th><td><b>{escape(s)}</b></td></tr>"),
    "html script": (HTML, lambda n, s: f"<script>var config = {json.dumps({n: s})};</script>"),
    "html link": (HTML, lambda n, s: f'<a href="/x?{escape(urlencode({"a": 1, n: s}))}">x</a>'),
    "csv": (CSV, lambda n, s: f'name,{n},note\r\nbob,"{s}",x\r\n'),
    "csv with semicolons": (CSV, lambda n, s: f"a;{n}\n1;x\n2;{s}\n"),
    "csv of a spreadsheet": (CSV, lambda n, s: f"sep=;\r\na;{n}\r\n1;{s}\r\n"),
    "csv, cut": (CSV, lambda n, s: f'name,{n}\nbob,"{s}'),
    "python": (PLAIN, lambda n, s: f"got { ({n: s, 'x': 1})!r} instead"),
    "python bytes": (PLAIN, lambda n, s: f"body was {json.dumps({n: s}).encode()!r}"),
    "python, couples": (PLAIN, lambda n, s: repr([("a", "b"), (n, s)])),
    "graphql": (JSON, lambda n, s: json.dumps({"query": f'mutation {{ f(a: "b", {n}: "{s}") {{ id }} }}'})),
    "yaml block": (PLAIN, lambda n, s: f"user: ann\nx:\n  {n}: |\n    one\n    {s}\n  last: 1\n"),
    "yaml list": (PLAIN, lambda n, s: f"user: ann\n{n}:\n  - {s}\nlast: 1\n"),
    "full-width": (PLAIN, lambda n, s: f"user\uff1aann {n}\uff1a{s}"),
    "key of a database": (PLAIN, lambda n, s: f"DETAIL:  Key ({n})=({s}) already exists."),
    "escaped twice": (PLAIN, lambda n, s: "log: " + json.dumps(json.dumps({n: s}))),
    "yaml": (PLAIN, lambda n, s: f"user: ann\n{n}: {s}\nlast: 1\n"),
    "ini": (PLAIN, lambda n, s: f"[db]\n{n} = {s}\nhost = h\n"),
    "query in a text": (PLAIN, lambda n, s: f"GET https://h.example/?a=1&{urlencode({n: s})} failed"),
}

# For names and secrets of letters, numbers and few signs.
PLAIN_BODIES: dict[str, tuple[str, Carrier]] = {
    "xml element": (XML, lambda n, s: f"<?xml version='1.0'?><r><a>1</a><{n}>{s}</{n}></r>"),
    "xml element, name spaces": (XML, lambda n, s: f'<x:r xmlns:x="urn:x"><x:{n} x:t="1">{s}</x:{n} ></x:r>'),
    "xml element, not ASCII": (XML, lambda n, s: f"<r><пароль>{s}</пароль><{n}>x</{n}></r>"),
    "xml element, CDATA": (XML, lambda n, s: f"<r><{n}><![CDATA[{s}]]></{n}></r>"),
    "xml element, references": (XML, lambda n, s: f"<r><{n}>{''.join(f'&#{ord(c)};' for c in s)}</{n}></r>"),
    "xml element, inside": (XML, lambda n, s: f"<r><{n}><v><w>{s}</w></v></{n}></r>"),
    "xml element, cut": (XML, lambda n, s: f"<r><{n}>{s}"),
    "xml attribute": (XML, lambda n, s: f'<r a="1" {n}="{s}"/>'),
    "xml attribute, references": (XML, lambda n, s: f"<r {n}='{''.join(f'&#x{ord(c):x};' for c in s)}'/>"),
    "xml attribute, cut": (XML, lambda n, s: f'<r {n}="{s}'),
    "xml entity": (XML, lambda n, s: f'<!DOCTYPE r [<!ENTITY x "{s}">]><r><{n}>&x;</{n}></r>'),
    "xml comment": (XML, lambda n, s: f"<r><!-- {n}={s} --></r>"),
    "xml in XML": (XML, lambda n, s: f"<r><x>&lt;{n}&gt;{s}&lt;/{n}&gt;</x></r>"),
    "html data": (HTML, lambda n, s: f"<div data-{n}={s} class=x>y</div>"),
    "json without quotes": (JSON, lambda n, s: f"{{{n}: {s}, x: 1}}"),
    "couples of bytes": (PLAIN, lambda n, s: repr([(b"a", b"b"), (n.encode(), s.encode())])),
    "environment": (PLAIN, lambda n, s: f"HOME=/x {n}={s} PATH=/y run"),
    "option": (PLAIN, lambda n, s: f"run --{n} {s} --verbose"),
    "option with an equals sign": (PLAIN, lambda n, s: f"run --{n}={s} --verbose"),
    "option in a list": (PLAIN, lambda n, s: repr(["run", f"--{n}", s, "--verbose"])),
    "arguments in JSON": (JSON, lambda n, s: json.dumps({"argv": ["run", f"--{n}", s, "-v"]})),
    "options in JSON": (JSON, lambda n, s: json.dumps({"command": f"run --{n} {s}"})),
    "arrow": (PLAIN, lambda n, s: f"{{{n} => {s}}}"),
    "call": (PLAIN, lambda n, s: f"connect(host='h', {n}='{s}', port=1)"),
    "assignment": (PLAIN, lambda n, s: f"  {n} = '{s}'\n  x = 1"),
    "headers": (PLAIN, lambda n, s: f"GET / HTTP/1.1\r\nHost: h\r\nX-{n}: {s}\r\n\r\n"),
    "encoded query": (PLAIN, lambda n, s: f"redirect to /login?next=%2Fa%3F{n}%3D{s}%26b done"),
}

# Secrets without a name, or under one that says nothing.
LOOSE: dict[str, tuple[str, Callable[[str], str]]] = {
    "json": (JSON, lambda s: json.dumps({"note": s, "after": 1})),
    "json in words": (JSON, lambda s: json.dumps({"note": f"see {s}, thanks"})),
    "json escaped": (JSON, lambda s: f'{{"note": "{escaped(s)}"}}'),
    "json in a string": (JSON, lambda s: json.dumps({"p": json.dumps(["x", s])})),
    "json name": (JSON, lambda s: json.dumps({s: 1})),
    "json cut": (JSON, lambda s: json.dumps({"note": s})[:-1]),
    "form": (FORM, lambda s: urlencode({"note": s, "after": "1"})),
    "form with JSON": (FORM, lambda s: urlencode({"note": json.dumps({"x": s})})),
    "multipart": (MULTIPART, lambda s: part("note", s) + "--b--\r\n"),
    "xml": (XML, lambda s: f"<r><note>{escape(s)}</note></r>"),
    "xml attribute": (XML, lambda s: f"<r note={quoteattr(s)}/>"),
    "xml section": (XML, lambda s: f"<r><![CDATA[{s}]]></r>"),
    "html": (HTML, lambda s: f"<p>{s}</p>"),
    "csv": (CSV, lambda s: f'name,note\nbob,"{s}"\n'),
    "text": (PLAIN, lambda s: f"it was {s} that failed"),
    "python": (PLAIN, lambda s: f"ValueError: {s!r} is wrong"),
}

# Texts that hold a user's password, or a token, in a form of their own.
CREDENTIALS: dict[str, Callable[[str], str]] = {
    "bearer": lambda s: f"sent Authorization: Bearer {s} to it",
    "bearer alone": lambda s: f"with bearer {s}",
    "basic": lambda s: "Authorization: Basic " + base64.b64encode(f"ann:{s}".encode()).decode(),
    "basic alone": lambda s: f"used Basic {base64.b64encode(f'ann:{s}'.encode()).decode()} there",
    "address": lambda s: f"cannot reach https://ann:{quote(s)}@h.example/x",
    "address of a database": lambda s: f"postgresql://ann:{quote_plus(s)}@db:5432/x refused",
    "signed for AWS": lambda s: f"https://b.s3.amazonaws.com/x?X-Amz-Date=1&X-Amz-Signature={quote(s)}",
    "signed for Azure": lambda s: f"https://a.blob.core.windows.net/x?sv=1&sig={quote(s)}&se=2",
    "curl": lambda s: f"curl -u ann:{quote(s)} https://h.example",
    "cookie": lambda s: f"Cookie: a=1; sid={quote(s)}\r\nHost: h",
    "said": lambda s: f"his password is {quote(s)}!",
}
