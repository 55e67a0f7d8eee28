# SPDX-License-Identifier: MIT
"""A host called alpha that speaks LLMNR, and a station on its link."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scapy.layers.dns import DNSQR, DNSRR
from scapy.layers.llmnr import LLMNRQuery, LLMNRResponse

from stack.base import addr
from stack.base.units import SECOND
from stack.services import llmnr_claim
from stack.wire.tcp import ACK, PSH
from tests.harness import World
from tests.services.linkpeer import Heard, LinkScene

NAME = "alpha."
LOCAL = "fe80::ff:fe00:1"
SPORT = 50000
ALL = {"A 10.77.0.1", "AAAA fd77::1", f"AAAA {LOCAL}"}


class LlmnrScene(LinkScene):
    """A host that speaks LLMNR."""

    def __init__(self, world: World, family: int, mtu: int = 1500, **settings: object) -> None:
        settings.setdefault("llmnr", True)
        super().__init__(world, family, 5355, mtu, **settings)

    @property
    def state(self) -> int:
        assert self.links.llmnr is not None
        return int(self.links.llmnr.state(self.host.nic))

    def settle(self) -> None:
        """The name is verified."""
        self.run(2 * SECOND)
        assert self.state == llmnr_claim.UNIQUE
        self.heard()

    def asks(self, message: Any, **how: Any) -> list[Heard]:
        """One query, and what comes back at once."""
        how.setdefault("sport", SPORT)
        self.heard()
        self.says(message, **how)
        return self.heard()

    def answers(self, heard: Heard, *records: DNSRR, src: str = "", **flags: Any) -> None:
        """A response to a query of the host's."""
        made = LLMNRResponse(id=heard.dns.id, qd=list(heard.llmnr.qd), an=list(records), **flags)
        self.says(made, dst=heard.src, sport=5355, dport=heard.sport, src=src)


def scene(world: World, family: int, **settings: object) -> LlmnrScene:
    return LlmnrScene(world, family, 1500, **settings)


def settled(world: World, family: int, **settings: object) -> LlmnrScene:
    mine = scene(world, family, **settings)
    mine.settle()
    return mine


def ask(name: str = NAME, kind: int = 255, ident: int = 7, qclass: int = 1, **flags: Any) -> Any:
    return LLMNRQuery(id=ident, qd=[DNSQR(qname=name, qtype=kind, qclass=qclass)], **flags)


def data(records: Iterable[tuple[str, str, int]]) -> set[str]:
    return {text for _, text, _ in records}


def smaller(mine: LlmnrScene) -> str:
    """An address of the link that is below the host's own source."""
    return "10.77.0.0" if mine.family == addr.V4 else "fe80::1"


def larger(mine: LlmnrScene) -> str:
    return "10.77.0.9" if mine.family == addr.V4 else "fe80::ffff:0:0:9"


class Session:
    """A connection of the station's to port 5355."""

    def __init__(self, mine: LlmnrScene, sport: int = 40000) -> None:
        self.mine = mine
        peer = mine.peer
        peer.sport, peer.dport = sport, 5355
        synack = peer.handshake(seq=100)
        self.next = synack.seq + 1
        self.seq = 101

    def send(self, octets: bytes, flags: int = PSH) -> None:
        self.mine.peer.sends(ACK | flags, seq=self.seq, ack=self.next, data=octets)
        self.seq += len(octets)

    def ask(self, message: Any) -> None:
        wire = bytes(message)
        self.send(len(wire).to_bytes(2, "big") + wire)

    def answer(self) -> tuple[bytes, int]:
        """What the host sends next, and its flags."""
        self.mine.world.run(0)
        octets, flags = b"", 0
        while (seen := self.mine.peer.next_tcp()) is not None:
            assert seen.seg is not None
            octets += seen.data
            flags |= seen.seg.flags
            self.next = seen.seg.seq + len(seen.data)
        return octets, flags
