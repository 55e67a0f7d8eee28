# SPDX-License-Identifier: MIT
"""Datagrams of one flow that are read in one turn: taken together, as if each had come alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr, checksum
from stack.base.status import OK
from stack.transport.datagram_seam import DatagramSink, Received
from stack.transport.options import OPTION_RECEIVE_BUFFER
from stack.wire import ethernet, udp, vnet
from tests.harness import RecordingPort, World


class Ear(DatagramSink):
    """Keeps what it is shown; grants it back unless `keep`."""

    def __init__(self, endpoint: Any, keep: bool = False) -> None:
        self.endpoint = endpoint
        self.keep = keep
        self.heard: list[tuple[object, ...]] = []
        self.frames: list[object] = []

    def received(self, batch: list[Received]) -> int:
        for one in batch:
            self.frames.append(one.view.obj)
            self.heard.append(
                (
                    bytes(one.view),
                    (one.address, one.port, one.local, one.scope, one.group),
                    (one.charge, one.tos, one.ttl, one.count, one.segment, one.options),
                )
            )
        if not self.keep:
            self.endpoint.grant(sum(one.charge for one in batch))
        return len(batch)


class Hearer:
    """An endpoint on port 7 and frames for it."""

    def __init__(self, family: int, room: int = 0, only: bool = False, keep: bool = False) -> None:
        self.world = World(seed=1)
        ports: list[RecordingPort] = []

        def record(port: Any) -> Any:
            ports.append(RecordingPort(port))
            return ports[-1]

        self.host, self.peer = self.world.host(wrap=record)
        self.port = ports[0]
        self.peer.family = family
        endpoint = self.host.datagram()
        self.ear = Ear(endpoint, keep)
        endpoint.attach(self.ear)
        assert endpoint.bind(b"", 7, 0) == OK
        if room:
            endpoint.set_option(OPTION_RECEIVE_BUFFER, room)
        if only:
            endpoint.restrict(self.peer.mine, 4000)

    def frame(
        self,
        data: bytes,
        sport: int = 4000,
        dport: int = 7,
        check: int = -1,
        wrong: int = 0,
        longer: int = 0,
        **packet: Any,
    ) -> bytes:
        peer = self.peer
        bare = udp.HEADER.pack(sport, dport, 8 + len(data) + longer, 0) + data
        bare = peer.checked(17, bare, 6, peer.mine, packet.get("dst", peer.theirs))
        if check >= 0:
            bare = bare[:6] + check.to_bytes(2, "big") + bare[8:]
        bare = bare[:-1] + bytes((bare[-1] ^ wrong,))
        kind, whole = peer.packet_bytes(17, bare, **packet)
        return self.host.port.mac + peer.port.mac + kind + whole

    def turn(self, frames: list[bytes], together: bool = True) -> None:
        self.host.hears_frames(frames, together)
        self.world.run(0)


def test_datagrams_lie_in_their_frames(family: int) -> None:
    here = Hearer(family)
    frames = [here.frame(bytes([n]) * (n * 20 + 1)) for n in range(20)]
    here.turn(frames)
    assert [one[0] for one in here.ear.heard] == [bytes([n]) * (n * 20 + 1) for n in range(20)]
    assert list(map(id, here.ear.frames)) == list(map(id, frames))
    assert here.host.stack.udp.counters.in_datagrams == 20
    assert here.host.nic.counters.in_packets == 20


def test_a_wrong_checksum_is_dropped_alone(family: int) -> None:
    here = Hearer(family)
    here.turn([here.frame(bytes([n]) * 50, wrong=int(n in (3, 7, 8))) for n in range(12)])
    right = [bytes([n]) * 50 for n in range(12) if n not in (3, 7, 8)]
    assert [one[0] for one in here.ear.heard] == right
    assert here.host.drops() == {"udp_checksum": 3}


def test_no_checksum_is_forbidden_in_ipv6_whatever_the_sum(world: World) -> None:
    """Also for a datagram whose octets happen to sum up with a field of zero (RFC 8200 8.1)."""
    here = Hearer(addr.V6)
    first = here.frame(bytes(10))
    plain = here.frame(b"\1\2" + bytes(8), check=0)
    pseudo = checksum.pseudo_sum(here.peer.mine, here.peer.theirs, 17, 18)
    total = pseudo + checksum.data_sum(plain[-18:])
    data = ((0x0102 - total) % 0xFFFF).to_bytes(2, "big") + bytes(8)
    silent = here.frame(data, check=0)
    assert checksum.is_good(pseudo + checksum.data_sum(silent[-18:]))
    here.turn([first, silent, first, first, silent, first])
    assert here.host.drops() == {"udp_no_checksum": 2}
    assert len(here.ear.heard) == 4


def test_a_full_queue_drops_what_is_too_much(family: int) -> None:
    here = Hearer(family, room=2000, keep=True)
    frames = [here.frame(bytes(size)) for size in (500, 500, 700, 700, 20)]
    here.turn(frames)
    assert [one[0] for one in here.ear.heard] == [bytes(size) for size in (500, 500, 700, 20)]
    assert here.host.drops() == {"udp_queue_full": 1}


KINDS = st.sampled_from(
    (
        *("plain", "plain", "plain", "plain", "wrong", "unchecked", "longer", "shorter"),
        *("hops", "class", "other port", "nobody", "fragment", "group", "header"),
    )
)


OTHER_FLOWS = ("other port", "group")
"""Delivered too.  The order of flows may change, and with it who finds a full queue."""


def made(here: Hearer, kind: str, size: int, number: int) -> bytes:
    """A datagram of this kind."""
    data = bytes([number & 0xFF]) * size
    if kind == "header":
        frame = here.frame(data)
        at = ethernet.LENGTH + number % 12
        return frame[:at] + bytes((frame[at] ^ 1,)) + frame[at + 1 :]
    group = "224.0.0.1" if here.peer.family == addr.V4 else "ff02::1"
    how: dict[str, dict[str, Any]] = {
        "wrong": {"wrong": 1 + number % 255},
        "unchecked": {"check": 0},
        "longer": {"longer": number % 9},
        "shorter": {"longer": -number % 9},
        "hops": {"ttl": 1 + number % 3},
        "class": {"tos": number % 4},
        "other port": {"sport": 4001},
        "nobody": {"dport": 9},
        "fragment": {"frag": 0x2000},
        "group": {"dst": addr.parse(group)},
    }
    return here.frame(data, **how.get(kind, {}))


@given(
    st.sampled_from([addr.V4, addr.V6]),
    st.fixed_dictionaries(
        {}, optional={"room": st.just(3000), "only": st.just(True), "keep": st.just(True)}
    ),
    st.lists(
        st.lists(
            st.tuples(KINDS, st.sampled_from([0, 1, 40, 41, 1000]), st.integers(0, 999)),
            min_size=1,
            max_size=24,
        ),
        min_size=1,
        max_size=3,
    ),
    st.booleans(),
)
def test_together_or_one_by_one(
    family: int, settings: Any, turns: list[list[tuple[str, int, int]]], numpy: bool
) -> None:
    """Same datagrams, same counters, same drops, same answers."""
    checksum.use_numpy(numpy)
    together, apart = Hearer(family, **settings), Hearer(family, **settings)
    left_out = OTHER_FLOWS if "room" in settings else ()
    for turn in turns:
        frames = [made(together, *one) for one in turn if one[0] not in left_out]
        if not frames:
            continue
        together.turn(frames)
        apart.turn(frames, together=False)
        flows = [
            sorted(here.ear.heard, key=lambda one: repr(one[1:])) for here in (together, apart)
        ]
        assert flows[0] == flows[1]
        shots = [here.host.stack.snapshot() for here in (together, apart)]
        assert shots[0] == shots[1]
    sent = [sorted(frame[42:] for frame in here.port.frames) for here in (together, apart)]
    assert sent[0] == sent[1]
    checksum.use_numpy(False)


@pytest.mark.parametrize("vouched", [False, True])
def test_behind_a_virtio_net_header(world: World, family: int, vouched: bool) -> None:
    """What the device vouches for is not looked at, here too."""
    host, peer = world.host(offload=True)
    peer.family = family
    endpoint = host.datagram()
    ear = Ear(endpoint)
    endpoint.attach(ear)
    assert endpoint.bind(b"", 7, 0) == OK
    kind, packet = peer.packet_bytes(17, bytes.fromhex("9c400007000900ff41"))
    prefix = vnet.build(0, 0, 0, 34, 6) if vouched else vnet.PLAIN
    host.nic.receive_all([prefix + host.port.mac + peer.port.mac + kind + packet] * 5)
    world.run(0)
    assert len(ear.heard) == (5 if vouched else 0)
    assert host.drops() == ({} if vouched else {"udp_checksum": 5})
