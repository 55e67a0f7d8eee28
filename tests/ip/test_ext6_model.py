# SPDX-License-Identifier: MIT
"""The walk over extension headers against a literal reading of the RFCs, on random chains.

`Model` follows RFC 8200 4, with RFC 5095, 6946, 7112, 8504 5.3 and 8883, header by header, and says
what must become of a packet: it reaches the transport, waits for more fragments, or ends with an
ICMPv6 error of a certain type, code and pointer, or in silence.
"""

from __future__ import annotations

from typing import Final

from hypothesis import event, given, settings
from hypothesis import strategies as st

from stack.base import addr
from stack.transport.datagram_seam import DatagramSink, Received
from stack.wire import ethernet, icmp6, ipv6
from tests.harness import Host, Peer, World, quiet

HOP, ROUTE, FRAG, NONE, DST, UDP, TCP, ICMP = 0, 43, 44, 59, 60, 17, 6, 58
HEADERS: Final = 5
OPTIONS: Final = 3
OCTETS: Final = 96

Verdict = tuple[str, int, int]
"""("reaches", protocol, offset), ("waits", 0, 0), SILENCE or ("problem", code, pointer)."""

SILENCE: Final = ("silence", 0, 0)


class Model:
    """One packet whose octets are `data`, IPv6 header included, sent to us or to a group."""

    def __init__(self, data: bytes, group: bool) -> None:
        self.data = data
        self.group = group
        self.end = 40 + int.from_bytes(data[4:6], "big")

    def judge(self) -> Verdict:
        verdict = self._walk()
        if verdict[0] != "problem":
            return verdict
        _, code, pointer = verdict
        anyway = code == 2 and pointer < len(self.data) and self.data[pointer] >> 6 == 2
        return SILENCE if self.group and not anyway else verdict

    def _walk(self) -> Verdict:
        data, end = self.data, self.end
        named, at, number = 6, 40, 0
        while True:
            kind = data[named]
            if kind == NONE:
                return SILENCE
            if kind not in (HOP, ROUTE, FRAG, DST):
                if kind not in (UDP, TCP, ICMP):
                    return ("problem", 1, named)
                return ("reaches", kind, at)
            if kind == HOP and number:
                return ("problem", 1, named)
            number += 1
            if number > HEADERS:
                return ("problem", 8, at)
            if kind == FRAG:
                if end - at < 8:
                    return SILENCE
                bits = data[at + 2] << 8 | data[at + 3]
                if bits & ~6:  # neither an offset nor more: atomic
                    return self._fragment(at, bits & ~7, bits & 1)
                named, at = at, at + 8
                continue
            size = 8 * (data[at + 1] + 1) if end - at >= 8 else 0
            if not size or at + size > end:
                return SILENCE
            if at + size - 40 > OCTETS:
                return ("problem", 7, at)
            if kind == ROUTE:
                if data[at + 3]:
                    return ("problem", 0, at + 2)
            else:
                verdict = self._options(at + 2, at + size)
                if verdict is not None:
                    return verdict
            named, at = at, at + size

    def _fragment(self, at: int, offset: int, more: int) -> Verdict:
        size = self.end - at - 8
        if more and size % 8:
            return ("problem", 0, 4)
        if not size:
            return SILENCE
        if at - 40 + offset + size > 65535:
            return ("problem", 0, at + 2)
        if offset == 0 and not self._whole_chain(self.data[at], at + 8):
            return ("problem", 3, 0)
        return ("waits", 0, 0)

    def _whole_chain(self, kind: int, at: int) -> bool:
        while kind in (HOP, ROUTE, FRAG, DST):
            if self.end - at < 8:
                return False
            size = 8 if kind == FRAG else 8 * (self.data[at + 1] + 1)
            if at + size > self.end:
                return False
            if kind == FRAG and (self.data[at + 2] << 8 | self.data[at + 3]) & ~7:
                return True  # what follows is no header
            kind, at = self.data[at], at + size
        return self.end - at >= {UDP: 8, TCP: 20, ICMP: 8}.get(kind, 0)

    def _options(self, at: int, end: int) -> Verdict | None:
        found = []
        while at < end:
            if self.data[at] == 0:
                at += 1
                continue
            if at + 1 >= end or at + 2 + self.data[at + 1] > end:
                return SILENCE
            if self.data[at] != 1:
                found.append(at)
            at += 2 + self.data[at + 1]
        for where in found[:OPTIONS]:
            action = self.data[where] >> 6
            if action == 1 or (action == 3 and self.group):
                return SILENCE
            if action:
                return ("problem", 2, where)
        return ("problem", 9, found[OPTIONS]) if len(found) > OPTIONS else None


# Chains, mostly sensible.

option = st.one_of(
    st.just(b"\0"),
    st.integers(0, 6).map(lambda n: bytes((1, n)) + bytes(n)),
    st.sampled_from((b"\x05\x02\0\0", b"\x04\x01\x08", b"\x1e\0", b"\x45\0", b"\x8a\x01x")),
    st.sampled_from((b"\xc9\x10" + bytes(16), b"\xc2\x04\0\1\0\0", b"\x05\x09")),
)


