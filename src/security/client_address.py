"""Which address asked: the peer's, or the one that the site's own proxies name (setting SECURITY_TRUSTED_PROXIES)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from security.addresses import is_in_networks, normal_address
from security.config import settings

logger = logging.getLogger("security")

# More proxies than these are in front of no site; a client can send as many names as it likes.
_MOST_HOPS: Final = 20
_LONGEST_HOP: Final = 200

_has_warned = False


def client_address(meta: Mapping[str, Any]) -> str | None:
    """Give the address of the client in its shortest form, from the META of a request; None for one that has none.

    The header is read from the right, where the proxies wrote: what a client itself put into it is never reached. A
    client without an address is the peer on a unix socket, or one whom a trusted proxy names by no address. An IPv4
    address that comes as an IPv6 one (RFC 4291, 2.5.5.2) is given as IPv4.
    """
    address = normal_address(str(meta.get("REMOTE_ADDR") or ""))
    trusted = settings.TRUSTED_PROXIES
    if trusted is None:
        _warn_of_header(meta)
        return address
    hops = _hops(str(meta.get(_meta_key(settings.TRUSTED_PROXIES_HEADER)) or ""))
    if isinstance(trusted, int):
        for hop in hops[:trusted]:
            address = _address_of(hop)
        return address
    networks = tuple(trusted)
    for hop in hops:
        if address is None or not is_in_networks(address, networks):
            break
        address = _address_of(hop)
    return address


def _hops(header: str) -> list[str]:
    """Give what each proxy wrote, the nearest one first.

    A comma always parts two hops: were one inside quotes respected, a client's open quote would swallow what the
    proxies wrote behind it.
    """
    hops = header.rsplit(",", _MOST_HOPS)
    return [hop.strip()[:_LONGEST_HOP] for hop in reversed(hops[-_MOST_HOPS:]) if hop.strip()]


@lru_cache(maxsize=1024)
def _address_of(hop: str) -> str | None:
    """Read one hop: an address with or without a port, or an element of Forwarded (RFC 7239).

    An end of a quoted string, or one with an escaped quote in it, may be what the client made a proxy quote.
    """
    if hop.count('"') % 2 or "\\" in hop:
        return None
    from python_ipware import IpWare

    address, _ = IpWare(precedence=("HTTP_FORWARDED",)).get_client_ip({"HTTP_FORWARDED": hop})
    return None if address is None else normal_address(str(address))


@lru_cache(maxsize=16)
def _meta_key(header: str) -> str:
    return f"HTTP_{header.upper().replace('-', '_')}"


def _warn_of_header(meta: Mapping[str, Any]) -> None:
    """Say once a process that proxies seem to be in front of the site, and are not named."""
    global _has_warned
    if _has_warned or not ("HTTP_X_FORWARDED_FOR" in meta or "HTTP_FORWARDED" in meta):
        return
    _has_warned = True
    logger.warning(
        "A request came with X-Forwarded-For or Forwarded, which is not believed: SECURITY_TRUSTED_PROXIES is not set. "
        "If a proxy is in front of the site, all its clients are logged, and throttled, as one. Set it to the number "
        "of proxies, for example 1, or to their networks, for example ['10.0.0.0/8']; set it to 0 if there is none."
    )
