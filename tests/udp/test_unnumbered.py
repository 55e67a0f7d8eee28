# SPDX-License-Identifier: MIT
"""Datagrams from 0.0.0.0 to everybody on one interface: what a host without an address may send
(RFC 1122 3.2.1.3 a)."""

from __future__ import annotations

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from stack.base import addr, status
from stack.transport.datagram_seam import Datagram
from stack.transport.options import Outgoing
from stack.transport.seam import OPTION_BROADCAST
from tests.harness import Host, World


def endpoint(host: Host, broadcast: bool = True) -> Datagram:
    made = host.datagram()
    assert made.bind(b"", 68, 0) == status.OK
    made.set_option(OPTION_BROADCAST, broadcast)
    return made


def how(interface: int, source: bytes = addr.ANY4) -> Outgoing:
    made = Outgoing()
    made.source = source
    made.interface = interface
    return made


@pytest.mark.parametrize("numbered", [True, False])
def test_it_leaves_whether_or_not_there_is_an_address(world: World, numbered: bool) -> None:
    host, peer = world.host()
    if not numbered:
        host.stack.remove_address("10.77.0.1")
    udp = endpoint(host)
    sent = udp.send((b"who am I?",), 9, addr.BROADCAST4, 67, 0, how(host.nic.index))
    assert sent == status.OK
    world.run(0)
    seen = peer.next_ip()
    assert seen is not None
    packet = Ether(seen.frame)
    assert packet.dst == "ff:ff:ff:ff:ff:ff"
    assert (packet[IP].src, packet[IP].dst) == ("0.0.0.0", "255.255.255.255")
    again = packet.copy()
    del again[IP].chksum, again[UDP].chksum
    assert bytes(again) == bytes(packet)


def test_only_with_the_broadcast_option(world: World) -> None:
    host, peer = world.host()
    udp = endpoint(host, broadcast=False)
    result = udp.send((b"x",), 1, addr.BROADCAST4, 67, 0, how(host.nic.index))
    assert result == status.ACCESS
    assert peer.next_ip() is None


@pytest.mark.parametrize("index", [0, 99])
def test_only_on_an_interface_there_is(world: World, index: int) -> None:
    host, peer = world.host()
    udp = endpoint(host)
    assert udp.send((b"x",), 1, addr.BROADCAST4, 67, 0, how(index)) == status.NOT_LOCAL
    assert peer.next_ip() is None


@pytest.mark.parametrize("target", ["10.77.0.2", "10.77.0.255", "224.0.0.1"])
def test_only_to_everybody(world: World, target: str) -> None:
    host, peer = world.host()
    udp = endpoint(host)
    result = udp.send((b"x",), 1, addr.parse(target), 67, 0, how(host.nic.index))
    assert result == status.NOT_LOCAL
    assert peer.next_ip() is None


def test_not_from_another_hosts_address(world: World) -> None:
    host, _ = world.host()
    udp = endpoint(host)
    source = addr.parse("10.77.0.9")
    result = udp.send((b"x",), 1, addr.BROADCAST4, 67, 0, how(host.nic.index, source))
    assert result == status.NOT_LOCAL


def test_not_on_the_loopback_interface(world: World) -> None:
    host, peer = world.host()
    udp = endpoint(host)
    assert udp.send((b"x",), 1, addr.BROADCAST4, 67, 0, how(1)) == status.NOT_LOCAL
    world.run(0)
    assert peer.next_ip() is None
