"""A remote service on loopback, in threads of the test: what it was asked, it answers; some of it on purpose badly."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

MEGABYTE = 1_000_000


class Handler(BaseHTTPRequestHandler):
    """Answers by path; `remote.seen` holds what was asked."""

    protocol_version = "HTTP/1.1"
    # The head and the body of an answer are two packets, and the second would wait.
    disable_nagle_algorithm = True
    server: Remote

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = b"" if parts.path == "/discard" else self._read_body()
        self.server.seen.append((self.command, self.path, dict(self.headers), body))
        # A proxy is asked for a whole address.
        name = parts.path.strip("/").split("/")[0] or "echo"
        getattr(self, f"answer_{name}", self.answer_echo)(dict(parse_qsl(parts.query)), body)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = do_OPTIONS = do_GET  # noqa: N815 the library's names

    def answer_echo(self, query: dict[str, str], body: bytes) -> None:
        told = {
            "method": self.command,
            "path": self.path,
            "headers": {name: value for name, value in self.headers.items() if name not in ("User-Agent", "Host")},
            "body": body.decode("latin-1"),
        }
        self._answer(200, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def answer_mirror(self, query: dict[str, str], body: bytes) -> None:
        """Answer with the body that came, and with the headers whose names begin so."""
        headers = {
            name.removeprefix("Mirror-"): value for name, value in self.headers.items() if name.startswith("Mirror-")
        }
        self._answer(200, body, {"Content-Type": self.headers.get("Content-Type") or "text/html", **headers})

    def answer_status(self, query: dict[str, str], body: bytes) -> None:
        self._answer(int(query["code"]), b"answered", {"Content-Type": "text/html"})

    def answer_empty(self, query: dict[str, str], body: bytes) -> None:
        self.send_response(204)
        self.end_headers()

    def answer_redirect(self, query: dict[str, str], body: bytes) -> None:
        left = int(query.get("times", "1"))
        target = f"/redirect?times={left - 1}" if left > 1 else "/echo?end=1"
        headers = {"Location": target, "Set-Cookie": f"hop{left}=1", "Content-Type": "text/html"}
        self._answer(int(query.get("code", "302")), b"elsewhere", headers)

    def answer_cookies(self, query: dict[str, str], body: bytes) -> None:
        self._answer(200, b"set", {"Set-Cookie": "session=abc; Path=/", "Content-Type": "text/html"})

    def answer_two_cookies(self, query: dict[str, str], body: bytes) -> None:
        self.send_response(200)
        self.send_header("Set-Cookie", "a=first; Path=/")
        self.send_header("Set-Cookie", "b=second; Expires=Thu, 01 Jan 2099 00:00:00 GMT; Path=/")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def answer_basic(self, query: dict[str, str], body: bytes) -> None:
        expected = "Basic " + base64.b64encode(b"user:pass").decode()
        code = 200 if self.headers.get("Authorization") == expected else 401
        self._answer(code, b"basic", {"WWW-Authenticate": 'Basic realm="x"', "Content-Type": "text/html"})

    def answer_digest(self, query: dict[str, str], body: bytes) -> None:
        given = self.headers.get("Authorization", "")
        if given.startswith("Digest "):
            fields = dict(part.strip().split("=", 1) for part in given[7:].split(","))
            fields = {name: value.strip('"') for name, value in fields.items()}
            first = hashlib.md5(b"user:x:pass").hexdigest()
            second = hashlib.md5(f"{self.command}:{fields['uri']}".encode()).hexdigest()
            if fields["response"] == hashlib.md5(f"{first}:{fields['nonce']}:{second}".encode()).hexdigest():
                self._answer(200, b"digested", {"Content-Type": "text/html"})
                return
        self._answer(401, b"", {"WWW-Authenticate": 'Digest realm="x", nonce="n", algorithm=MD5'})

    def answer_flaky(self, query: dict[str, str], body: bytes) -> None:
        """Fail as often as `failures` says, and then answer."""
        name = f"flaky {query['name']}"
        self.server.counts[name] = self.server.counts.get(name, 0) + 1
        code = 503 if self.server.counts[name] <= int(query["failures"]) else 200
        self._answer(code, b"flaky", {"Content-Type": "text/html"})

    def answer_gzip(self, query: dict[str, str], body: bytes) -> None:
        content = gzip.compress(b'{"token": "secret", "text": "unpacked"}', mtime=0)
        self._answer(200, content, {"Content-Encoding": "gzip", "Content-Type": "application/json"})

    def answer_bomb(self, query: dict[str, str], body: bytes) -> None:
        """Answer with little that unpacks to much."""
        content = gzip.compress(bytes(int(query["size"])), mtime=0)
        self._answer(200, content, {"Content-Encoding": "gzip", "Content-Type": "text/csv"})

    def answer_lines(self, query: dict[str, str], body: bytes) -> None:
        self._answer(200, b'{"line": 1}\n{"line": 2}\n{"line": 3}\n', {"Content-Type": "application/json"})

    def answer_big(self, query: dict[str, str], body: bytes) -> None:
        size = int(query["size"])
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", str(size))
        self.end_headers()
        chunk = b"x" * 65_536
        for start in range(0, size, len(chunk)):
            self.wfile.write(chunk[: size - start])

    def answer_discard(self, query: dict[str, str], body: bytes) -> None:
        """Take a large body in, and keep nothing of it."""
        while size := int(self.rfile.readline(), 16):
            while size:
                size -= len(self.rfile.read(min(size, 65_536)))
            self.rfile.readline()
        self.rfile.readline()
        self._answer(200, b"", {"Content-Type": "text/html"})

    def answer_chunked(self, query: dict[str, str], body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in (b"one,", b"two,", b"three"):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        self.wfile.write(b"0\r\n\r\n")

    def answer_reset(self, query: dict[str, str], body: bytes) -> None:
        """Break off in mid-body."""
        self.send_response(200)
        self.send_header("Content-Type", "text/csv")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"the beginning")
        self.wfile.flush()
        # Without lingering, closing resets the connection.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def answer_silence(self, query: dict[str, str], body: bytes) -> None:
        """Say nothing until the client has gone."""
        self.connection.settimeout(10)
        self.rfile.read(1)
        self.close_connection = True

    def answer_soap(self, query: dict[str, str], body: bytes) -> None:
        if self.command == "GET":
            self._answer(200, WSDL.format(address=self.server.address).encode(), {"Content-Type": "text/xml"})
        elif b"fail" in body:
            self._answer(500, FAULT, {"Content-Type": "text/xml"})
        else:
            self._answer(200, ANSWER, {"Content-Type": "text/xml"})

    def _read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = bytearray()
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return bytes(body)
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _answer(self, code: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


class Remote(ThreadingHTTPServer):
    """The service, and what it saw."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.seen: list[tuple[str, str, dict[str, str], bytes]] = []
        self.counts: dict[str, int] = {}
        self.scheme = "http"

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"

    @property
    def address(self) -> str:
        return f"{self.scheme}://{self.host}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no error here."""


