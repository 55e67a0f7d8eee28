# SPDX-License-Identifier: MIT
"""DHCPv4: the life of a lease (RFC 2131 3.2, 3.7, 4.4.2, 4.4.4-4.4.6), conflicts (RFC 5227)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import addr, status
from stack.base.timers import NEVER
from stack.base.units import MINUTE, MS, SECOND
from stack.ip.addrconf import DUPLICATED
from stack.wire import dhcp4
from stack.wire import dhcp4_options as opt
from tests.services.dhcp4_kit import LEASE, Scene, scene


def after(it: Scene, when: int) -> float:
    """Seconds since the lease began."""
    lease = it.auto.client.lease
    assert lease is not None
    return (when - lease.since) / SECOND


# RENEWING and REBINDING.


def test_at_t1_the_server_is_asked_by_unicast() -> None:
    it = scene()
    it.bind()
    request = it.server.run_until("request", 2 * LEASE * SECOND)
    message = request.message
    assert (request.src, request.dst) == (it.server.yiaddr, it.server.address)
    assert request.mac == it.server.peer.port.mac
    assert message.ciaddr == it.server.yiaddr
    assert not message.flags & dhcp4.BROADCAST
    assert opt.REQUESTED_ADDRESS not in message.options
    assert opt.SERVER_ID not in message.options
    assert message.options[opt.CLIENT_ID] == it.auto.client.client_id
    it.server.run(0)
    assert it.state() == "bound"
    lease = it.auto.client.lease
    assert lease is not None
    assert lease.since == request.when  # it runs anew from the request
    assert it.counters()["in_acks"] == 2


def test_t1_and_t2_are_half_and_seven_eighths_less_a_random_twentieth() -> None:
    """4.4.5: with some fuzz."""
    early, late = set(), set()
    for seed in range(8):
        it = scene(seed)
        it.bind()
        lease = it.auto.client.lease
        assert lease is not None
        early.add(lease.t1)
        late.add(lease.t2)
    assert all(0.475 <= t1 / (LEASE * SECOND) <= 0.5 for t1 in early)
    assert all(0.83 <= t2 / (LEASE * SECOND) <= 0.875 for t2 in late)
    assert len(early) == len(late) == 8


@pytest.mark.parametrize(
    ("t1", "t2", "expected"),
    [
        (600, 1200, (600, 1200)),
        (600, None, (600, LEASE * 7 / 8)),
        (None, 2000, (LEASE / 2, 2000)),
        (1200, 600, (LEASE / 2, LEASE * 7 / 8)),  # in no order
        (600, 600, (LEASE / 2, LEASE * 7 / 8)),
        (600, LEASE, (LEASE / 2, LEASE * 7 / 8)),  # not before the end
        (600, 0xFFFFFFFF, (LEASE / 2, LEASE * 7 / 8)),
        (0, 1200, (LEASE / 2, LEASE * 7 / 8)),
        (None, 100, (LEASE / 2, LEASE * 7 / 8)),  # before the default T1
    ],
)
def test_the_server_may_set_t1_and_t2(
    t1: int | None, t2: int | None, expected: tuple[float, float]
) -> None:
    it = scene()
    for code, seconds in ((opt.RENEWAL_TIME, t1), (opt.REBINDING_TIME, t2)):
        if seconds is not None:
            it.server.options[code] = seconds.to_bytes(4, "big")
    it.bind()
    lease = it.auto.client.lease
    assert lease is not None
    for actual, wanted in ((lease.t1, expected[0]), (lease.t2, expected[1])):
        assert 0.95 * wanted <= actual / SECOND <= wanted
    assert lease.t1 < lease.t2 < lease.duration


def test_renewing_waits_for_half_of_what_is_left_a_minute_at_least_then_rebinds() -> None:
    """4.4.5, to the end of the lease, and back to INIT."""
    it = scene()
    it.bind()
    it.server.acks = it.server.offers = False
    lease = it.auto.client.lease
    assert lease is not None
    it.server.run(lease.expires - it.world.now - 1)
    log = it.server.take()
    assert {heard.kind for heard in log} == {"request"}
    unicast = [heard for heard in log if heard.dst == it.server.address]
    broadcast = [heard for heard in log if heard.dst == addr.BROADCAST4]
    assert unicast + broadcast == log
    for group, begin, end in (
        (unicast, lease.renews, lease.rebinds),
        (broadcast, lease.rebinds, lease.expires),
    ):
        expected = begin
        for heard in group:
            assert heard.when == expected
            expected += max((end - expected) // 2, MINUTE)
        assert expected >= end  # no more of them would have fitted
        for heard in group:
            assert heard.message.secs == (heard.when - begin) // SECOND
    assert len(unicast) > 3 < len(broadcast)
    assert len({heard.message.xid for heard in log}) == len(log)
    for heard in broadcast:
        assert heard.src == it.server.yiaddr == heard.message.ciaddr
        assert not heard.message.flags & dhcp4.BROADCAST
        assert opt.REQUESTED_ADDRESS not in heard.message.options
        assert opt.SERVER_ID not in heard.message.options
    assert it.state() == "rebinding"
    assert it.address() == it.server.yiaddr
    it.server.run(1)
    assert it.address() == b""
    assert it.routes() == set()
    assert it.host.stack.host.name_servers.servers() == []
    assert it.counters()["expiries"] == 1
    discover = it.server.take()[-1]
    assert discover.kind == "discover"
    assert discover.when == lease.expires
    assert discover.message.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr


def test_what_used_the_address_hears_that_it_is_gone() -> None:
    it = scene()
    it.bind()
    path = it.host.stack.v4.path(it.server.address)
    changes: list[int] = []
    it.host.stack.udp.watch(addr.V4, lambda: changes.append(it.world.now))
    it.server.acks = it.server.offers = False
    it.server.run(LEASE * SECOND)
    assert path is not None
    assert not path.valid
    assert len(changes) == 1


def test_while_rebinding_another_server_may_answer() -> None:
    it = scene()
    it.bind()
    it.server.acks = False
    lease = it.auto.client.lease
    assert lease is not None
    it.server.run(lease.rebinds - it.world.now + SECOND)
    request = it.server.take()[-1].message
    ack = it.server.reply(opt.ACK, request)
    ack.options[opt.SERVER_ID] = addr.parse("192.0.2.2")
    it.server.send(ack)
    assert it.state() == "bound"
    assert it.auto.state()["server"] == "192.0.2.2"
    it.server.address = it.server.peer.v4 = addr.parse("192.0.2.2")
    renewal = it.server.run_until("request", 2 * LEASE * SECOND)
    assert renewal.dst == addr.parse("192.0.2.2")


def test_an_answer_to_an_earlier_renewal_is_ignored() -> None:
    """Each has a transaction of its own, so that it is plain when the lease began."""
    it = scene()
    it.bind()
    it.server.acks = False
    first = it.server.run_until("request", LEASE * SECOND)
    it.server.run_until("request", LEASE * SECOND)
    it.server.ack(first.message)
    assert it.state() == "renewing"
    assert it.dhcp_drops() == {"dhcp4_not_for_us": 1}


@pytest.mark.parametrize("phase", ["renewing", "rebinding"])
def test_a_nak_ends_the_lease_at_once(phase: str) -> None:
    it = scene()
    it.bind()
    it.server.acks = it.server.offers = False
    lease = it.auto.client.lease
    assert lease is not None
    at = lease.renews if phase == "renewing" else lease.rebinds
    it.server.run(at - it.world.now + SECOND)
    assert it.state() == phase
    it.server.refuse(it.server.take()[-1].message)
    it.server.run(0)
    assert it.address() == b""
    assert it.routes() == set()
    assert it.state() == "selecting"
    assert opt.REQUESTED_ADDRESS not in it.server.take()[-1].message.options


def test_an_infinite_lease_is_never_renewed() -> None:
    """3.3: 0xffffffff; whatever T1 says."""
    it = scene()
    it.server.set_lease(0xFFFFFFFF)
    it.server.options[opt.RENEWAL_TIME] = b"\0\0\0\x3c"
    it.bind()
    it.server.run(400 * 86400 * SECOND)
    assert it.server.take() == []
    assert it.state() == "bound"
    shown = it.auto.state()
    assert (shown["t1"], shown["t2"], shown["expires"]) == (None, None, None)
    assert it.host.stack.v4.addresses.all[it.server.yiaddr].valid_until == NEVER


def test_the_longest_finite_lease() -> None:
    it = scene()
    it.server.set_lease(0xFFFFFFFE)
    it.bind()
    assert it.auto.state()["expires"] > 0xFFFFFF00
    it.server.run(86400 * SECOND)
    assert it.state() == "bound"


def test_the_shortest_lease_lives_its_whole_life() -> None:
    """Below two minutes there is no time for retransmissions."""
    it = scene()
    it.server.set_lease(10)
    it.auto.start()
    it.server.run(2 * SECOND)
    it.server.acks = it.server.offers = False
    it.server.take()
    it.server.run(9 * SECOND)
    kinds = it.server.kinds()
    assert kinds[:3] == ["request", "request", "discover"]
    assert it.address() == b""


@pytest.mark.parametrize(("seconds", "taken"), [(59, False), (60, True)])
def test_a_lease_that_is_too_short_is_not_taken(seconds: int, taken: bool) -> None:
    it = scene(dhcp4_lease_min=60 * SECOND)
    it.server.set_lease(seconds)
    it.auto.start()
    it.server.run(3 * SECOND)
    assert (it.state() == "bound") == taken
    assert ("dhcp4_invalid" in it.host.drops()) != taken


def test_address_lifetimes_follow_the_lease() -> None:
    it = scene()
    it.bind()
    entry = it.host.stack.v4.addresses.all[it.server.yiaddr]
    lease = it.auto.client.lease
    assert lease is not None
    assert entry.valid_until == lease.expires
    it.server.run(LEASE * SECOND)
    renewed = it.auto.client.lease
    assert renewed is not None
    assert renewed.expires > lease.expires
    assert it.host.stack.v4.addresses.all[it.server.yiaddr].valid_until == renewed.expires


def test_a_renewal_may_change_everything_but_the_address() -> None:
    it = scene()
    it.bind()
    it.server.options[opt.ROUTER] = addr.parse("192.0.2.2")
    it.server.options[opt.NAME_SERVER] = addr.parse("192.0.2.54")
    it.server.options[opt.SUBNET_MASK] = b"\xff\xff\xff\x80"
    it.server.run(LEASE * SECOND // 2)
    assert it.state() == "bound"
    assert it.routes() == {("192.0.2.0/25", ""), ("0.0.0.0/0", "192.0.2.2")}
    assert it.host.stack.host.name_servers.servers() == [(addr.parse("192.0.2.54"), 0)]


def test_a_renewal_for_another_address_is_ignored() -> None:
    it = scene()
    it.bind()
    it.server.acks = False
    request = it.server.run_until("request", LEASE * SECOND)
    ack = it.server.reply(opt.ACK, request.message)
    ack.yiaddr = addr.parse("192.0.2.51")
    it.server.send(ack)
    assert it.state() == "renewing"
    assert it.dhcp_drops() == {"dhcp4_unexpected": 1}


# RELEASE.


def test_stopping_gives_the_lease_back_by_unicast() -> None:
    """4.4.6."""
    it = scene()
    it.bind()
    it.auto.stop()
    it.server.run(MS)
    (heard,) = it.server.take()
    assert heard.kind == "release"
    assert (heard.src, heard.dst) == (it.server.yiaddr, it.server.address)
    message = heard.message
    assert message.ciaddr == it.server.yiaddr
    assert message.options == {
        opt.MESSAGE_TYPE: b"\7",
        opt.CLIENT_ID: it.auto.client.client_id,
        opt.SERVER_ID: it.server.address,
    }
    assert (message.secs, message.flags) == (0, 0)
    assert it.host.stack.host.name_servers.servers() == []
    it.server.run(SECOND)
    assert it.state() == "stopped"
    assert it.address() == b""
    assert it.routes() == set()
    it.server.run(10 * LEASE * SECOND)
    assert it.server.take() == []


def test_stopping_can_keep_the_lease_for_another_day() -> None:
    """3.2: then it is asked for by INIT-REBOOT."""
    it = scene()
    it.bind()
    it.auto.stop(release=False)
    assert it.state() == "stopped"
    assert it.address() == b""
    it.server.run(SECOND)
    assert it.server.take() == []
    assert it.auto.start("192.0.2.50") == status.OK
    assert it.state() == "init-reboot"
    it.server.run(5 * SECOND)
    assert it.server.kinds() == ["request"]
    assert it.state() == "bound"


def test_starting_again_while_the_release_is_on_its_way() -> None:
    it = scene()
    it.bind()
    it.auto.stop()
    assert it.state() == "releasing"
    assert it.auto.start() == status.OK
    it.server.run(5 * SECOND)
    assert it.state() == "bound"


@pytest.mark.parametrize("wait", [0, 2 * SECOND])
def test_stopping_before_there_is_a_lease_says_nothing(wait: int) -> None:
    it = scene()
    it.server.offers = False
    it.auto.start()
    it.server.run(wait)
    it.server.take()
    it.auto.stop()
    assert it.state() == "stopped"
    it.server.run(MINUTE)
    assert it.server.take() == []
    ours = (it.auto, it.auto.client, it.auto.link_local)
    assert not [timer for timer in it.host.stack.timers.armed() if timer.owner in ours]


# INIT-REBOOT and REBOOTING.


def test_a_remembered_address_is_asked_for_first() -> None:
    """3.2, table 5: requested address, no server identifier, to everybody."""
    it = scene()
    it.server.acks = False
    assert it.auto.start("192.0.2.50") == status.OK
    request = it.server.run_until("request")
    message = request.message
    assert it.state() == "rebooting"
    assert (request.src, request.dst) == (addr.ANY4, addr.BROADCAST4)
    assert message.ciaddr == addr.ANY4
    assert message.flags & dhcp4.BROADCAST
    assert message.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr
    assert opt.SERVER_ID not in message.options
    it.server.ack(message)
    assert it.state() == "bound"
    assert it.address() == it.server.yiaddr


def test_a_remembered_address_of_another_network_is_refused() -> None:
    it = scene()
    it.server.acks = False
    it.auto.start("198.51.100.7")
    request = it.server.run_until("request")
    it.server.acks = True
    it.server.refuse(request.message)
    it.server.run(SECOND)
    assert it.state() == "bound"
    assert it.address() == it.server.yiaddr
    assert it.server.kinds() == ["request", "discover", "request"]


def test_nobody_knows_the_remembered_address() -> None:
    """Two requests, then from the beginning, with the address as a wish."""
    it = scene()
    it.server.acks = False
    it.auto.start("192.0.2.50")
    discover = it.server.run_until("discover")
    log = it.server.take()
    assert [heard.kind for heard in log[:3]] == ["request", "request", "discover"]
    assert 10 <= (discover.when - log[0].when) / SECOND <= 14
    assert discover.message.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr


def test_a_link_that_was_gone_is_asked_about_and_the_address_stays() -> None:
    """3.7."""
    it = scene()
    it.bind()
    it.host.stack.set_link(it.host.nic, False)
    it.server.run(MINUTE)
    assert it.state() == "init-reboot"
    assert it.address() == it.server.yiaddr
    assert it.server.take() == []
    it.server.acks = False
    it.host.stack.set_link(it.host.nic, True)
    request = it.server.run_until("request")
    assert it.state() == "rebooting"
    assert request.message.options[opt.REQUESTED_ADDRESS] == it.server.yiaddr
    assert it.address() == it.server.yiaddr
    it.server.ack(request.message)
    assert it.state() == "bound"
    lease = it.auto.client.lease
    assert lease is not None
    assert lease.since == request.when


def test_on_another_network_the_address_goes() -> None:
    it = scene()
    it.bind()
    it.host.stack.set_link(it.host.nic, False)
    it.host.stack.set_link(it.host.nic, True)
    it.server.acks = it.server.offers = False
    request = it.server.run_until("request")
    it.server.refuse(request.message)
    assert it.address() == b""
    assert it.routes() == set()
    assert it.state() == "selecting"


def test_if_nobody_answers_the_lease_is_used_to_its_end() -> None:
    """4.4.2: the client MAY; T1, T2 and expiry are where they were."""
    it = scene()
    it.bind()
    lease = it.auto.client.lease
    assert lease is not None
    it.server.acks = it.server.offers = False
    it.host.stack.set_link(it.host.nic, False)
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(20 * SECOND)
    assert it.server.kinds() == ["request", "request"]
    assert it.state() == "bound"
    it.server.take()
    it.server.run(lease.renews - it.world.now)
    assert it.state() == "renewing"
    it.server.run(lease.expires - it.world.now)
    assert it.address() == b""


def test_a_lease_may_end_while_the_link_is_gone() -> None:
    it = scene()
    it.bind()
    it.host.stack.set_link(it.host.nic, False)
    it.server.run(LEASE * SECOND)
    assert it.address() == b""
    assert it.server.take() == []
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(5 * SECOND)
    assert it.server.kinds() == ["discover", "request"]
    assert it.state() == "bound"


def test_t1_passed_while_the_link_was_gone() -> None:
    it = scene()
    it.bind()
    it.server.acks = False
    it.host.stack.set_link(it.host.nic, False)
    it.server.run(LEASE * SECOND * 95 // 100)
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(20 * SECOND)
    assert it.state() == "rebinding"
    *_, last = it.server.take()
    assert last.dst == addr.BROADCAST4
    it.server.ack(last.message)
    assert it.state() == "bound"


def test_a_link_that_flaps_during_the_handshake() -> None:
    for kind in ("discover", "request"):
        it = scene()
        it.server.offers = kind == "request"
        it.server.acks = False
        it.auto.start()
        it.server.run_until(kind)
        it.host.stack.set_link(it.host.nic, False)
        it.server.run(MINUTE)
        assert it.state() == "init"
        it.server.take()
        it.server.offers = it.server.acks = True
        it.host.stack.set_link(it.host.nic, True)
        it.server.run(5 * SECOND)
        assert it.server.kinds() == ["discover", "request"]
        assert it.state() == "bound"


def test_started_without_a_link_it_waits_for_one() -> None:
    it = scene()
    it.host.stack.set_link(it.host.nic, False)
    assert it.auto.start() == status.OK
    it.server.run(MINUTE)
    assert it.server.take() == []
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(5 * SECOND)
    assert it.state() == "bound"


# CHECKING, DECLINE.


def probing(**settings: Any) -> Scene:
    return scene(dad=True, **settings)


def test_an_address_is_checked_before_it_is_used() -> None:
    """4.4.1, RFC 5227 2.1: three probes, nobody answers, then it is ours."""
    it = probing()
    it.auto.start()
    it.server.run(2 * SECOND)
    assert it.state() == "checking"
    assert it.address() == b""
    assert ("0.0.0.0/0", "192.0.2.1") not in it.routes()
    it.server.run(10 * SECOND)
    assert it.state() == "bound"
    assert it.address() == it.server.yiaddr
    assert ("0.0.0.0/0", "192.0.2.1") in it.routes()
    probes = [line for line in it.server.peer.log if "192.0.2.50 tell 0.0.0.0" in line]
    assert len(probes) == 3


def test_a_taken_address_is_declined_and_ten_seconds_pass() -> None:
    """3.1.5."""
    it = probing()
    it.auto.start()
    it.server.run(3 * SECOND)
    assert it.state() == "checking"
    it.server.take()
    it.server.claims(it.server.yiaddr)
    it.server.run(0)
    (decline,) = it.server.take()
    assert decline.kind == "decline"
    assert (decline.src, decline.dst) == (addr.ANY4, addr.BROADCAST4)
    message = decline.message
    assert message.options == {
        opt.MESSAGE_TYPE: b"\4",
        opt.CLIENT_ID: it.auto.client.client_id,
        opt.REQUESTED_ADDRESS: it.server.yiaddr,
        opt.SERVER_ID: it.server.address,
    }
    assert (message.ciaddr, message.secs, message.flags) == (addr.ANY4, 0, 0)
    assert it.address() == b""
    assert it.server.yiaddr not in it.host.stack.v4.addresses.all
    it.server.yiaddr = addr.parse("192.0.2.51")
    discover = it.server.run_until("discover")
    assert discover.when - decline.when >= 10 * SECOND
    assert opt.REQUESTED_ADDRESS not in discover.message.options
    it.server.run(10 * SECOND)
    assert it.address() == it.server.yiaddr
    counters = it.counters()
    assert (counters["conflicts"], counters["out_declines"]) == (1, 1)


def test_the_pause_after_a_taken_address_is_configured() -> None:
    it = probing(dhcp4_decline_wait=60 * SECOND)
    it.auto.start()
    it.server.run(3 * SECOND)
    it.server.claims(it.server.yiaddr)
    decline = it.server.run_until("decline")
    assert it.server.run_until("discover").when - decline.when >= 60 * SECOND


def test_an_address_lost_in_use_is_declined_too() -> None:
    """RFC 5227 2.4: when the IP layer says that it could not be defended; not from inside of its
    saying so."""
    it = scene()
    it.bind()
    layer = it.host.stack.v4
    entry = layer.addresses.all[it.server.yiaddr]
    entry.state = DUPLICATED
    layer.host.address_changed(entry)
    assert it.state() == "declining"
    assert it.server.take() == []
    it.server.run(0)
    assert it.server.kinds() == ["decline"]
    assert it.address() == b""
    assert it.routes() == set()
    it.server.run(9 * SECOND)
    assert it.server.kinds() == ["decline"]
    it.server.run(5 * SECOND)
    assert it.state() == "bound"


def test_somebody_takes_the_address_away() -> None:
    """Not ours to insist on: it begins anew."""
    it = scene()
    it.bind()
    assert it.host.stack.remove_address("192.0.2.50")
    assert it.server.take() == []  # not from inside of the call
    it.server.run(5 * SECOND)
    assert it.server.kinds() == ["discover", "request"]
    assert it.state() == "bound"


def test_an_address_that_was_configured_by_hand_stays_when_the_lease_ends() -> None:
    it = scene()
    it.host.stack.add_address(it.host.nic, "192.0.2.50", 24)
    it.bind()
    it.auto.stop()
    it.server.run(SECOND)
    assert it.state() == "stopped"
    assert it.address() == addr.parse("192.0.2.50")


def test_the_link_goes_while_the_address_is_checked() -> None:
    it = probing()
    it.auto.start()
    it.server.run(2 * SECOND)
    assert it.state() == "checking"
    it.host.stack.set_link(it.host.nic, False)
    it.server.run(20 * SECOND)
    assert it.state() == "init-reboot"
    it.host.stack.set_link(it.host.nic, True)
    it.server.run(20 * SECOND)
    assert it.state() == "bound"
    assert ("0.0.0.0/0", "192.0.2.1") in it.routes()
