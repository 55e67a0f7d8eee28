# SPDX-License-Identifier: MIT
"""Scapy as the independent judge of every frame that a stack sends.

`JudgingPort` stands between a stack and its wire; a frame that scapy does not find sound fails the
test that caused it.  On for the folders that `tests/conftest.py` names: taking frames apart again
costs more than the stack itself.
"""

from __future__ import annotations

from collections.abc import Sequence

from scapy.layers.inet import IP, in4_chksum
from scapy.layers.inet6 import (
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    in6_chksum,
)
from scapy.layers.l2 import ARP, Ether
from scapy.utils import checksum

from stack.base.head import NO_CHECKSUM, Head
from stack.base.units import View
from tap.frames import join
from tap.port import Port, Wrapper

_HEADERS = (IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)
_WITH_PSEUDO_HEADER = (6, 17, 58)
_WITHOUT = (1, 2)
_UDP = 17


class JudgingPort(Wrapper):
    """Looks at every frame that leaves, before it does."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.judged = 0

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        if head.csum == NO_CHECKSUM and not head.gso_size:
            judge(join(head, views, 0), self.mtu)
            self.judged += 1
        return super().transmit(head, views)


def judge(frame: bytes, mtu: int = 65535) -> None:
    """Raise AssertionError for a frame that no host may send."""
    ether = Ether(frame)
    assert len(frame) - 14 <= mtu, ether.summary()
    if ether.type == 0x0806:
        arp = ether[ARP]
        assert (arp.hwtype, arp.ptype, arp.hwlen, arp.plen) == (1, 0x0800, 6, 4), arp.summary()
        assert arp.hwsrc == ether.src, arp.summary()
    elif ether.type == 0x0800:
        _judge_v4(frame[14:], ether[IP])
    else:
        assert ether.type == 0x86DD, ether.summary()
        _judge_v6(frame[14:], ether[IPv6])


def _judge_v4(packet: bytes, ip: IP) -> None:
    size = ip.ihl * 4
    assert ip.version == 4, ip.summary()
    assert ip.len == len(packet), ip.summary()
    assert checksum(packet[:size]) == 0, ip.summary()
    assert ip.ttl > 0, ip.summary()
    assert not ip.flags.evil, ip.summary()
    if ip.flags.MF or ip.frag:
        assert not ip.flags.DF, ip.summary()
        assert ip.frag * 8 + len(packet) <= 65535, ip.summary()
        return
    body = packet[size:]
    if ip.proto in _WITHOUT:
        assert checksum(body) == 0, ip.summary()
    elif ip.proto in _WITH_PSEUDO_HEADER and not (ip.proto == _UDP and body[6:8] == b"\0\0"):
        assert in4_chksum(ip.proto, ip, body) == 0, ip.summary()


def _judge_v6(packet: bytes, ip: IPv6) -> None:
    assert ip.version == 6, ip.summary()
    assert ip.plen == len(packet) - 40, ip.summary()
    assert ip.hlim > 0, ip.summary()
    assert not ip.src.lower().startswith("ff"), ip.summary()
    proto, at = ip.nh, 40
    layer = ip.payload
    while isinstance(layer, _HEADERS):
        if isinstance(layer, IPv6ExtHdrFragment):
            assert layer.m or layer.offset, "an atomic fragment"
            return
        proto, at = layer.nh, at + (packet[at + 1] + 1) * 8
        layer = layer.payload
    body = packet[at:]
    if proto in _WITH_PSEUDO_HEADER:
        assert proto != _UDP or body[6:8] != b"\0\0", ip.summary()
        assert in6_chksum(proto, ip, body) == 0, ip.summary()