@contextmanager
def remote_service(context: Any = None) -> Iterator[Remote]:
    """Run the service until the block ends; with an SSL context, by TLS."""
    remote = Remote()
    if context is not None:
        remote.socket = context.wrap_socket(remote.socket, server_side=True)
        remote.scheme = "https"
    # It looks this often whether it is to end.
    thread = Thread(target=remote.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield remote
    finally:
        remote.shutdown()
        remote.server_close()
        thread.join()


WSDL = """<?xml version="1.0"?>
<definitions name="Shop" targetNamespace="urn:shop" xmlns:tns="urn:shop" xmlns:xsd="http://www.w3.org/2001/XMLSchema"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns="http://schemas.xmlsoap.org/wsdl/">
  <message name="PriceInput"><part name="item" type="xsd:string"/></message>
  <message name="PriceOutput"><part name="price" type="xsd:int"/></message>
  <portType name="ShopPort">
    <operation name="Price"><input message="tns:PriceInput"/><output message="tns:PriceOutput"/></operation>
  </portType>
  <binding name="ShopBinding" type="tns:ShopPort">
    <soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Price">
      <soap:operation soapAction="urn:shop#Price"/>
      <input><soap:body use="literal" namespace="urn:shop"/></input>
      <output><soap:body use="literal" namespace="urn:shop"/></output>
    </operation>
  </binding>
  <service name="Shop">
    <port name="ShopPort" binding="tns:ShopBinding"><soap:address location="{address}/soap"/></port>
  </service>
</definitions>
"""
ANSWER = b"""<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<m:PriceResponse xmlns:m="urn:shop"><price>7</price></m:PriceResponse></soap:Body></soap:Envelope>
"""
FAULT = b"""<?xml version="1.0"?>
<soap:Envelope xmlns:soap="http://schemas.xmlsoap.org/soap/envelope/"><soap:Body>
<soap:Fault><faultcode>soap:Server</faultcode><faultstring>no such item</faultstring></soap:Fault>
</soap:Body></soap:Envelope>
"""
