"""The exchanges that are compared; each line is one thing that a site or its client does."""

from __future__ import annotations

from itertools import chain
from typing import Any, Final

from tests.differential.exchange import Scenario

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
MULTIPART: Final = "multipart/form-data; boundary=b"
SITE: Final = "tests.differential.site"
FIELDS: Final = b"a=1&a=2&password=secret&csrfmiddlewaretoken=x&%C5%99=%ff"


def part(disposition: str, content: bytes, content_type: str = "") -> bytes:
    head = f'--b\r\nContent-Disposition: form-data; {disposition}"\r\n'
    return head.encode() + (f"Content-Type: {content_type}\r\n".encode() if content_type else b"") + b"\r\n" + content


UPLOAD: Final = (
    part('name="a', b"1\r\n")
    + part('name="password', b"secret\r\n")
    + part('name="file"; filename="rows.csv', b"one,two\r\n", "text/csv")
    + b"--b--\r\n"
)
LARGE_UPLOAD: Final = part('name="file"; filename="x', b"x" * 100_000 + b"\r\n", "text/csv") + b"--b--\r\n"


def post(name: str, steps: str, body: bytes, content_type: str, path: str = "/sync/", **more: Any) -> Scenario:
    return Scenario(name, f"{path}?do={steps}&answer=json", "POST", body, content_type, **more)


def read(name: str, steps: str, **more: Any) -> Scenario:
    return Scenario(name, f"/sync/?do={steps}&answer=json&q=1&q=2&token=t", **more)


