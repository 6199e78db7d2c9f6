"""Who asks for what: what a count is kept of, as a key that tells nothing and is short whatever was sent."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b, sha256
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final

from django.conf import settings as site_settings
from django.http import HttpRequest
from django.urls import ResolverMatch

from security.client_address import client_address

SCOPES: Final = ("site", "view", "path")
# Peers on a unix socket, and whom a proxy names by no address, are one client.
_NO_ADDRESS: Final = "no address"
_NAT64: Final = IPv6Network("64:ff9b::/96")
# All paths that lead to no view are one view, which no view of a site is named like.
NO_VIEW: Final = "\0no view"


@dataclass(frozen=True, slots=True)
class Subject:
    """One request, as far as it matters for its counts."""

    client: str
    view: str
    path: str

    def target(self, scope: str) -> str:
        """Give what a limit of a scope counts the requests to."""
        return {"site": "", "view": self.view, "path": self.path}[scope]


def subject_of(request: HttpRequest) -> Subject:
    """Tell who asks for what; the address is the one that the request's record has."""
    record = getattr(request, "input_logged_request", None)
    address = client_address(request.META) if record is None else record.ip
    match: ResolverMatch | None = request.resolver_match
    return Subject(client_of(address), NO_VIEW if match is None else match.view_name, request.path_info)


@lru_cache(maxsize=4096)
def client_of(address: str | None) -> str:
    """Give the client behind an address: an IPv6 one belongs to whoever has its /64 (RFC 6177).

    In that of NAT64 (RFC 6052) is each IPv4 client there is.
    """
    if address is None:
        return _NO_ADDRESS
    parsed = ip_address(address)
    if parsed.version == 6 and parsed in _NAT64:
        return str(IPv4Address(int(parsed) & 0xFFFF_FFFF))
    return str(IPv6Network((int(parsed) >> 64 << 64, 64))) if parsed.version == 6 else str(parsed)


def key_of(*parts: object) -> str:
    """Make the key of a count; without the site's SECRET_KEY it cannot be told whose it is."""
    text = "\0".join(f"{len(part)}:{part}" for part in map(str, parts))
    secret = _key_secret(str(site_settings.SECRET_KEY))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16, key=secret).hexdigest()


@lru_cache(maxsize=4)
def _key_secret(secret_key: str) -> bytes:
    return sha256(b"security.throttling" + secret_key.encode("utf-8", "surrogatepass")).digest()
