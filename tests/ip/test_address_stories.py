# SPDX-License-Identifier: MIT
"""Whatever happens to addresses in whatever order: tables agree, and every one has its DAD."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stack import Config
from stack.base import addr
from stack.base.units import SECOND
from stack.ip.addrconf import (
    DEPRECATED,
    DUPLICATED,
    INVALID,
    OPTIMISTIC,
    PREFERRED,
    TENTATIVE,
    LocalAddress,
)
from stack.ip.seam import Attendant
from tests.ip.addressing import Scene

FOUR = ("10.77.0.1", "10.77.0.7", "10.99.0.1")
SIX = ("fd77::1", "fd77::7", "2001:db8::1:7", "2001:db8:1::7")
PREFIXES = ("2001:db8:1::", "2001:db8:2::")

times = st.sampled_from((0, 1, 5, 100, 7300, 90000))
deeds = st.one_of(
    st.tuples(st.just("run"), st.sampled_from((0.0, 0.3, 1.0, 5.0, 70.0, 4000.0, 100000.0))),
    st.tuples(st.just("add"), st.sampled_from(FOUR + SIX), times, times, st.booleans()),
    st.tuples(st.just("remove"), st.sampled_from(FOUR + SIX)),
    st.tuples(st.just("claim"), st.integers(0, 20)),
    st.tuples(st.just("probe"), st.integers(0, 20)),
    st.tuples(st.just("advertise"), st.sampled_from(PREFIXES), times, times),
    st.tuples(st.just("link"), st.booleans()),
)

ALLOWED = {
    None: {TENTATIVE, PREFERRED, DEPRECATED},
    TENTATIVE: {TENTATIVE, OPTIMISTIC, PREFERRED, DEPRECATED, DUPLICATED, INVALID},
    OPTIMISTIC: {TENTATIVE, PREFERRED, DEPRECATED, DUPLICATED, INVALID},
    PREFERRED: {DEPRECATED, TENTATIVE, DUPLICATED, INVALID},
    DEPRECATED: {PREFERRED, TENTATIVE, DUPLICATED, INVALID},
    DUPLICATED: {TENTATIVE, INVALID},
    INVALID: set(),
}


class Chart(Attendant):
    """Holds every entry to the arrows of the chart."""

    def __init__(self) -> None:
        self.states: dict[LocalAddress, int] = {}

    def address_changed(self, entry: LocalAddress) -> None:
        before = self.states.get(entry)
        assert entry.state in ALLOWED[before], (before, entry.state)
        assert entry.removed == (entry.state == INVALID)
        self.states[entry] = entry.state


def do(scene: Scene, deed: tuple[Any, ...]) -> None:
    what, *rest = deed
    if what == "run":
        scene.run(*rest)
    elif what == "add":
        text, preferred, valid, probe = rest
        layer = scene.stack.host.layer_of(addr.parse(text))
        layer.add_address(
            scene.nic,
            addr.parse(text),
            64 if layer.size == 16 else 24,
            probe=probe,
            preferred=preferred * SECOND,
            valid=valid * SECOND,
            origin=4,
        )
    elif what == "remove":
        scene.stack.remove_address(*rest)
    elif what in ("claim", "probe"):
        layers = (scene.stack.v4, scene.stack.v6)
        known = [addr.text(e.address) for la in layers for e in la.addresses.on(scene.nic.index)]
        if known:
            intrude(scene, known[rest[0] % len(known)], what == "probe")
    elif what == "advertise":
        prefix, valid, preferred = rest
        scene.advertise(prefix, valid=valid, preferred=preferred)
    else:
        scene.stack.set_link(scene.nic, *rest)


def intrude(scene: Scene, text: str, probing: bool) -> None:
    if ":" not in text:
        scene.arp(1, "0.0.0.0" if probing else text, text)
    elif probing:
        scene.solicit(text)
    else:
        scene.advertise_self(text)


def check(scene: Scene) -> None:
    """Every table tells the same."""
    host, index = scene.stack.host, scene.nic.index
    for layer in (scene.stack.v4, scene.stack.v6):
        manager = layer.addresses
        entries = manager.all
        assert {e.address for nic in host.nics for e in manager.on(nic.index)} == set(entries)
        usable = {address for address, entry in entries.items() if entry.usable}
        assert set(layer.local) == usable
        assert {e.address for nic in host.nics for e in manager.usable(nic.index)} == usable
        for address, entry in entries.items():
            assert not entry.removed
            assert entry.valid_until > scene.world.now
            assert entry.preferred_until <= entry.valid_until
            if entry.state in (PREFERRED, DEPRECATED):
                due = entry.preferred_until > scene.world.now
                assert entry.state == (PREFERRED if due else DEPRECATED)
            if entry.state in (TENTATIVE, OPTIMISTIC) and scene.nic.up:
                disabled = layer.interface(entry.nic).disabled
                assert entry.timer.armed or disabled
            if entry.state == DUPLICATED:
                assert not entry.timer.armed
            if layer.size == 16 and not entry.nic.is_loopback:
                heard = host.groups.joined(index, addr.solicited_node(address))
                shared = any(
                    e.state != DUPLICATED
                    for e in manager.on(index)
                    if addr.solicited_node(e.address) == addr.solicited_node(address)
                )
                assert heard == shared
    four = [e for e in scene.stack.v4.addresses.on(index) if e.usable]
    for text in ("10.77.0.255", "10.99.0.255"):
        packed = addr.parse(text)
        expected = any(addr.directed_broadcast(e.address, 24) == packed for e in four)
        assert scene.stack.v4.is_broadcast(index, packed) == expected
    connected = {
        addr.mask(e.address, e.prefix_length)
        for layer in (scene.stack.v4, scene.stack.v6)
        for e in layer.addresses.on(index)
        if e.on_link and e.state != DUPLICATED
    }
    routes = {r.prefix for r in host.routes.all() if r.origin == 0 and r.nic is scene.nic}
    assert routes == connected


@given(st.lists(deeds, max_size=25), st.booleans(), st.integers(1, 1000))
def test_any_story(story: list[tuple[Any, ...]], optimistic: bool, seed: int) -> None:
    scene = Scene(Config(optimistic_dad=optimistic, router_solicitations=False), seed=seed)
    chart = Chart()
    for layer in (scene.stack.v4, scene.stack.v6):
        for nic in scene.stack.host.nics:
            chart.states |= {entry: entry.state for entry in layer.addresses.on(nic.index)}
    scene.stack.host.attendants.append(chart)
    for deed in story:
        do(scene, deed)
        scene.world.run(0)
        check(scene)
    scene.stack.set_link(scene.nic, True)
    scene.run(200000)
    check(scene)
    scene.world.run()  # everything comes to rest
    disabled = scene.stack.v6.interface(scene.nic).disabled
    for entry, state in chart.states.items():
        held = disabled and len(entry.address) == 16 and state == TENTATIVE
        assert state in (PREFERRED, DUPLICATED, INVALID) or held
