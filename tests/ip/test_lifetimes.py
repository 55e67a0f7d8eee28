# SPDX-License-Identifier: MIT
"""From preferred to deprecated to invalid (RFC 4862 5.5.4), renewals (5.5.3 e), and what an address
that goes takes with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import TCP, UDP
from scapy.layers.inet6 import IPv6

from stack.base import addr, status
from stack.base.timers import NEVER
from stack.base.units import SECOND
from stack.ip.addrconf import DEPRECATED, DHCP, INVALID, MANUAL, PREFERRED, SLAAC
from stack.ip.slaac import TWO_HOURS, renewed
from stack.tcp.names import ESTABLISHED
from stack.wire.tcp import ACK, RST, SYN
from tests.harness import quiet
from tests.ip.addressing import FOREVER, Scene
from tests.tcp.users import User, serve

HOUR = 3600 * SECOND


def text(family: int) -> str:
    return "10.77.0.7" if family == addr.V4 else "fd77::7"


def far(family: int) -> str:
    return "10.77.0.9" if family == addr.V4 else "fd77::9"


def lend(scene: Scene, family: int, preferred: int, valid: int) -> str:
    """Give the stack a second address for so many seconds."""
    own = text(family)
    layer = scene.stack.host.layer_of(addr.parse(own))
    length = 24 if family == addr.V4 else 64
    layer.add_address(
        scene.nic,
        addr.parse(own),
        length,
        preferred=NEVER if preferred == FOREVER else preferred * SECOND,
        valid=NEVER if valid == FOREVER else valid * SECOND,
        origin=DHCP,
    )
    return own


# The clock.


def test_preferred_then_deprecated_then_gone(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    scene.run(99.9)
    assert scene.state(own) == PREFERRED
    scene.run(0.2)
    assert scene.state(own) == DEPRECATED
    scene.run(199.7)
    assert scene.has(own)
    scene.run(0.3)
    assert not scene.has(own)
    assert scene.moves.seen == [
        (own, PREFERRED, False),
        (own, DEPRECATED, False),
        (own, INVALID, True),
    ]
    layer = scene.stack.host.layer_of(addr.parse(own))
    assert layer.addresses.counters.moved() == {"expired": 1}
    assert [line.split()[-1] for line in scene.world.trace.lines if own in line] == [
        "preferred",
        "deprecated",
        "invalid",
    ]


def test_an_address_for_ever_has_no_timer(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, FOREVER, FOREVER)
    assert not scene.entry(own).life.armed
    scene.run(10**6)
    assert scene.state(own) == PREFERRED


def test_preferred_never_outlasts_valid(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, FOREVER, 100)
    scene.run(101)
    assert not scene.has(own)
    assert DEPRECATED not in scene.moves.of(own)


def test_a_renewal_in_time_changes_nothing(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    layer = scene.stack.host.layer_of(addr.parse(own))
    path = layer.path(addr.parse(far(family)))
    for _ in range(10):
        scene.run(90)
        lend(scene, family, 100, 300)
    assert scene.moves.of(own) == [PREFERRED]
    assert path is not None
    assert path.valid


def test_a_renewal_raises_the_deprecated(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    scene.run(200)
    lend(scene, family, 100, 300)
    assert scene.state(own) == PREFERRED
    scene.run(150)
    lend(scene, family, 0, 300)
    scene.run(299)
    assert scene.state(own) == DEPRECATED
    scene.run(2)
    assert not scene.has(own)
    assert scene.moves.of(own) == [PREFERRED, DEPRECATED, PREFERRED, DEPRECATED, INVALID]


def test_a_valid_lifetime_of_nothing_ends_it_at_once(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    lend(scene, family, 0, 0)
    assert not scene.has(own)


def test_what_a_person_types_in_is_his(family: int) -> None:
    """A leased address that is then given by hand is given."""
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    scene.stack.add_address(scene.nic, own, scene.entry(own).prefix_length)
    scene.run(1000)
    assert (scene.state(own), scene.entry(own).origin) == (PREFERRED, MANUAL)


# Deprecated: RFC 4862 5.5.4, RFC 6724 5 rule 3.


def test_a_deprecated_address_is_a_source_only_in_need(family: int) -> None:
    scene = Scene(quiet())
    first = addr.text(scene.host.address(family))
    own = lend(scene, family, 0, 300)
    layer = scene.stack.host.layer_of(addr.parse(own))
    assert scene.state(own) == DEPRECATED
    assert scene.source(far(family)) == first
    scene.stack.remove_address(first)
    assert scene.source(far(family)) == own
    path = layer.path(addr.parse(far(family)), addr.parse(own))
    assert path is not None  # whoever asks for it gets it


def reach(scene: Scene, family: int, own: str) -> list[User]:
    """A connection from the peer to `own`, established; the list will have those that follow."""
    acceptor = serve(scene.host)
    scene.peer.family = family
    if family == addr.V4:
        scene.host.v4 = addr.parse(own)
    else:
        scene.host.v6 = addr.parse(own)
    again(scene)
    assert len(acceptor.users) == 1
    return acceptor.users


def again(scene: Scene) -> None:
    scene.peer.sport += 1
    scene.peer.handshake()
    scene.world.run(0)


def test_a_deprecated_address_goes_on_working(family: int) -> None:
    """For what has begun, and for what others begin."""
    scene = Scene(quiet())
    own = lend(scene, family, 10, 300)
    users = reach(scene, family, own)
    scene.run(20)
    assert scene.state(own) == DEPRECATED
    peer = scene.peer
    peer.sends(ACK, seq=101, ack=peer.iss + 1, data=b"hello")
    scene.run(1)
    assert peer.sees(ack=106).flags == ACK
    again(scene)
    assert len(users) == 2


# Invalid.


def lose(scene: Scene, own: str, how: str) -> None:
    if how == "expired":
        scene.run(301)
    else:
        assert scene.stack.remove_address(own)
        scene.world.run(0)


@pytest.mark.parametrize("how", ["expired", "removed"])
def test_connections_end_with_the_address(family: int, how: str) -> None:
    """They are aborted, and the peer is told as long as the address may still speak: not once its
    lifetime is over (RFC 4862 5.5.4)."""
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    (user,) = reach(scene, family, own)
    (tcb,) = scene.stack.tcp.connections()
    assert tcb.state == ESTABLISHED
    lose(scene, own, how)
    assert user.final == "ABORTED"
    assert scene.stack.tcp.connections() == []
    resets = [p for _, p in scene.heard(TCP) if int(p[TCP].flags) & RST]
    assert len(resets) == (how == "removed")
    assert not tcb.path.valid
    assert not any(timer.armed for timer in scene.host.tcp_timers())


def test_a_connection_that_is_being_opened_ends_too(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    scene.peer.silent = True
    stream = scene.host.stream()
    user = User(stream)
    stream.attach(user)
    assert stream.bind(addr.parse(own), 0, 0) == status.OK
    assert stream.connect(addr.parse(far(family)), 80, 0, "connect") == status.PENDING
    scene.world.run(0)
    scene.stack.remove_address(own)
    scene.world.run(0)
    assert user.events[0] == ("connect", "ABORTED", 0)
    assert scene.stack.tcp.connections() == []


def test_other_connections_notice_nothing(family: int) -> None:
    scene = Scene(quiet())
    own = addr.text(scene.host.address(family))
    (user,) = reach(scene, family, own)
    lend(scene, family, 100, 300)
    scene.run(301)
    assert user.final == ""
    peer = scene.peer
    peer.sends(ACK, seq=101, ack=peer.iss + 1, data=b"hello")
    scene.run(1)
    assert peer.sees(ack=106).flags == ACK


def test_a_listener_waits_for_its_address_to_come_back(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    users = reach(scene, family, own)
    scene.run(301)
    peer = scene.peer
    peer.received()
    peer.inbox.clear()
    peer.sport += 1
    peer.sends(SYN, seq=100)
    peer.sees_nothing(SECOND)
    lend(scene, family, 100, 300)
    again(scene)
    assert len(users) == 2


def test_a_datagram_endpoint_stays_bound_to_no_avail(family: int) -> None:
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    endpoint = scene.host.datagram()
    assert endpoint.bind(addr.parse(own), 7, 0) == status.OK
    scene.run(301)
    packed = addr.parse(far(family))
    assert endpoint.send((b"x",), 1, packed, 9, 0) == status.NO_ROUTE
    lend(scene, family, 100, 300)
    assert endpoint.send((b"x",), 1, packed, 9, 0) == status.OK
    scene.world.run(0)


def test_nothing_is_left_of_it(family: int) -> None:
    """Routes, groups, broadcasts, paths, indices: as if it had never been."""
    scene = Scene(quiet())
    layer = scene.stack.host.layer_of(addr.parse(text(family)))
    routes, groups = scene.stack.host.routes, scene.stack.host.groups
    other = "192.0.2.7" if family == addr.V4 else "2001:db8:5::5:7"
    length = 24 if family == addr.V4 else 64
    packed = addr.parse(other)
    before = len(routes.all())
    layer.add_address(scene.nic, packed, length, valid=10 * SECOND)
    assert len(routes.all()) == before + 1
    on_link = addr.parse("192.0.2.9" if family == addr.V4 else "2001:db8:5::9")
    path = layer.path(on_link)
    assert path is not None
    if family == addr.V4:
        assert layer.is_broadcast(scene.nic.index, addr.parse("192.0.2.255"))
    else:
        assert groups.joined(scene.nic.index, addr.solicited_node(packed))
    scene.run(11)
    assert len(routes.all()) == before
    assert not path.valid
    assert layer.path(on_link) is None
    assert not layer.is_broadcast(scene.nic.index, addr.parse("192.0.2.255"))
    assert not groups.joined(scene.nic.index, addr.solicited_node(packed))
    assert packed not in layer.local
    assert all(entry.address != packed for entry in layer.addresses.on(scene.nic.index))


def test_a_prefix_and_its_broadcast_stay_while_another_address_has_them() -> None:
    scene = Scene(quiet())
    own = lend(scene, addr.V4, 10, 20)
    scene.run(21)
    assert not scene.has(own)
    assert scene.source("10.77.0.9") == "10.77.0.1"
    assert scene.stack.v4.is_broadcast(scene.nic.index, addr.parse("10.77.0.255"))


def test_a_lease_with_another_mask_moves_the_route() -> None:
    scene = Scene(quiet())
    scene.stack.add_address(scene.nic, "192.0.2.7", 25)
    scene.stack.add_address(scene.nic, "192.0.2.7", 24)
    routes = [r.length for r in scene.stack.host.routes.all() if r.prefix == b"\xc0\0\2\0"]
    assert routes == [24]
    v4, index = scene.stack.v4, scene.nic.index
    assert not v4.is_broadcast(index, addr.parse("192.0.2.127"))
    assert v4.is_broadcast(index, addr.parse("192.0.2.255"))


def test_an_address_moves_to_another_interface(family: int) -> None:
    """It is one interface's at a time."""
    scene = Scene(quiet())
    own = lend(scene, family, 100, 300)
    other = scene.world.pair()[0].port
    nic = scene.stack.add_nic(other, "second")
    length = 24 if family == addr.V4 else 64
    entry = scene.stack.add_address(nic, own, length)
    assert scene.entry(own) is entry
    manager = entry.manager
    assert entry in manager.on(nic.index)
    assert all(e.address != entry.address for e in manager.on(scene.nic.index))
    scene.run(400)
    assert scene.state(own) == PREFERRED