# How views of each sort read a request's body: every order of asking that Django allows, or refuses.
BODIES: Final = [
    post(f"{view} reads {steps} of {label}", steps, body, content_type, f"/{view}/")
    for view in ("sync", "async")
    for label, body, content_type, orders in (
        ("json", b'{"password": "secret", "x": [1]}', JSON, ("", "body", "body-twice", "read", "read-7,body")),
        ("a form", FIELDS, FORM, ("POST", "body,POST", "POST,body", "read,POST", "POST,read")),
        ("an upload", UPLOAD, MULTIPART, ("POST", "FILES,file", "POST,body", "body,POST,FILES", "read-7,POST", "file")),
        ("text", b"one\ntwo\nthree", "text/plain", ("readline,readlines", "lines", "readline,body", "stream,body")),
        ("nothing", b"", JSON, ("body", "POST,FILES", "read")),
    )
    for steps in orders
]
ODD_BODIES: Final = [
    post("a body in small pieces", "body", b"x" * 10_000, JSON, chunk=100),
    post("an upload in small pieces", "POST,FILES,file", UPLOAD, MULTIPART, chunk=7),
    post("a large upload", "FILES", LARGE_UPLOAD, MULTIPART),
    post("a body larger than the logger keeps", "body", b"x" * 200_000, JSON),
    post("a body too large for the site", "body", b"x" * 3_000, JSON, settings={"DATA_UPLOAD_MAX_MEMORY_SIZE": 1_000}),
    post("too many fields", "POST", FIELDS, FORM, settings={"DATA_UPLOAD_MAX_NUMBER_FIELDS": 2}),
    post("too many files", "POST,FILES", UPLOAD, MULTIPART, settings={"DATA_UPLOAD_MAX_NUMBER_FILES": 0}),
    post("uploads to disk", "FILES,file", UPLOAD, MULTIPART, settings={"FILE_UPLOAD_MAX_MEMORY_SIZE": 0}),
    post("upload handlers of the site's own", "upload-handlers,POST,FILES", UPLOAD, MULTIPART),
    post("an upload handler that stops", "upload-handlers,POST,FILES", LARGE_UPLOAD, MULTIPART),
    post("upload handlers set too late", "POST,upload-handlers", UPLOAD, MULTIPART),
    post("an encoding of the view's own", "encoding,POST", FIELDS, FORM),
    post("a charset that does not exist", "body,POST", FIELDS, f"{FORM}; charset=nonsense"),
    post("multipart without a boundary", "POST,FILES", UPLOAD, "multipart/form-data"),
    post("broken multipart", "POST,FILES", b"--b\r\nContent-Disp", MULTIPART),
    post("multipart cut off", "POST,FILES", UPLOAD[:100], MULTIPART),
    post(
        "base64 in multipart",
        "POST",
        UPLOAD.replace(b"\r\n\r\n1", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n1"),
        MULTIPART,
    ),
    post("json that is none", "body", b'{"a":', JSON),
    post("bytes that are no text", "body,POST", b"\xff\xfe\x00", JSON),
    post("json 100,000 deep", "body", b"[" * 100_000, JSON),
    post("a body without a type", "body,POST", b"x", ""),
    post("a length that is none", "body", b"x", JSON, headers={"Content-Length": "many"}),
    post("a negative length", "body", b"x", JSON, headers={"Content-Length": "-1"}),
    post("a length that is too small", "body", b'{"a": 1}', JSON, headers={"Content-Length": "3"}),
    post("a chunked body", "body", b'{"a": 1}', JSON, headers={"Transfer-Encoding": "chunked"}),
    post("a client that goes away in its body", "body", b"x" * 100, JSON, arrives=10, servers=("wsgi",)),
    post(
        "a client that goes away before Django has its body",
        "body",
        b"x" * 100,
        JSON,
        arrives=10,
        servers=("asgi",),
        reaches_logger=False,
    ),
    post("a client that goes away in its form", "POST", FIELDS, FORM, arrives=10, servers=("wsgi",)),
    post("a client that goes away in its upload", "POST,FILES", UPLOAD, MULTIPART, arrives=60, servers=("wsgi",)),
    post("a body read by a middleware before", "body,POST", FIELDS, FORM, around=(f"{SITE}.Reread",)),
    post("a body read by a middleware behind", "body,POST", FIELDS, FORM, inside=(f"{SITE}.Reread",)),
    post("a body that nobody reads", "", b"x" * 5_000, JSON),
    post("a buffered reader around the request", "wrap", b"x" * 500, JSON),
    Scenario("PUT", "/class/?do=body&answer=json", "PUT", b"put", JSON),
    Scenario(
        "a compressed body", "/sync/?do=body&answer=json", "POST", b"\x1f\x8b", JSON, {"Content-Encoding": "gzip"}
    ),
]
READING: Final = [
    read(f"a view reads {steps}", steps, headers={"Cookie": "a=1; b=2", "Accept": "text/html", "X-Own": "1"})
    for steps in (
        *("GET", "COOKIES", "headers", "META", "host,port,scheme,uri", "full-path", "accepts", "match", "method"),
        *("content-type", "copy", "pickle", "late-headers", "late-cookie", "late-query", "lazy-user,session-state"),
    )
]
WHO: Final = [
    read("nobody looks at the session of a user", "lazy-user", is_logged_in=True, reads_session=True),
    read("a view looks at the user", "lazy-user,user,lazy-user", is_logged_in=True),
    read("a view looks at the session", "session,session-state", is_logged_in=True),
    read("a view looks at the user of no session", "user"),
    read("a view writes the session", "set-session", is_logged_in=True),
    read("a view begins a session", "set-session,session-state"),
    read("a view ends a session", "flush-session", is_logged_in=True),
    read("a view logs in", "login"),
    read("a view logs another in", "login", is_logged_in=True),
    read("a view logs out", "logout", is_logged_in=True),
    read(
        "a session in an expired file and not looked at",
        "",
        is_logged_in=True,
        settings={"SESSION_ENGINE": "tests.differential.sessions"},
    ),
    read("a session that is gone", "user", headers={"Cookie": "sessionid=gone"}),
    read("a session that is gone and not looked at", "", headers={"Cookie": "sessionid=gone"}, reads_session=True),
    read(
        "a session that is saved at every request",
        "",
        is_logged_in=True,
        reads_session=True,
        settings={"SESSION_SAVE_EVERY_REQUEST": True},
    ),
    read(
        "a session in a signed cookie",
        "set-session,session",
        settings={"SESSION_ENGINE": "django.contrib.sessions.backends.signed_cookies"},
    ),
    Scenario("an async view looks at the user", "/async/?do=auser&answer=json", is_logged_in=True),
    Scenario("an async view looks at nothing", "/async/", is_logged_in=True, reads_session=True),
]
ANSWERS: Final = [
    Scenario(f"{view} answers {answer} to {method}", f"/{view}/?answer={answer}", method)
    for view, method, answers in (
        (
            "sync",
            "GET",
            (
                "text",
                "json",
                "iterator",
                "empty",
                "not-modified",
                "redirect",
                "error",
                "cookies",
                "headers",
                "template",
                "stream",
                "stream-async",
                "stream-broken",
                "stream-list",
                "file",
                "own-file",
                "none",
                "exception-response",
            ),
        ),
        ("async", "GET", ("text", "template", "stream", "stream-async", "stream-broken-async", "file", "none")),
        ("class", "GET", ("text", "stream")),
        ("async-class", "GET", ("text", "stream-async")),
        ("sync", "HEAD", ("text", "stream", "file")),
    )
    for answer in answers
]
STREAMS: Final = [
    Scenario("a client leaves a stream", "/sync/?answer=stream", leaves_after=0, servers=("wsgi",)),
    Scenario("a client leaves a stream of strings", "/sync/?answer=stream-list", leaves_after=0, servers=("wsgi",)),
    Scenario("a client leaves a file", "/sync/?answer=file", leaves_after=0, servers=("wsgi",)),
    Scenario(
        "a server without a way to send files",
        "/sync/?answer=file",
        environ={"wsgi.file_wrapper": None},
        servers=("wsgi",),
    ),
    Scenario("a compressed answer", "/gzip/?do=headers&answer=text", headers={"Accept-Encoding": "gzip"}),
    Scenario("a compressed stream", "/gzip/?answer=stream", headers={"Accept-Encoding": "gzip"}, servers=("wsgi",)),
]
ERRORS: Final = [
    Scenario(f"{view} raises {error}", f"/{view}/?raise={error}")
    for view in ("sync", "async", "class")
    for error in ("value-error", "404", "403", "suspicious")
] + [
    Scenario(
        "an exception that a server is to see",
        "/sync/?raise=value-error",
        settings={"DEBUG_PROPAGATE_EXCEPTIONS": True},
        stand_in=("tests.differential.harm.Harm",),
    ),
    Scenario("an exit", "/sync/?raise=exit", servers=("wsgi",)),
    Scenario(
        "an exception that a middleware handles", "/sync/?raise=value-error", inside=(f"{SITE}.HandlesExceptions",)
    ),
    Scenario("a middleware that answers by itself", "/sync/", inside=(f"{SITE}.AnswersItself",)),
    Scenario(
        "a middleware before that answers by itself", "/sync/", around=(f"{SITE}.AnswersItself",), reaches_logger=False
    ),
    Scenario("a middleware for threads", "/async/?answer=template", inside=(f"{SITE}.SyncOnly",)),
    Scenario("a middleware for threads before", "/sync/?answer=template", around=(f"{SITE}.SyncOnly",)),
]
PATHS: Final = [
    Scenario("a path without its slash", "/sync?a=1"),
    post("a form sent to a path without its slash", "body", FIELDS, FORM, "/sync"),
    Scenario("a path without its slash, and no redirects", "/sync", settings={"APPEND_SLASH": False}),
    Scenario("a path of nobody's", "/nowhere/"),
    Scenario("a path of 5,000 characters", "/" + "x" * 5_000),
    Scenario("a path with arguments", "/7/a%2Fb/?do=match&answer=json"),
    Scenario("a path with a NUL", "/7/a\0b"),
    Scenario("a host that is not allowed", "/sync/", headers={"Host": "evil.example"}),
    Scenario("a host that is none", "/sync/", headers={"Host": "a b:c"}),
    Scenario("a host that the view asks for", "/sync/?do=host&answer=json", headers={"Host": "SHOP.example:8000"}),
    Scenario("an invented method", "/sync/?do=method&answer=json", "BREW"),
    Scenario("a method that the class lacks", "/class/", "DELETE"),
    Scenario("OPTIONS", "/class/", "OPTIONS"),
    Scenario("a query of 60 kB", "/sync/?do=GET&answer=json&q=" + "x" * 60_000),
    Scenario("5,000 query keys", "/sync/?do=GET&answer=json&" + "&".join(f"k{n}=1" for n in range(5_000))),
    Scenario("a query that is no text", "/sync/?do=GET&answer=json&q=%ff%00"),
    Scenario("a peer without an address", "/sync/?do=META&answer=json", environ={"REMOTE_ADDR": ""}, servers=("wsgi",)),
    Scenario(
        "a site behind TLS",
        "/sync/?do=scheme&answer=json",
        headers={"X-Forwarded-Proto": "https"},
        settings={"SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https")},
    ),
    Scenario("a redirect to TLS", "/sync/", settings={"SECURE_SSL_REDIRECT": True}, reaches_logger=False),
    Scenario("headers of 30 kB", "/sync/?do=headers&answer=json", headers={"X-Long": "x" * 30_000}),
    Scenario("headers that are no text", "/sync/?do=headers&answer=json", headers={"X-Odd": "\xff\xfe"}),
]
DATABASE: Final = [
    read("a view writes", "write"),
    read("a view writes and rolls back", "write-and-roll-back,write"),
    Scenario("a view writes and fails", "/sync/?do=write&raise=value-error"),
    Scenario("a view writes outside ATOMIC_REQUESTS", "/not-atomic/?do=write&raise=value-error"),
]
ROUND_VIEWS: Final = [
    post("a form without its CSRF token", "POST", FIELDS, FORM, "/csrf/"),
    post(
        "a form with its CSRF token",
        "POST",
        b"csrfmiddlewaretoken=" + b"a" * 32,
        FORM,
        "/csrf/",
        headers={"Cookie": "csrftoken=" + "a" * 32},
    ),
    Scenario("a view whose answer varies", "/vary/"),
    Scenario("a view that is not cached", "/never-cache/"),
    Scenario(
        "a conditional request",
        "/sync/",
        headers={"If-None-Match": '"x"'},
        around=("django.middleware.http.ConditionalGetMiddleware",),
    ),
    Scenario(
        "a site in many languages",
        "/sync/",
        headers={"Accept-Language": "cs"},
        around=("django.middleware.locale.LocaleMiddleware",),
    ),
]
SCENARIOS: Final = list(chain(BODIES, ODD_BODIES, READING, WHO, ANSWERS, STREAMS, ERRORS, PATHS, DATABASE, ROUND_VIEWS))
