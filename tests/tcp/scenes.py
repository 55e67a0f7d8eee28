# SPDX-License-Identifier: MIT
"""Scenes: an established connection between the stack and a segment-writing peer."""

from __future__ import annotations

from typing import Any

from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, SYN
from tests.harness import Host, Peer, World, quiet
from tests.tcp.users import User, serve


class Scene:
    """Established, nothing in flight.  The peer's data starts at 101, the stack's at `iss` + 1."""

    def __init__(
        self,
        world: World,
        family: int,
        options: dict[str, Any] | None = None,
        flags: int = SYN,
        third: int = 0,
        **settings: object,
    ) -> None:
        self.world = world
        self.host: Host
        self.peer: Peer
        self.host, self.peer = world.host(quiet(**settings))
        self.peer.family = family
        acceptor = serve(self.host)
        synack = self.peer.handshake(
            seq=100, flags=flags, third=third, **({"mss": 1000} | (options or {}))
        )
        self.user: User = acceptor.users[0]
        self.iss = synack.seq
        self.tcb: Tcb = self.host.stack.tcp.connections()[0]

    def sends(self, flags: int = ACK, seq: int = 0, ack: int = 0, **how: object) -> None:
        """A segment of the peer; `seq` and `ack` count octets of data from 0."""
        number, answered = 101 + seq, self.iss + 1 + ack
        self.peer.sends(flags, seq=number, ack=answered, **how)

    def sees(self, flags: int | None = None, **expected: object):
        """The stack's next segment; `seq` and `ack` count octets of data from 0."""
        if "seq" in expected:
            expected["seq"] = (self.iss + 1 + expected["seq"]) & 0xFFFFFFFF  # type: ignore[operator]
        if "ack" in expected:
            expected["ack"] = (101 + expected["ack"]) & 0xFFFFFFFF  # type: ignore[operator]
        return self.peer.sees(flags, **expected)

    def sees_nothing(self, span: int = 0) -> None:
        self.peer.sees_nothing(span)

    def sent(self) -> list[tuple[int, int]]:
        """(offset, length) of every segment with data that came, taken off the list."""
        segments = [seen.seg for seen in self.peer.received() if seen.seg is not None]
        base = self.iss + 1
        found = [((seg.seq - base) & 0xFFFFFFFF, seg.length) for seg in segments if seg.length]
        self.peer.inbox.clear()
        return found