def sized(body: bytes, lie: int) -> bytes:
    """A header's octets after its next-header field, filled up to eight."""
    body += bytes(-(len(body) + 2) % 8)
    return bytes(((len(body) + 2) // 8 - 1 + lie,)) + body


lies = st.sampled_from((0,) * 12 + (1, 9))
options = st.builds(
    lambda parts, lie: sized(b"".join(parts), lie), st.lists(option, max_size=5), lies
)
routing = st.builds(
    lambda kind, left, extra, lie: sized(bytes((kind, left, 0, 0, 0, 0)) + bytes(8 * extra), lie),
    st.sampled_from((0, 2, 3, 4, 253)),
    st.sampled_from((0, 0, 1)),
    st.integers(0, 2),
    lies,
)
fragment = st.builds(
    lambda reserved, bits: bytes((reserved,)) + bits.to_bytes(2, "big") + b"\0\0\0\x09",
    st.sampled_from((0, 255)),
    st.sampled_from((0, 0, 6, 1, 8, 9, 0xFFF8)),
)
header = st.one_of(
    st.tuples(st.sampled_from((HOP, DST, DST)), options),
    st.tuples(st.just(ROUTE), routing),
    st.tuples(st.just(FRAG), fragment),
)
last = st.tuples(
    st.sampled_from((UDP, UDP, TCP, ICMP, NONE, 50, 51, 4, 41, 135, 222)), st.binary(max_size=30)
)


def packet(
    peer: Peer, dst: bytes, chain: list[tuple[int, bytes]], tail: tuple[int, bytes]
) -> bytes:
    following, data = tail
    for kind, body in reversed(chain):
        following, data = kind, bytes((following,)) + body + data
    return ipv6.build(0, 0, len(data), following, 64, peer.v6, dst) + data


def error(host: Host, peer: Peer) -> tuple[int, int] | None:
    """Code and pointer of the parameter problem that came, if one came."""
    seen = peer.next_ip()
    if seen is None or seen.pkt.proto != ICMP or seen.body[0] != icmp6.PARAMETER_PROBLEM:
        return None
    return seen.body[1], int.from_bytes(seen.body[4:8], "big")


@settings(max_examples=400)
@given(st.lists(header, max_size=7), last, st.booleans(), st.integers(0, 12))
def test_random_chains_by_the_model(
    chain: list[tuple[int, bytes]], tail: tuple[int, bytes], group: bool, cut: int
) -> None:
    world = World()
    config = quiet(
        extension_limit=HEADERS,
        option_limit=OPTIONS,
        extension_chain_limit=OCTETS,
        icmp_host_rate=0,
    )
    host, peer = world.host(config)
    peer.family = addr.V6
    dst = addr.ALL_NODES if group else host.v6
    data = packet(peer, dst, chain, tail)
    if cut < 9 and len(data) - cut > 40:
        # Cut short within the headers, and the length says so.
        data = data[: len(data) - cut]
        data = data[:4] + (len(data) - 40).to_bytes(2, "big") + data[6:]
    if data[6] == HOP and len(data) == 40:
        return  # a length of zero is told of elsewhere
    before = host.stack.v6.counters
    mac = addr.multicast_mac(dst) if group else None
    peer.frame(ethernet.TYPE_IPV6, data, mac)
    world.run(0)
    what, number, where = Model(data, group).judge()
    event(f"{what} {number}")
    counters = host.stack.v6.counters
    delivered = counters.in_delivers - before.in_delivers
    # A neighbour is looked for where there is an answer: that is delivered too.
    asked = counters.in_receives - before.in_receives - 1
    assert (delivered - asked == 1) == (what == "reaches")
    assert counters.reasm_reqds == (what == "waits")
    if what == "problem":
        assert error(host, peer) == (number, where)
    elif what != "reaches":
        assert peer.next_ip() is None


class Sink(DatagramSink):
    def __init__(self, got: list[bytes]) -> None:
        self.got = got

    def received(self, batch: list[Received]) -> int:
        self.got += [bytes(one.view) for one in batch]
        return len(batch)


@settings(max_examples=200)
@given(st.lists(header, min_size=1, max_size=4), last)
def test_the_transport_gets_what_the_model_says(
    chain: list[tuple[int, bytes]], tail: tuple[int, bytes]
) -> None:
    world = World()
    host, peer = world.host(quiet(option_limit=OPTIONS, extension_chain_limit=OCTETS))
    peer.family = addr.V6
    raw = host.raw(UDP)
    got: list[bytes] = []

    raw.attach(Sink(got))
    raw.bind(b"", 0, 0)
    data = packet(peer, host.v6, chain, (UDP, tail[1]))
    peer.frame(ethernet.TYPE_IPV6, data)
    world.run(0)
    model = Model(data, False)
    what, _, at = model.judge()
    assert got == ([data[at : model.end]] if what == "reaches" else [])