# RFC 4862 5.5.3 e.


def literal(remaining: int, valid: int) -> int:
    """The text of the RFC, sentence by sentence."""
    # 1. If the received Valid Lifetime is greater than 2 hours or greater than RemainingLifetime,
    #    set the valid lifetime of the corresponding address to the advertised Valid Lifetime.
    if valid > 2 * HOUR:
        return valid
    if valid > remaining:
        return valid
    # 2. If RemainingLifetime is less than or equal to 2 hours, ignore the option.
    if remaining <= 2 * HOUR:
        return remaining
    # 3. Otherwise, reset the valid lifetime of the corresponding address to 2 hours.
    return 2 * HOUR


def lifetimes() -> st.SearchStrategy[int]:
    near = st.integers(TWO_HOURS - 2, TWO_HOURS + 2)
    return st.one_of(st.integers(0, 4 * HOUR), near, st.sampled_from((0, 1, NEVER, NEVER - 1)))


@given(lifetimes(), lifetimes())
def test_the_two_hour_rule(remaining: int, valid: int) -> None:
    out = renewed(remaining, valid)
    assert out == literal(remaining, valid)
    # And what it is for: no advertisement takes more than is left beyond two hours.
    assert out >= min(remaining, TWO_HOURS)


@given(st.lists(st.tuples(st.integers(0, 20000), st.integers(0, 30000)), max_size=12))
def test_the_two_hour_rule_in_a_running_stack(story: list[tuple[int, int]]) -> None:
    """A sequence of advertisements, each so many seconds after the last, and the reference."""
    scene = Scene(quiet(temporary_addresses=False))
    scene.advertise(valid=30000, preferred=100)
    until = scene.world.now + 30000 * SECOND
    for pause, valid in story:
        scene.world.run(pause * SECOND)
        alive = until > scene.world.now
        assert [e.valid_until for e in scene.of_origin(SLAAC)] == [until] * alive
        scene.advertise(valid=valid, preferred=min(valid, 100))
        left = max(until - scene.world.now, 0)
        until = scene.world.now + literal(left, valid * SECOND)


