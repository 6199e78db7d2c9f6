"""Internet addresses and networks, from text that may be anything."""

from __future__ import annotations

import ipaddress
from functools import lru_cache

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IPv4 addresses as IPv6 ones (RFC 4291, 2.5.5.2)
_MAPPED = ipaddress.IPv6Network("::ffff:0:0/96")


@lru_cache(maxsize=1024)
def normal_address(text: str) -> str | None:
    """Bring an address to its shortest form, without its zone; None for what is no address."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return str(mapped or address)


@lru_cache(maxsize=1024)
def is_in_networks(address: str, networks: tuple[str, ...]) -> bool:
    """Tell whether an address is one of some addresses and networks."""
    return any(ipaddress.ip_address(address) in network for network in _parsed(networks))


@lru_cache(maxsize=16)
def _parsed(texts: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(network for text in texts if (network := parse_network(text)) is not None)


def parse_network(text: str) -> _Network | None:
    """Read an address or a network; None for what is neither (a system check says so)."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        # Addresses are compared in their shortest form.
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network((int(mapped or 0), network.prefixlen - _MAPPED.prefixlen))
    return network
