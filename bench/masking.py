"""What masking costs: how its time grows with hostile input, and what a small JSON body costs.

`python -m bench.masking` prints both. A shape is hostile where a careless expression would go over it again and again;
its time at 2.4 MB may be twenty times that at 240 kB at most.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import process_time

from bench.report import Table

SMALL = 240_000
LARGE = 2_400_000
RATIO_BOUND = 20.0
SMALL_JSON_BOUND_MS = 0.1

# The beginning, what is repeated, and the end of a body, with its content type.
SHAPES: dict[str, tuple[str, str, str, str]] = {
    "json: brackets": ("", "[", "", "application/json"),
    "json: backslashes": ('{"password": "', "\\", "", "application/json"),
    "json: escaped quotes": ('{"password": "', '\\"', "", "application/json"),
    "json: quotes": ("", '"', "", "application/json"),
    "json: strings": ("[", '"a=b",', '"a"]', "application/json"),
    "json: secrets": ("[", '{"password":"x1"},', "1]", "application/json"),
    "json: nested secrets": ("", '{"password":[', "", "application/json"),
    "json: names and values": ("", '{"name":"password","value":{', "", "application/json"),
    "json: in strings": ('{"a":"', '{\\"password\\":\\"x\\"}', '"}', "application/json"),
    "json: spaces": ("[", " ", "]", "application/json"),
    "json: digits": ("[", "4", "]", "application/json"),
    "json: a name and spaces": ("{", '"password" ', "}", "application/json"),
    "json: broken": ("{'", "'password': '", "", "application/json"),
    "form: names": ("", "password=&", "", "application/x-www-form-urlencoded"),
    "form: values": ("password=", "password=", "", "application/x-www-form-urlencoded"),
    "form: escapes": ("a=", "%3D%25", "", "application/x-www-form-urlencoded"),
    "form: escapes of escapes": ("a=%", "25", "3Dpassword", "application/x-www-form-urlencoded"),
    "multipart: parts": ("--b\r\n", 'Content-Disposition: form-data; name="password"\r\n', "", "multipart/form-data"),
    "multipart: names": ("--b\r\nContent-Disposition: form-data", "; name=", "", "multipart/form-data"),
    "multipart: boundaries": (
        '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n',
        "\r\n--",
        "",
        "multipart/form-data",
    ),
    "xml: marks": ("<a>", "<", "", "text/xml"),
    "xml: tags": ("<a>", "<password>", "", "text/xml"),
    "xml: comments": ("<a>", "<!--", "", "text/xml"),
    "xml: sections": ("<a>", "<![CDATA[", "", "text/xml"),
    "xml: declarations": ("<a>", "<!DOCTYPE a [", "", "text/xml"),
    "xml: instructions": ("<a>", "<?", "", "text/xml"),
    "xml: quotes": ("<a ", "b=\"'", "", "text/xml"),
    "xml: attributes": ("<a ", 'password="x" ', ">", "text/xml"),
    "xml: one long attribute": ("<a token", "a", "", "text/xml"),
    "xml: end tags": ("<a>", "</a ", "", "text/xml"),
    "xml: references": ("<a>", "&#112;", "</a>", "text/xml"),
    "html: inputs": ("<p>", '<input name="password" value="x">', "", "text/html"),
    "csv: quotes": ("password,a\n", '"', "", "text/csv"),
    "csv: columns": ("password,a\n", ",", "", "text/csv"),
    "text: words": ("", "a", "", "text/plain"),
    "text: separators": ("", "=", "", "text/plain"),
    "text: pairs": ("", "password=x ", "", "text/plain"),
    "text: names": ("", "password ", "", "text/plain"),
    "text: calls": ("", "password=f(", "", "text/plain"),
    "text: calls one by one": ("", "x password=f(a) ", "", "text/plain"),
    "text: header lines without a value": ("", "cookie: none ", "", "text/plain"),
    "text: quotes in values": ("password=", "a'", "", "text/plain"),
    "text: quoted names": ("", "'password': 'x' ", "", "text/plain"),
    "text: quoted names of nothing": ("", "'password': none ", "", "text/plain"),
    "text: quoted names of bare values": ("", "'password': x ", "", "text/plain"),
    "text: open quotes": ("", "password='", "", "text/plain"),
    "text: open brackets": ("", "password={", "", "text/plain"),
    "text: escaped quotes": ("", 'password=\\"', "", "text/plain"),
    "text: options": ("", "--password ", "", "text/plain"),
    "text: hyphens": ("", "-", "", "text/plain"),
    "text: said": ("", "password is ", "", "text/plain"),
    "text: spaces": ("password", " ", "", "text/plain"),
    "text: quoted escapes": ("", "'\\n' ", "", "text/plain"),
    "text: quotes in escapes": ("'", "\\'", "", "text/plain"),
    "text: backslashes": ("password=", "\\", "", "text/plain"),
    "text: documents": ("", '{"a":"token=x"} ', "", "text/plain"),
    "text: comments behind names": ("", "'password' /* ", "", "text/plain"),
    "text: comments behind signs": ("", "password: /* ", "", "text/plain"),
    "text: comments to the end of the line": ("", "password: //", "", "text/plain"),
    "text: ampersands in values": ("password=a", "&b", "", "text/plain"),
    "text: names in emphasis": ("", "password*", "", "text/plain"),
    "text: unseen spaces": ("", "\u200ba", "", "text/plain"),
    "text: angle brackets": ("", "password=<a ", "", "text/plain"),
    "text: angle brackets that are closed": ("", "password=<a1> ", "", "text/plain"),
    "text: parentheses": ("", "password=('", "", "text/plain"),
    "text: tags of YAML": ("", "password: !!a ", "", "text/plain"),
    "text: anchors": ("password: ", "&a ", "", "text/plain"),
    "text: blocks": ("", "password:\n  x\n", "", "text/plain"),
    "text: empty lines in blocks": ("", "password:\n\n", "", "text/plain"),
    "text: deeper lines": ("password:", "\n  x", "", "text/plain"),
    "text: couples": ("", "('password', 'x'), ", "", "text/plain"),
    "text: open couples": ("", "('password', (", "", "text/plain"),
    "text: couples of open texts": ("", "('password', 'x", "", "text/plain"),
    "text: names of neighbours": ("{", "name: password, value: ", "", "text/plain"),
    "text: neighbours": ("{", "value: x", "", "text/plain"),
    "text: PHP": ("", 's:8:"password";s:1:"x', "", "text/plain"),
    "text: arrays of PHP": ("", 's:8:"password";a:1:{', "", "text/plain"),
    "text: sentences": ("", "password is was ", "", "text/plain"),
    "text: sentences on somebody": ("", "password for a b ", "", "text/plain"),
    "text: statements": ("", "identified by '", "", "text/plain"),
    "text: programs": ("", "mysql a", "", "text/plain"),
    "text: programs with options": ("", "mysql -p", "", "text/plain"),
    "text: keys of databases": ("", "Key (token)=(", "", "text/plain"),
    "text: duplicates of databases": ("", "Duplicate entry 'a", "", "text/plain"),
    "text: inserts": ("", "insert into a (token) values (", "", "text/plain"),
    "text: heads of inserts": ("", "insert into a (b ", "", "text/plain"),
    "text: compared columns": ("", "token in (", "", "text/plain"),
    "text: references": ("", "&#112;", "", "text/plain"),
    "text: tables": ("a,token\n", "b,c\n", "", "text/plain"),
    "text: escaped slashes": ("a@", "\\", "", "text/plain"),
    "text: codes": ("", "&code=a", "", "text/plain"),
    "text: failing rows": ("", "failing row contains (", "", "text/plain"),
    "text: hosts without a scheme": ("", "a:b@c:", "", "text/plain"),
    "text: encoded signs": ("", "//a%40", "", "text/plain"),
    "text: digests of passwords": ("", "pbkdf2_sha256$1$a", "", "text/plain"),
    "text: dollars": ("", "$6$a", "", "text/plain"),
    "text: identified by": ("", "identified by '", "", "text/plain"),
    "csv: lines before the head": ("", "#\n", "a,b", "text/csv"),
    "csv: empty rows": ("password,a\n", "\n", "", "text/csv"),
    "csv: heads": ("", "password,a\n\n", "", "text/csv"),
    "csv: titles": ("", "a\n", "", "text/csv"),
    "multipart: pieces of names": (
        "--b\r\nContent-Disposition: form-data",
        "; name*0=a",
        "\r\n\r\nx",
        "multipart/form-data",
    ),
    "multipart: heads without a line": ("x ", "content-disposition: form-data; ", "", "multipart/form-data"),
    "multipart: small parts": (
        "--b\r\n",
        'Content-Disposition: form-data; name="key"\r\n\r\n\r\n--b\r\n',
        "",
        "multipart/form-data",
    ),
    "xml: comments in declarations": ("<a>", "<!DOCTYPE a [<!--]>", "", "text/xml"),
    "xml: quotes in declarations": ("<a>", "<!DOCTYPE a '", "", "text/xml"),
    "xml: entities": ("<!DOCTYPE a [", '<!ENTITY a "b">', "]><a/>", "text/xml"),
    "html: labels": ("<p>", "Password:<b>x1</b>", "", "text/html"),
    "form: codes": ("", "code=abcdefghij1&", "state=abcdefgh", "application/x-www-form-urlencoded"),
    "json: out of order": ("{", '"password":1 "x",', "}", "application/json"),
    "json: values that go on": ("{", '"password":1 2', "}", "application/json"),
    "text: beginnings of documents": ("", '{" ', "", "text/plain"),
    "text: escapes of letters": ("", "\\u0070", "", "text/plain"),
    "text: paths": ("https://h", "/token/a1b2c3", "", "text/plain"),
    "text: percent": ("", "%3D", "", "text/plain"),
    "tokens: eyJ": ("", "eyJ", "", "text/plain"),
    "tokens: dots": ("eyJhbGciOi", ".", "", "text/plain"),
    "tokens: PEM": ("", "-----BEGIN PRIVATE KEY-----", "", "text/plain"),
    "tokens: ends of PEM": ("", "-----END PRIVATE KEY-----", "", "text/plain"),
    "tokens: digits": ("", "4", "", "text/plain"),
    "tokens: groups of digits": ("", "4 ", "", "text/plain"),
    "tokens: cards": ("", "4111111111111111 ", "", "text/plain"),
    "tokens: account numbers": ("", "GB82 ", "", "text/plain"),
    "tokens: account countries": ("", "GB82-", "", "text/plain"),
    "tokens: addresses": ("", "://a:b", "", "text/plain"),
    "tokens: user-infos": ("", "a@", "", "text/plain"),
    "tokens: addresses with user-infos": ("", "://a:b@", "", "text/plain"),
    "tokens: bearers": ("", "bearer ", "", "text/plain"),
    "tokens: basics": ("", "basic YTpi", "", "text/plain"),
    "tokens: signatures": ("", "&sig=", "", "text/plain"),
    "tokens: keys": ("", "AKIA", "", "text/plain"),
    "tokens: resets": ("", "a0a0a0-", "", "text/plain"),
}


@dataclass(frozen=True)
class Growth:
    """The time of one shape at both sizes, in seconds."""

    shape: str
    small: float
    large: float

    @property
    def ratio(self) -> float:
        return self.large / self.small


def body_of(shape: str, size: int) -> tuple[str, str]:
    """Make a body of `size` characters; give it with its content type."""
    beginning, repeated, end, content_type = SHAPES[shape]
    count = (size - len(beginning) - len(end)) // len(repeated)
    return beginning + repeated * count + end, content_type


def seconds(work: Callable[[], object], times: int) -> float:
    """Give the shortest of some times, of this process alone: the others hold what else the machine did."""
    best = float("inf")
    for _ in range(times):
        began = process_time()
        work()
        best = min(best, process_time() - began)
    return best


def growths() -> Iterator[Growth]:
    from security.masking import mask_body

    for shape in SHAPES:
        small, large = (body_of(shape, size) for size in (SMALL, LARGE))
        yield Growth(shape, seconds(lambda s=small: mask_body(*s), 3), seconds(lambda b=large: mask_body(*b), 1))


def small_json() -> dict[str, str]:
    """Make bodies of 1 kB: one without a secret and one with some."""
    rows = [{"id": n, "name": f"lamp {n}", "price": "12.50", "in_stock": True, "tags": ["a", "b"]} for n in range(12)]
    plain = json.dumps({"items": rows, "page": 1})
    secret = json.dumps({"username": "ann", "password": "se cret", "items": rows, "api_key": "k" * 30})
    return {
        "without a secret": plain[:1000].rpartition(", {")[0] + "]}",
        "with secrets": secret[:1000].rpartition(", {")[0] + "]}",
    }


def small_json_ms() -> dict[str, float]:
    """Give the milliseconds that masking a 1 kB JSON body costs."""
    from security.masking import mask_body

    def many(text: str) -> None:
        for _ in range(200):
            mask_body(text, "application/json")

    return {name: seconds(lambda text=text: many(text), 7) / 200 * 1000 for name, text in small_json().items()}


def measure() -> Iterator[Table]:
    """Give the growth of each shape, and what a small JSON body costs."""
    rows = [
        [growth.shape, f"{growth.small * 1000:.1f}", f"{growth.large * 1000:.1f}", f"{growth.ratio:.1f}"]
        for growth in growths()
    ]
    worst = max(float(row[-1]) for row in rows)
    title = f"Masking of hostile bodies: the time grows by {worst:.1f} at most, {RATIO_BOUND:.0f} is the bound"
    yield Table(title, ["shape", "240 kB, ms", "2.4 MB, ms", "ratio"], rows)
    costs = [[name, f"{cost:.3f}"] for name, cost in small_json_ms().items()]
    yield Table(f"Masking of 1 kB of JSON: {SMALL_JSON_BOUND_MS} ms is the bound", ["body", "ms"], costs)


def main() -> None:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.settings")
    django.setup()
    for table in measure():
        print(f"\n{table}", flush=True)


if __name__ == "__main__":
    main()