def test_the_preferred_lifetime_is_always_taken() -> None:
    """5.5.3 e, the last sentence: whatever becomes of the valid one."""
    scene = Scene(quiet(temporary_addresses=False))
    scene.advertise(valid=86400, preferred=3600)
    (entry,) = scene.of_origin(SLAAC)
    scene.advertise(valid=60, preferred=30)  # 3: two hours
    assert entry.valid_until == scene.world.now + TWO_HOURS
    assert entry.preferred_until == scene.world.now + 30 * SECOND
    scene.advertise(valid=0, preferred=0)  # 2: ignored
    assert entry.valid_until == scene.world.now + TWO_HOURS
    assert entry.state == DEPRECATED
    scene.advertise(valid=60, preferred=60)
    assert entry.state == PREFERRED
    scene.advertise(valid=FOREVER, preferred=FOREVER)
    assert (entry.valid_until, entry.preferred_until) == (NEVER, NEVER)
    scene.advertise(valid=7201, preferred=7201)
    assert entry.valid_until == scene.world.now + 7201 * SECOND


def test_traffic_of_an_invalid_address_is_dropped(family: int) -> None:
    """SL-11: neither source nor destination."""
    scene = Scene(quiet())
    own = lend(scene, family, 1, 2)
    scene.run(3)
    scene.peer.family = family
    if family == addr.V4:
        scene.host.v4 = addr.parse(own)
    else:
        scene.host.v6 = addr.parse(own)
    scene.peer.sends_udp(b"?")
    scene.world.run(0)
    assert scene.host.drops() == {"ip_not_local": 1}
    assert scene.heard(UDP) == []
    assert all(p[IPv6].src != own for _, p in scene.heard(IPv6))
