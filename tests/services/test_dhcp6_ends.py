# SPDX-License-Identifier: MIT
"""A DHCPv6 client loses addresses, or fears so: Release, Decline, Confirm (RFC 8415 18.2)."""

from __future__ import annotations

from stack.base import addr
from stack.base.units import SECOND
from stack.wire import dhcp6
from tests.services.dhcp6_server import (
    HOUR,
    LEASED,
    OTHER,
    SECOND_ADDRESS,
    SERVER,
    Scene,
)

# Release (18.2.7).


def test_release() -> None:
    scene = Scene()
    scene.bind(name_servers=[addr.parse("2001:db8::53")])
    scene.client.stop()
    assert scene.leased() == []  # before anything is said
    assert scene.servers() == []
    release = scene.next("release")
    assert release.message.server == SERVER
    assert release.addresses == [LEASED]
    assert release.seen.pkt.src == scene.link_local
    scene.reply(release, status=dhcp6.NO_BINDING)  # whatever it says (18.2.10.2)
    scene.silent(100 * SECOND)
    assert scene.at() == "stopped"
    assert scene.counted()["replies"] == 2
    assert scene.stack.udp.ports.in_use() == 0


def test_stopping_without_release() -> None:
    scene = Scene()
    scene.bind()
    scene.client.stop(release=False)
    assert scene.leased() == []
    scene.silent(HOUR * SECOND)
    assert scene.stack.udp.ports.in_use() == 0


def test_stopping_before_there_was_a_lease() -> None:
    scene = Scene()
    scene.next("solicit")
    scene.client.stop()
    scene.silent(HOUR * SECOND)
    scene.client.stop()
    assert scene.at() == "stopped"


def test_release_goes_on_beside_a_new_discovery() -> None:
    scene = Scene()
    scene.bind()
    scene.client.stop()
    scene.client.start(stateful=True)
    first = [scene.next().kind for _ in range(3)]
    assert set(first) == {"release", "solicit"}
    assert scene.at() == "soliciting"


def test_a_link_that_goes_down_ends_a_release() -> None:
    scene = Scene()
    scene.bind()
    scene.client.stop()
    scene.next("release")
    scene.stack.set_link(scene.host.nic, False)
    assert scene.stack.udp.ports.in_use() == 0
    scene.stack.set_link(scene.host.nic, True)
    scene.silent(100 * SECOND)


# Decline (18.2.8).


def test_a_duplicate_is_declined_and_another_one_got() -> None:
    scene = Scene(dad=True)
    scene.bind()
    assert addr.parse(LEASED) not in scene.stack.v6.local  # being probed (18.2.10.1)
    scene.claim()
    decline = scene.next("decline")
    assert decline.message.server == SERVER
    assert decline.addresses == [LEASED]
    assert scene.leased() == []
    assert scene.at() == "declining"
    scene.reply(decline, status=dhcp6.SUCCESS)
    scene.advertise(scene.next("solicit"), addresses=[(SECOND_ADDRESS, HOUR, HOUR)], preference=255)
    scene.grant(scene.next("request"), addresses=[(SECOND_ADDRESS, HOUR, HOUR)])
    scene.pause(5)
    assert addr.parse(SECOND_ADDRESS) in scene.stack.v6.local


def test_an_unanswered_decline_ends_after_four() -> None:
    scene = Scene(dad=True)
    scene.bind()
    scene.claim()
    assert [scene.next().kind for _ in range(5)] == ["decline"] * 4 + ["solicit"]


def test_only_the_duplicate_is_declined() -> None:
    scene = Scene(dad=True)
    scene.bind(addresses=[(LEASED, HOUR, HOUR), (SECOND_ADDRESS, HOUR, HOUR)])
    scene.claim(SECOND_ADDRESS)
    decline = scene.next("decline")
    assert decline.addresses == [SECOND_ADDRESS]
    scene.reply(decline)
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]
    assert scene.next("renew").addresses == [LEASED]


def test_duplicates_found_at_once_are_declined_together() -> None:
    scene = Scene(dad=True)
    scene.bind(addresses=[(LEASED, HOUR, HOUR), (SECOND_ADDRESS, HOUR, HOUR)])
    for text in (LEASED, SECOND_ADDRESS):
        scene.claim(text)
    decline = scene.next("decline")
    assert decline.addresses == [LEASED, SECOND_ADDRESS]


