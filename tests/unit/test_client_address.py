"""Who asked, behind proxies that are named and behind those that are not."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings
from hypothesis import given
from hypothesis import strategies as st

from security import client_address as module
from security.client_address import client_address

PROXY, OTHER_PROXY, CLIENT, SPOOFED = "10.0.0.1", "10.0.0.2", "192.0.2.7", "198.51.100.9"
NETWORKS = ["10.0.0.0/8", "fd00::/8"]


def address(peer: str | None, forwarded: str | None = None, header: str = "HTTP_X_FORWARDED_FOR") -> str | None:
    meta: dict[str, Any] = {"REMOTE_ADDR": peer}
    if forwarded is not None:
        meta[header] = forwarded
    return client_address(meta)


@pytest.mark.parametrize("trusted", [None, 0, [], ()])
def test_without_trusted_proxies_no_header_is_believed(trusted: Any) -> None:
    with override_settings(SECURITY_TRUSTED_PROXIES=trusted):
        assert address(CLIENT, SPOOFED) == CLIENT
        assert address("unix:", SPOOFED) is None


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        # One proxy writes whom it sees last.
        (1, PROXY, CLIENT, CLIENT),
        (1, PROXY, f"{SPOOFED}, {CLIENT}", CLIENT),
        (1, PROXY, f"{SPOOFED},{CLIENT}", CLIENT),
        (2, PROXY, f"{SPOOFED}, {CLIENT}, {OTHER_PROXY}", CLIENT),
        # Fewer proxies than expected: what the nearest one saw.
        (2, PROXY, CLIENT, CLIENT),
        (1, PROXY, None, PROXY),
        (1, PROXY, " , ", PROXY),
        # A proxy on a unix socket
        (1, None, f"{SPOOFED}, {CLIENT}", CLIENT),
        (NETWORKS, PROXY, f"{SPOOFED}, {CLIENT}", CLIENT),
        (NETWORKS, PROXY, f"{SPOOFED}, {CLIENT}, {OTHER_PROXY}", CLIENT),
        (NETWORKS, PROXY, f"{SPOOFED}, {CLIENT}, fd00::1", CLIENT),
        ((PROXY,), PROXY, f"{CLIENT}, {OTHER_PROXY}", OTHER_PROXY),
        # Who is no proxy is believed nothing.
        (NETWORKS, CLIENT, SPOOFED, CLIENT),
        (NETWORKS, None, SPOOFED, None),
        # All that is known are proxies: the farthest one.
        (NETWORKS, PROXY, OTHER_PROXY, OTHER_PROXY),
        # Ports, brackets, IPv4 as IPv6
        (1, PROXY, f"{CLIENT}:50000", CLIENT),
        (1, PROXY, "[2001:db8::1]:50000", "2001:db8::1"),
        (1, PROXY, f"::ffff:{CLIENT}", CLIENT),
        # A proxy that names no address
        (1, PROXY, f"{SPOOFED}, unknown", None),
        (NETWORKS, PROXY, f"{SPOOFED}, unknown", None),
    ],
)
def test_a_header_is_read_from_the_right(
    trusted: Any, peer: str | None, forwarded: str | None, expected: str | None
) -> None:
    with override_settings(SECURITY_TRUSTED_PROXIES=trusted):
        assert address(peer, forwarded) == expected


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (f"for={SPOOFED}, for={CLIENT};proto=https;by={PROXY}", CLIENT),
        ('for="[2001:db8:cafe::17]:4711"', "2001:db8:cafe::17"),
        ("for=_hidden", None),
        # What the client made the proxy quote, of its host for example, is not read as the proxy's word.
        (f'for={CLIENT};host="a,for={SPOOFED}"', None),
        (f'for={CLIENT};host="a,for={SPOOFED};by=\\""', None),
        (f'for={CLIENT};host="a.example"', CLIENT),
        # An open quote of the client's swallows nothing.
        (f'for="{SPOOFED}, for={CLIENT}', CLIENT),
    ],
)
def test_forwarded_is_read_where_the_setting_says_so(forwarded: str, expected: str | None) -> None:
    with override_settings(SECURITY_TRUSTED_PROXIES=1, SECURITY_TRUSTED_PROXIES_HEADER="Forwarded"):
        assert address(PROXY, forwarded, "HTTP_FORWARDED") == expected
        # The other header could come from the client as it is.
        assert address(PROXY, SPOOFED) == PROXY
    with override_settings(SECURITY_TRUSTED_PROXIES=1):
        assert address(PROXY, f"for={SPOOFED}", "HTTP_FORWARDED") == PROXY


@given(st.text(max_size=300), st.sampled_from([1, 2, tuple(NETWORKS)]))
def test_whatever_a_client_sends_the_proxys_word_stands(text: str, trusted: Any) -> None:
    with override_settings(SECURITY_TRUSTED_PROXIES=trusted):
        hops = f"{text}, {CLIENT}" if trusted != 2 else f"{text}, {CLIENT}, {OTHER_PROXY}"
        assert address(PROXY, hops) == CLIENT


def test_a_header_of_any_length_is_read_as_far_as_there_can_be_proxies() -> None:
    with override_settings(SECURITY_TRUSTED_PROXIES=NETWORKS):
        assert address(PROXY, ", ".join([SPOOFED] + [OTHER_PROXY] * 100_000)) == OTHER_PROXY
        assert address(PROXY, "1" * 1_000_000) is None


@pytest.mark.parametrize("header", ["HTTP_X_FORWARDED_FOR", "HTTP_FORWARDED"])
def test_a_header_from_proxies_that_are_not_named_is_said_once(
    header: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_has_warned", False)
    with override_settings(SECURITY_TRUSTED_PROXIES=0):
        address(PROXY, CLIENT, header)
    assert caplog.records == []
    address(PROXY)
    for _ in range(3):
        address(PROXY, CLIENT, header)
    (message,) = [record.getMessage() for record in caplog.records]
    assert "SECURITY_TRUSTED_PROXIES is not set" in message
