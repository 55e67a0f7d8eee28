# SPDX-License-Identifier: MIT
"""Frames of one turn, given to the interface together or one by one, come to the same.

Same octets for the user, same state of the connection, same counters, same drops, same segments
sent: whatever stands between the segments of a row, and however the rows are cut into turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr, checksum
from stack.base.units import MS
from stack.wire import ethernet, udp
from stack.wire.tcp import ACK, CWR, ECE, FIN, PSH, RST, SYN, URG
from tests.tcp.receiver import Receiver

SIZES = st.sampled_from([1, 60, 200, 511, 600, 1000, 1400, 1401, 1448, 3000, 20_000])

# What the peer does next; the number is for those that need one.
STEPS = st.one_of(
    st.tuples(st.just("rows"), st.integers(2, 12)),
    st.tuples(st.just("data"), SIZES),
    st.tuples(
        st.sampled_from(
            (
                *("gap", "again", "overlap", "push", "clock", "old clock", "window", "no window"),
                *("ack", "pure", "ahead", "marked", "checksum", "header", "hops", "urgent", "cwr"),
                *("other", "datagram", "padded", "stamped otherwise", "fin", "rst", "syn"),
            )
        ),
        st.integers(0, 2000),
    ),
)
TURNS = st.lists(st.lists(STEPS, min_size=1, max_size=12), min_size=1, max_size=4)
SETTINGS: Any = st.fixed_dictionaries(
    {
        "family": st.sampled_from([addr.V4, addr.V6]),
        "ts": st.booleans(),
        "offload": st.booleans(),
        "vouched": st.booleans(),
        "segment": st.sampled_from([0, 536, 1000, 1448]),
        "flags": st.sampled_from([SYN, SYN, SYN | ECE | CWR]),
    },
    optional={
        "tcp_receive_buffer": st.sampled_from([4000, 9000]),
        "tcp_joint_acks": st.just(False),
        "tcp_estats": st.just(True),
        "tcp_strict_timestamps": st.just(False),
    },
)


class Script:
    """The frames of a plan, one turn after the other."""

    def __init__(self, here: Receiver) -> None:
        self.here = here
        self.at = self.other = 0
        self.size = 1000
        self.win = 1000
        self.acked = 1
        self.clock = 5

    def turn(self, steps: list[tuple[str, int]]) -> list[bytes]:
        return [frame for what, number in steps for frame in self.step(what, number)]

    def data(self, flags: int = ACK, size: int = 0, **how: Any) -> bytes:
        """The next segment."""
        size = size or self.size
        frame = self.frame(self.at, size, flags, **how)
        self.at += size
        return frame

    def frame(self, at: int, size: int, flags: int = ACK, **how: Any) -> bytes:
        here = self.here
        data = bytes((at + n) * 7 & 0xFF for n in range(size))
        stamp = (self.clock, 1) if here.ts else None
        ack = here.peer.iss + self.acked
        return here.frame(at, data, flags, **{"ack": ack, "win": self.win, "ts": stamp, **how})

    def step(self, what: str, number: int) -> Iterator[bytes]:
        simple = self.simple(what, number)
        if simple is not None:
            yield simple
        elif what == "rows":
            for _ in range(number):
                yield self.data()
        elif what == "data":
            self.size = number
            yield self.data()
        elif what == "gap":
            self.at += number
        elif what == "clock":
            self.clock += number + 1
        elif what == "old clock":
            self.clock = max(self.clock - 1, 0)
        elif what == "window":
            self.win = 1 + number
        elif what == "no window":
            self.win = 0
        elif what == "ack":
            self.acked = min(self.acked + number, 5001)
        elif what == "checksum":
            frame = self.data()
            at = len(frame) - 1 - number % 40
            yield frame[:at] + bytes((frame[at] ^ 1 << number % 8,)) + frame[at + 1 :]
        elif what == "header":
            frame = self.data()
            at = self.here.host.port.header + 14 + number % 12
            yield frame[:at] + bytes((frame[at] ^ 1 << number % 8,)) + frame[at + 1 :]

    def simple(self, what: str, number: int) -> bytes | None:
        """What is one segment."""
        at = self.at
        if what == "again":
            return self.frame(max(0, at - self.size), self.size)
        if what == "overlap":
            return self.frame(max(0, at - number), self.size)
        if what == "push":
            return self.data(ACK | PSH)
        if what == "pure":
            return self.frame(at, 0)
        if what == "ahead":
            return self.frame(at + number, 0, win=1 + number)
        if what == "marked":
            return self.data(packet={"tos": number & 3})
        if what == "hops":
            return self.data(packet={"ttl": 1 + number % 64})
        if what == "urgent":
            return self.data(ACK | URG, up=number)
        if what == "cwr":
            return self.data(ACK | CWR)
        if what == "padded":
            return self.data() + b"\0"
        if what == "stamped otherwise":
            return self.data(ts=None if number & 1 else (self.clock, 2))
        if what == "fin" and number > 1500:
            return self.frame(at, number & 64, ACK | FIN)
        if what == "rst" and number > 1800:
            return self.frame(at, 0, RST)
        if what == "syn" and number > 1800:
            return self.frame(at, 0, SYN)
        return self.stranger(what)

    def stranger(self, what: str) -> bytes | None:
        """What is not for the connection."""
        if what == "other":
            self.other += 1400
            return self.frame(self.other, 1400, sport=41000)
        if what == "datagram":
            body = udp.HEADER.pack(9, 9, 308, 0) + bytes(300)
            peer = self.here.peer
            kind, packet = peer.packet_bytes(17, peer.checked(17, body, 6, peer.mine, peer.theirs))
            return self.here.around(kind, packet)
        return None


def flow(frame: bytes) -> bytes:
    """What it is an answer to: the order of answers to different flows is free."""
    if frame[12:14] == ethernet.TYPE_ARP:
        return b""
    four = frame[12:14] == ethernet.TYPE_IPV4
    proto, l4 = (frame[23], 34) if four else (frame[20], 54)
    return bytes((proto,)) + (frame[l4 : l4 + 4] if proto == 6 else b"")


def outcome(here: Receiver) -> dict[str, object]:
    """All that can be seen of it."""
    sent = sorted(here.port.frames, key=flow)
    here.port.frames.clear()
    shot = here.host.stack.snapshot()
    return {
        "data": here.user.data,
        "calls": here.user.calls,
        "events": here.user.events,
        "snapshot": shot,
        "connections": here.host.stack.tcp.info(),
        "estats": here.host.stack.tcp.estats(),
        "sent": sent,
        "timers": [(timer.deadline, timer.kind) for timer in here.host.tcp_timers()],
    }


CUTS = st.sets(st.integers(0, 40), max_size=8).map(sorted)


@given(TURNS, SETTINGS, st.booleans(), st.booleans(), CUTS)
def test_together_or_one_by_one(
    turns: list[list[tuple[str, int]]], settings: Any, paused: bool, numpy: bool, cuts: list[int]
) -> None:
    checksum.use_numpy(numpy)
    together, apart = Receiver(**settings), Receiver(**settings)
    scripts = Script(together), Script(apart)
    for here in (together, apart):
        here.user.keep = paused
        here.user.send(bytes(5000))
        here.world.run(0)
    for steps in turns:
        frames = scripts[0].turn(steps)
        assert frames == scripts[1].turn(steps)
        together.turn(frames, cuts=[cut for cut in cuts if cut <= len(frames)])
        apart.turn(frames, together=False)
        assert outcome(together) == outcome(apart)
        for here in (together, apart):
            here.world.run(50 * MS)
    checksum.use_numpy(False)