def test_declines_nobody_answers_do_not_pile_up() -> None:
    """One duplicate after the other: the oldest Decline gives way."""
    scene = Scene(dad=True)
    every = [f"2001:db8::{n:x}" for n in range(1, 15)]
    scene.bind(addresses=[(text, HOUR, HOUR) for text in every])
    for text in every:
        scene.claim(text)
        scene.pause(0.01)
    mine = [t for t in scene.stack.timers.armed() if "exchange" in type(t.owner).__module__]
    assert len(mine) == 8
    assert scene.at() == "declining"
    said = scene.all(60 * SECOND)
    assert {h.addresses[0] for h in said if h.kind == "decline"} == set(every)
    assert said[-1].kind == "solicit"


def test_a_duplicate_is_declined_after_the_link_was_down() -> None:
    scene = Scene(dad=True)
    scene.bind()
    scene.claim()
    scene.flap()
    scene.reply(scene.next("confirm"))
    assert scene.next("decline").addresses == [LEASED]


def test_a_probed_address_is_not_probed_again_when_it_is_renewed() -> None:
    scene = Scene(dad=True)
    scene.bind()
    scene.grant(scene.next("renew"))
    assert addr.parse(LEASED) in scene.stack.v6.local


# Confirm (18.2.3).


def test_a_link_that_comes_back_is_asked_whether_it_is_the_same() -> None:
    scene = Scene()
    scene.bind()
    scene.flap()
    confirm = scene.next("confirm")
    assert confirm.addresses == [LEASED]
    assert confirm.message.server == b""
    ia = confirm.message.associations[0]
    assert (ia.t1, ia.t2, ia.addresses[0].preferred, ia.addresses[0].valid) == (0, 0, 0, 0)
    scene.reply(confirm, status=dhcp6.SUCCESS)
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]


def test_success_may_go_without_saying() -> None:
    scene = Scene()
    scene.bind()
    scene.flap()
    scene.reply(scene.next("confirm"))
    assert scene.at() == "bound"


def test_not_on_link_begins_anew() -> None:
    scene = Scene()
    scene.bind()
    scene.flap()
    scene.reply(scene.next("confirm"), status=dhcp6.NOT_ON_LINK)
    assert scene.leased() == [LEASED]  # another server may know better
    scene.next("solicit")
    assert scene.leased() == []


def test_one_success_outweighs_not_on_link() -> None:
    """18.2.10.3."""
    scene = Scene()
    scene.bind()
    scene.flap()
    confirm = scene.next("confirm")
    scene.reply(confirm, status=dhcp6.NOT_ON_LINK)
    scene.reply(confirm, server=OTHER, status=dhcp6.SUCCESS)
    assert scene.at() == "bound"
    assert scene.next().kind == "renew"


def test_nobody_knowing_means_going_on() -> None:
    scene = Scene()
    scene.bind()
    scene.flap()
    first = scene.next("confirm")
    said = [h for h in scene.all(30 * SECOND) if h.when > first.when]
    assert {h.kind for h in said} == {"confirm"}
    assert max(h.when for h in said) < first.when + 10 * SECOND
    assert scene.at() == "bound"
    assert scene.leased() == [LEASED]
    assert scene.next("renew").when < first.when + 1000 * SECOND


def test_times_that_passed_while_the_link_was_down() -> None:
    scene = Scene()
    scene.bind()
    scene.flap(1500)
    scene.reply(scene.next("confirm"))
    assert scene.next().kind == "renew"
    late = Scene()
    late.bind()
    late.flap(2500)
    late.reply(late.next("confirm"))
    assert late.next().kind == "rebind"


def test_a_lease_that_ended_while_the_link_was_down() -> None:
    scene = Scene()
    scene.bind()
    scene.flap(3 * HOUR)
    assert scene.leased() == []
    scene.next("solicit")


def test_what_was_said_while_the_link_was_down_is_no_matter() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.stack.set_link(scene.host.nic, False)
    scene.advertise(solicit, preference=255)
    scene.silent(HOUR * SECOND)
    scene.stack.set_link(scene.host.nic, True)
    assert scene.next("solicit").message.transaction != solicit.message.transaction
