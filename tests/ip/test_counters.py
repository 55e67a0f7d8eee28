# SPDX-License-Identifier: MIT
"""RFC 4293: every packet is counted where it ends, on the interface it came in on or left by."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stack.base import addr, status
from stack.base.head import Head
from stack.base.units import SECOND, View
from stack.ip.counters import IpCounters
from stack.transport.seam import OPTION_BROADCAST, OPTION_HEADER_INCLUDED
from stack.wire import ethernet, ext6, ipv4, ipv6
from tap.memory import wire
from tap.port import Wrapper
from tests.harness import Host, World, quiet


def law(counters: IpCounters) -> None:
    """What came in, and what was put together from it, is what ended."""
    ended = (
        counters.in_hdr_errors
        + counters.in_truncated_pkts
        + counters.in_addr_errors
        + counters.in_unknown_protos
        + counters.in_discards
        + counters.in_forw_datagrams
        + counters.in_delivers
    )
    assert counters.in_receives + counters.reasm_oks == ended + counters.reasm_reqds


def moved(host: Host, family: int) -> dict[str, int]:
    return host.stack.host.layers[4 if family == addr.V4 else 16].counters.moved()


OPTIONS = (b"", b"", b"", b"\x94\4\0\0", b"\x07\0\0\0", b"\x83\7\4" + bytes(5))


@st.composite
def frames(draw: st.DrawFn) -> tuple[bytes, bytes, bytes]:
    """(ethertype, destination MAC, packet): mostly sensible, with anything wrong."""
    four = draw(st.booleans())
    mine, theirs = ("10.77.0.2", "10.77.0.1") if four else ("fd77::2", "fd77::1")
    sources = [mine] * 6 + (["0.0.0.0", "224.1.1.1"] if four else ["::", "ff02::1", "::1"])
    groups = ["10.77.0.255", "224.0.0.1", "127.0.0.1"] if four else ["ff02::1", "::1", "ff01::1"]
    targets = [theirs] * 6 + groups + (["10.77.0.9"] if four else ["fd77::9"])
    src, dst = (addr.parse(draw(st.sampled_from(names))) for names in (sources, targets))
    proto = draw(st.sampled_from((17, 6, 1, 58, 0, 43, 44, 59, 60, 50, 200)))
    body = draw(st.binary(max_size=48))
    mac = draw(st.sampled_from((b"\2\0\0\0\0\1",) * 6 + (addr.MAC_BROADCAST, b"\x33\x33\0\0\0\1")))
    if four:
        options = draw(
            st.sampled_from((b"", b"", b"\x94\4\0\0", b"\x07\0\0\0", b"\x83\7\4" + bytes(5)))
        )
        frag = draw(st.sampled_from((0, 0, 0x4000, 0x2000, 0x2001, 1, 2, 0x1FFF)))
        total = 20 + len(options) + len(body) + draw(st.sampled_from((0,) * 9 + (5, -60)))
        packet = ipv4.build(0, max(total, 0), 7, frag, 64, proto, src, dst, options) + body
    else:
        if proto == ext6.FRAGMENT:
            bits = draw(st.sampled_from((0, 1, 8, 9, 16)))
            body = bytes((17, 0)) + bits.to_bytes(2, "big") + bytes(4) + body
        elif proto in (0, 43, 60):
            body = bytes((draw(st.sampled_from((17, 44, 200))), 0)) + body
        length = len(body) + draw(st.sampled_from((0,) * 9 + (5, -3)))
        packet = ipv6.build(0, 0, max(length, 0), proto, 64, src, dst) + body
    spoil = draw(st.sampled_from((None,) * 12 + (0, 1, 10)))
    if spoil is not None:
        packet = packet[:spoil] + bytes((packet[spoil] ^ 0x31,)) + packet[spoil + 1 :]
    cut = draw(st.sampled_from((0,) * 12 + (1, 30)))
    kind = ethernet.TYPE_IPV4 if four else ethernet.TYPE_IPV6
    return kind, mac, packet[: len(packet) - cut]


@settings(max_examples=150)
@given(st.lists(frames(), max_size=25), st.booleans(), st.booleans())
def test_the_law_of_conservation(
    batch: list[tuple[bytes, bytes, bytes]], raw: bool, forwarding: bool
) -> None:
    world = World()
    host, peer = world.host(quiet(reassembly_limit=3, forwarding=forwarding))
    if raw:
        host.raw(200).bind(b"", 0, 0)
    for kind, mac, packet in batch:
        peer.frame(kind, packet, mac)
    world.run(0)
    for layer in host.stack.host.layers.values():
        law(layer.counters)
        for block in layer.stats:
            law(block)
    world.run(61 * SECOND)
    assert len(host.stack.host.reassembler) == 0
    for layer in host.stack.host.layers.values():
        law(layer.counters)


# In.


def test_a_plain_datagram(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    host.datagram().bind(b"", 7, 0)
    peer.sends_udp(b"12345678")
    world.run(0)
    octets = 36 if family == addr.V4 else 56
    expected = {"in_receives": 1, "in_octets": octets, "in_delivers": 1}
    assert moved(host, family) == expected


def test_groups_in(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    for text in ("224.0.0.1", "224.0.0.77") if family == addr.V4 else ("ff02::1", "ff02::77"):
        group = addr.parse(text)
        body = peer.checked(17, b"\0\x09\0\x09\0\x08\0\0", 6, peer.mine, group)
        peer.frame(*peer.packet_bytes(17, body, dst=group), addr.multicast_mac(group))
    world.run(0)
    octets = 28 if family == addr.V4 else 48
    assert moved(host, family) == {
        "in_receives": 2,
        "in_octets": 2 * octets,
        "in_mcast_pkts": 2,
        "in_mcast_octets": 2 * octets,
        "in_delivers": 1,
        "in_addr_errors": 1,
    }


def test_broadcasts_in(world: World) -> None:
    host, peer = world.host()
    for text in ("10.77.0.255", "255.255.255.255"):
        to = addr.parse(text)
        body = peer.checked(17, b"\0\x09\0\x09\0\x08\0\0", 6, peer.v4, to)
        peer.frame(*peer.packet_bytes(17, body, dst=to), addr.MAC_BROADCAST)
    world.run(0)
    assert moved(host, addr.V4) == {
        "in_receives": 2,
        "in_octets": 56,
        "in_bcast_pkts": 2,
        "in_delivers": 2,
    }


def test_reassembly(world: World, family: int) -> None:
    """Fragments are asked for one by one; what comes of them is a datagram more."""
    host, peer = world.host()
    peer.family = family
    whole = peer.checked(17, b"\0\x09\0\x09\0\x20\0\0" + bytes(24), 6, peer.mine, peer.theirs)
    for at in (0, 16):
        if family == addr.V4:
            peer.packet(17, whole[at : at + 16], frag=at // 8 | (0 if at else 0x2000))
        else:
            peer.packet(44, ext6.build_fragment(17, at, not at, 3) + whole[at : at + 16])
    world.run(0)
    counters = moved(host, family)
    assert (counters["reasm_reqds"], counters["reasm_oks"]) == (2, 1)
    assert "reasm_fails" not in counters
    assert counters["in_delivers"] == counters["in_receives"] - 1


def test_interfaces_count_for_themselves(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    port, _ = wire(b"\2\0\0\0\0\x31", b"\2\0\0\0\0\x32")
    other = host.stack.add_nic(port, "other")
    peer.packet(200, bytes(8))
    world.run(0)
    layer = host.stack.host.layers[len(peer.mine)]
    assert layer.interface(host.nic).counters.in_unknown_protos == 1
    assert layer.interface(other).counters.moved() == {}
    assert layer.counters.in_unknown_protos == 1


# Out.


def test_out_by_kind(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    endpoint = host.datagram()
    endpoint.set_option(OPTION_BROADCAST, 1)
    endpoint.bind(b"", 7, 0)
    group = addr.parse("224.0.0.9" if family == addr.V4 else "ff02::9")
    header = 28 if family == addr.V4 else 48
    host.nic.neighbors.heard(peer.mine, peer.port.mac, True)
    assert endpoint.send([bytes(100)], 100, peer.mine, 9, 0) == 0
    assert endpoint.send([bytes(100)], 100, group, 9, host.nic.index) == 0
    expected = {
        "out_requests": 2,
        "out_transmits": 2,
        "out_octets": 2 * (100 + header),
        "out_mcast_pkts": 1,
        "out_mcast_octets": 100 + header,
    }
    if family == addr.V4:
        assert endpoint.send([bytes(100)], 100, addr.BROADCAST4, 9, host.nic.index) == 0
        expected["out_bcast_pkts"] = 1
        expected["out_requests"] = expected["out_transmits"] = 3
        expected["out_octets"] = 3 * (100 + header)
    assert moved(host, family) == expected
    assert endpoint.send(
        [b""], 0, addr.parse("192.0.2.1") if family == 1 else addr.parse("2001::1"), 9, 0
    )
    assert moved(host, family) == {**expected, "out_no_routes": 1}


def test_out_in_pieces(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    host.nic.neighbors.heard(peer.mine, peer.port.mac, True)
    assert endpoint.send([bytes(4000)], 4000, peer.mine, 9, 0) == 0
    icmp = host.stack.icmp_for(peer.mine)
    assert icmp.echo(peer.mine, 1, 1, bytes(4000), df=True) != 0
    world.run(0)
    seen = peer.received()
    assert moved(host, family) == {
        "out_requests": 2,
        "out_frag_reqds": 2,
        "out_frag_oks": 1,
        "out_frag_fails": 1,
        "out_frag_creates": 3,
        "out_transmits": 3,
        "out_octets": sum(one.pkt.end - one.pkt.net for one in seen),
    }


class Full(Wrapper):
    """A device that takes nothing."""

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        return False


@pytest.mark.parametrize("size", [100, 4000])
def test_a_device_that_is_full(world: World, family: int, size: int) -> None:
    host, other = world.pair(offload=False, wrap=Full)
    far = other.address(family)
    host.nic.neighbors.heard(far, other.port.mac, True)
    before = host.stack.host.layer_of(far).counters
    endpoint = host.datagram()
    endpoint.bind(b"", 7, 0)
    assert endpoint.send([bytes(size)], size, far, 9, 0) == status.NO_MEMORY
    after = host.stack.host.layer_of(far).counters
    assert after.out_requests - before.out_requests == 1
    assert after.out_discards - before.out_discards == (1 if size == 100 else 3)
    assert after.out_octets == before.out_octets
    assert after.out_transmits == before.out_transmits


def test_packets_with_a_header_of_their_own(world: World, family: int) -> None:
    host, peer = world.host()
    peer.family = family
    host.nic.neighbors.heard(peer.mine, peer.port.mac, True)
    endpoint = host.raw(200)
    endpoint.set_option(OPTION_HEADER_INCLUDED, 1)
    endpoint.bind(b"", 0, 0)
    _, packet = peer.packet_bytes(200, bytes(50), src=peer.theirs, dst=peer.mine)
    assert endpoint.send([packet], len(packet), peer.mine, 0, 0) == 0
    assert moved(host, family) == {
        "out_requests": 1,
        "out_transmits": 1,
        "out_octets": len(packet),
    }


def test_the_snapshot_has_everything(world: World, family: int) -> None:
    host, _ = world.host()
    shot = host.stack.snapshot()["ip4" if family == addr.V4 else "ip6"]
    assert {"in_receives", "out_transmits", "reasm_reqds", "in_truncated_pkts"} <= set(shot)
