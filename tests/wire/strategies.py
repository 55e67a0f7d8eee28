# SPDX-License-Identifier: MIT
"""Frames for hypothesis: from pure noise to headers that are almost right."""

from __future__ import annotations

from hypothesis import strategies as st

from stack.base.checksum import data_sum, finish
from stack.base.packet import UNICAST, Interface, Packet
from stack.wire import ethernet, ipv4, ipv6

NIC = Interface(1, "test")
noise = st.binary(max_size=200)


def packet(frame: bytes, net: int = 0) -> Packet:
    """`frame` as if it had just been received."""
    return Packet(frame, NIC, net, len(frame), False, 0, UNICAST, 0)


def frames(mac: bytes, v4: bytes, v6: bytes) -> st.SearchStrategy[bytes]:
    """Ethernet frames to a host with these addresses, wrong in every way there is."""
    src4, src6 = bytes((10, 77, 0, 9)), bytes.fromhex("fd77") + bytes(13) + b"\x09"
    protos = st.sampled_from((0, 1, 2, 6, 17, 41, 43, 44, 50, 51, 58, 59, 60, 135, 255))
    kinds = st.sampled_from(
        (ethernet.TYPE_ARP, ethernet.TYPE_IPV4, ethernet.TYPE_IPV6, b"\x88\xcc", b"\x00\x10")
    )
    macs = st.sampled_from((mac, b"\xff" * 6, b"\x33\x33\0\0\0\1", b"\x02\0\0\0\0\x55"))
    sources = st.sampled_from((b"\x02\0\0\0\0\x09", b"\xff" * 6, bytes(6)))

    @st.composite
    def whole4(draw: st.DrawFn) -> bytes:
        body = draw(noise)
        dst = draw(st.sampled_from((v4, v4[:3] + b"\xff", b"\xff" * 4, b"\xe0\0\0\1", b"\1\2\3\4")))
        frag = draw(st.one_of(st.just(0), st.integers(0, 0xFFFF)))
        head = ipv4.build(0, 20 + len(body), 7, frag, 64, draw(protos), src4, dst)
        return head + body

    @st.composite
    def whole6(draw: st.DrawFn) -> bytes:
        body = draw(noise)
        dst = draw(st.sampled_from((v6, b"\xff\x02" + bytes(13) + b"\1", bytes(16))))
        src = draw(st.sampled_from((src6, bytes(16), b"\xff" * 16)))
        return ipv6.build(0, 0, len(body), draw(protos), draw(st.integers(0, 255)), src, dst) + body

    @st.composite
    def bent(draw: st.DrawFn) -> bytes:
        data = bytearray(draw(st.one_of(whole4(), whole6())))
        for _ in range(draw(st.integers(0, 4))):
            data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
        return bytes(data[: draw(st.integers(0, len(data)))])

    @st.composite
    def checked(draw: st.DrawFn) -> bytes:
        """A transport checksum that is right, so that parsing goes deeper."""
        proto = draw(st.sampled_from((1, 6, 17, 58)))
        at = {1: 2, 6: 16, 17: 6, 58: 2}[proto]
        body = draw(st.binary(min_size=20, max_size=120))
        if proto == 17:
            body = body[:4] + len(body).to_bytes(2, "big") + body[6:]
        if proto == 6:
            body = body[:12] + bytes((draw(st.integers(0, 15)) << 4,)) + body[13:]
        src, dst = (src4, v4) if proto != 58 and draw(st.booleans()) else (src6, v6)
        blank = body[:at] + b"\0\0" + body[at + 2 :]
        pseudo = 0 if proto == 1 else int.from_bytes(src + dst, "big") + proto + len(body)
        body = body[:at] + finish(data_sum(blank) + pseudo).to_bytes(2, "big") + body[at + 2 :]
        if len(dst) == 4:
            return ipv4.build(0, 20 + len(body), 7, 0, 64, proto, src, dst) + body
        return ipv6.build(0, 0, len(body), proto, 255, src, dst) + body

    payloads = st.one_of(noise, whole4(), whole6(), bent(), checked())

    @st.composite
    def frame(draw: st.DrawFn) -> bytes:
        payload = draw(payloads)
        kind = draw(kinds)
        if payload and draw(st.integers(0, 3)):
            kind = ethernet.TYPE_IPV6 if payload[0] >> 4 == 6 else ethernet.TYPE_IPV4
        return draw(macs) + draw(sources) + kind + payload

    return st.one_of(frame(), noise)
