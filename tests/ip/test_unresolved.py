# SPDX-License-Identifier: MIT
"""Packets whose next hop never answers, in forms that only others build."""

from __future__ import annotations

import pytest

from stack.base import addr
from stack.base.units import SECOND
from stack.wire import ext6
from tests.harness import World
from tests.harness.routing import Crossing


@pytest.mark.parametrize("body", [b"", b"\6", ext6.build_fragment(17, 8, True, 9) + bytes(16)])
def test_a_forwarded_fragment_whose_next_hop_does_not_answer(world: World, body: bytes) -> None:
    """A router does not look behind the IPv6 header, so nothing of what follows is certain."""
    crossing = Crossing(world, addr.V6)
    crossing.far.silent = True
    crossing.near.packet(ext6.FRAGMENT, body, dst=crossing.far.mine)
    world.run(5 * SECOND)
    assert crossing.drops() == {"neighbor_failed": 1}


@pytest.mark.parametrize("data", [b"", b"\6", bytes(40)])
def test_a_raw_packet_that_says_it_is_a_fragment(world: World, data: bytes) -> None:
    """What a raw endpoint sends has the header that its user gave it, or none."""
    host, peer = world.host()
    peer.silent = True
    raw = host.raw(ext6.FRAGMENT)
    raw.bind(b"", 0, 0)
    assert raw.send([data], len(data), peer.v6, 0, 0) == 0
    world.run(5 * SECOND)
    assert host.drops() == {"neighbor_failed": 1}
