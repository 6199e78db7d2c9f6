"""Addresses come in many spellings, and sometimes not at all."""

from __future__ import annotations

import pytest

from security.addresses import is_in_networks, normal_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:DB8:0::7", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("", None),
        ("unix:", None),
        ("192.0.2.7:4711", None),
        ("1" * 5000, None),
        ("a\0b", None),
    ],
)
def test_an_address_is_brought_to_one_form_or_is_none(text: str, address: str | None) -> None:
    assert normal_address(text) == address


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.2"),
        ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.1"),
        ("::/0", "2001:db8::1", "10.0.0.1"),
    ],
)
def test_a_network_of_mapped_addresses_is_one_of_ipv4(network: str, inside: str, outside: str) -> None:
    assert is_in_networks(inside, (network,))
    assert not is_in_networks(outside, (network,))


def test_an_address_is_found_in_networks_and_what_is_no_network_is_passed_over() -> None:
    networks = ("192.0.2.7", "10.0.0.0/8", "2001:db8::/32", "nonsense")
    assert is_in_networks("192.0.2.7", networks)
    assert is_in_networks("10.1.2.3", networks)
    assert is_in_networks("2001:db8::9", networks)
    assert not is_in_networks("192.0.2.8", networks)
