# SPDX-License-Identifier: MIT
"""Classes of addresses, by example from the RFCs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr


@given(st.one_of(st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)))
def test_text_and_back(packed: bytes) -> None:
    assert addr.parse(addr.text(packed)) == packed


def test_solicited_node_is_rfc4291s_example() -> None:
    assert (
        addr.text(addr.solicited_node(addr.parse("4037::1:800:200e:8c6c"))) == "ff02::1:ff0e:8c6c"
    )


def test_group_macs() -> None:
    assert addr.multicast_mac(addr.parse("224.129.2.3")).hex(":") == "01:00:5e:01:02:03"
    assert addr.multicast_mac(addr.parse("ff02::1:ff0e:8c6c")).hex(":") == "33:33:ff:0e:8c:6c"


def test_eui64_is_rfc4291s_example() -> None:
    mac = addr.parse_mac("34:56:78:9a:bc:de")
    assert addr.text(addr.link_local(mac)) == "fe80::3656:78ff:fe9a:bcde"


@pytest.mark.parametrize(
    ("text", "length", "broadcast"),
    [("10.77.0.2", 24, "10.77.0.255"), ("192.168.1.1", 30, "192.168.1.3")],
)
def test_directed_broadcast(text: str, length: int, broadcast: str) -> None:
    assert addr.text(addr.directed_broadcast(addr.parse(text), length)) == broadcast


@given(st.binary(min_size=16, max_size=16), st.integers(0, 128))
def test_mask_keeps_exactly_the_prefix(packed: bytes, length: int) -> None:
    masked = addr.mask(packed, length)
    assert addr.common_prefix(packed, masked) >= length
    assert addr.mask(masked, length) == masked


def test_bad_mac_names_the_cure() -> None:
    with pytest.raises(ValueError, match="02:00:00:00:00:01"):
        addr.parse_mac("02:00")
