# SPDX-License-Identifier: MIT
"""What a DHCPv6 client believes: RFC 8415 16, 18.2.10, 18.2.11, 20.4; and that nothing hurts it."""

from __future__ import annotations

import hmac
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.lifetimes import INFINITY
from stack.base.units import SECOND
from stack.services import dhcp6_auth
from stack.services.dhcp6_offers import OFFER_LIMIT
from stack.wire import dhcp6
from stack.wire.dhcp6 import ABSENT, Auth, Message
from stack.wire.dhcp6_codec import build, option
from tests.harness import World
from tests.services.dhcp6_server import HOUR, LEASED, OTHER, SERVER, Heard, Scene

STRANGER = b"\0\3\0\1stran1"
KEY = bytes(range(16))


def refused(scene: Scene, reason: str, message: Message | bytes, **how: Any) -> None:
    """The message is dropped for this reason, and nothing else comes of it."""
    before, state = scene.drops(), scene.client.state()
    scene.send(message, **how)
    after = scene.drops()
    assert after.pop(reason, 0) - before.pop(reason, 0) == 1
    assert after == before
    assert scene.client.state() == state


# Section 16.


@pytest.mark.parametrize("kind", [k for k in range(14) if k not in (2, 7, 10)] + [14, 255])
def test_messages_that_are_not_for_clients(kind: int) -> None:
    """16.2, 16.4-16.9, 16.12-16.14."""
    scene = Scene()
    solicit = scene.next("solicit")
    made = scene.answer(solicit.message, kind, addresses=[(LEASED, 1, 2)])
    refused(scene, "dhcp6_kind", made)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"server": b""}, "dhcp6_server_id"),
        ({"client": b""}, "dhcp6_client_id"),
        ({"client": STRANGER}, "dhcp6_client_id"),
        ({"transaction": 1}, "dhcp6_transaction"),
        ({"addresses": None}, "dhcp6_no_addresses"),
        ({"addresses": []}, "dhcp6_no_addresses"),
        ({"iaid": 99}, "dhcp6_no_addresses"),
        ({"addresses": [(LEASED, 0, 0)]}, "dhcp6_no_addresses"),
        ({"ia_status": dhcp6.NO_ADDRS_AVAIL}, "dhcp6_no_addresses"),
        ({"status": dhcp6.NO_ADDRS_AVAIL}, "dhcp6_no_addresses"),
        ({"status": dhcp6.UNSPEC_FAIL}, "dhcp6_no_addresses"),
    ],
)
def test_advertise(fields: dict[str, Any], reason: str) -> None:
    """16.3, 18.2.9."""
    scene = Scene()
    solicit = scene.next("solicit")
    fields = {"addresses": [(LEASED, HOUR, HOUR)], "preference": 255, **fields}
    refused(scene, reason, scene.answer(solicit.message, dhcp6.ADVERTISE, **fields))
    again = scene.next("solicit")
    assert SECOND < again.when - solicit.when <= 1.1 * SECOND  # the timer was left alone


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"server": b""}, "dhcp6_server_id"),
        ({"client": b""}, "dhcp6_client_id"),
        ({"client": STRANGER}, "dhcp6_client_id"),
        ({"transaction": 1}, "dhcp6_transaction"),
    ],
)
@pytest.mark.parametrize(
    "exchange", ["request", "renew", "rebind", "confirm", "release", "decline", "inform"]
)
def test_reply(exchange: str, fields: dict[str, Any], reason: str) -> None:
    """16.10, for every message a Reply answers."""
    scene, asked = during(exchange)
    leases = [(LEASED, HOUR, HOUR)]
    fields = {"addresses": leases, "t1": 1000, "t2": 2000, **fields}
    refused(scene, reason, scene.answer(asked.message, dhcp6.REPLY, **fields))
    scene.reply(asked, addresses=leases, t1=1000, t2=2000)
    assert scene.at() in ("bound", "informed", "stopped", "soliciting")


def during(exchange: str) -> tuple[Scene, Heard]:
    """A client that has just said this."""
    scene = Scene(started=exchange != "inform", dad=exchange == "decline")
    if exchange == "inform":
        scene.client.start(stateful=False)
        return scene, scene.next("information-request")
    if exchange == "request":
        scene.advertise(scene.next("solicit"), preference=255)
        return scene, scene.next("request")
    scene.bind()
    if exchange == "confirm":
        scene.stack.set_link(scene.host.nic, False)
        scene.stack.set_link(scene.host.nic, True)
    elif exchange == "release":
        scene.client.stop()
    elif exchange == "decline":
        scene.claim()
    heard = scene.next()
    while heard.kind != exchange:
        heard = scene.next()
    return scene, heard


def test_an_advertise_answers_nothing_but_a_solicit() -> None:
    scene = Scene()
    scene.advertise(scene.next("solicit"), preference=255)
    request = scene.next("request")
    refused(scene, "dhcp6_transaction", scene.answer(request.message, dhcp6.ADVERTISE))


def test_an_answer_to_what_has_not_been_said() -> None:
    """Before the first random delay is over nobody can know the transaction."""
    scene = Scene()
    message = Message(dhcp6.ADVERTISE, 0)
    message.client, message.server = scene.duid, SERVER
    scene.world.run(0)
    scene.next("solicit")
    refused(scene, "dhcp6_transaction", message)


@pytest.mark.parametrize("data", [b"", b"\2", b"\2\0\0\1\0\1\0\xff", b"\7\0\0\1" + option(2, b"x")])
def test_what_cannot_be_read(data: bytes) -> None:
    scene = Scene()
    scene.next("solicit")
    refused(scene, "dhcp6_malformed", data)


def test_only_unicast_is_heard() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    made = scene.answer(solicit.message, dhcp6.ADVERTISE, addresses=[(LEASED, 1, 2)])
    refused(scene, "dhcp6_not_unicast", made, dst=addr.ALL_NODES)


@pytest.mark.parametrize("source", ["fe80::77", "2001:db8::77", "fd77::2"])
@pytest.mark.parametrize("sport", [547, 40000])
def test_servers_may_have_any_address_and_port(source: str, sport: int) -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    made = scene.answer(
        solicit.message, dhcp6.ADVERTISE, addresses=[(LEASED, HOUR, HOUR)], preference=255
    )
    scene.send(made, src=addr.parse(source), sport=sport)
    scene.next("request")


def test_nobody_is_heard_where_no_client_is() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.client.stop()
    scene.send(scene.answer(solicit.message, dhcp6.ADVERTISE, addresses=[(LEASED, 1, 2)]))
    assert scene.drops() == {}
    assert scene.host.drops() == {"udp_no_port": 1}  # the port is free again


def test_a_stopped_client_beside_one_that_is_not() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    far, _ = scene.world.host()
    assert scene.stack.dhcp6.client(scene.host.nic) is scene.client
    nic = scene.stack.add_nic(far.port, "wsk9")
    other = scene.stack.dhcp6.client(nic)
    assert other is not None
    other.start(stateful=True)
    scene.client.stop()
    made = scene.answer(solicit.message, dhcp6.ADVERTISE, addresses=[(LEASED, 1, 2)])
    scene.send(made)
    assert scene.drops() == {"dhcp6_no_client": 1}
    assert [one["state"] for one in scene.stack.dhcp6.state()] == ["stopped", "soliciting"]
    assert other.lease.iaid != scene.client.lease.iaid
    assert other.state()["duid"] == scene.client.state()["duid"]


# Status codes (18.2.10).


def test_no_addrs_avail_sends_to_the_next_server() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit, preference=2)
    scene.advertise(solicit, preference=1, server=OTHER)
    request = scene.next("request")
    assert request.message.server == SERVER
    scene.reply(request, addresses=[], ia_status=dhcp6.NO_ADDRS_AVAIL)
    assert scene.next("request").message.server == OTHER
    assert scene.counted()["no_addresses"] == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"addresses": [], "ia_status": dhcp6.NO_ADDRS_AVAIL},
        {"status": dhcp6.NO_ADDRS_AVAIL},
        {"addresses": [], "ia_status": dhcp6.NO_BINDING},
        {"addresses": [], "ia_status": dhcp6.NOT_ON_LINK},
        {"status": dhcp6.NOT_ON_LINK},
        {"addresses": [(LEASED, 9, 9)], "ia_status": 0, "status": dhcp6.NO_ADDRS_AVAIL},
        {"addresses": []},
        {"addresses": [(LEASED, 0, 0)]},
    ],
)
def test_a_request_that_comes_to_nothing(fields: dict[str, Any]) -> None:
    """A new discovery, and a longer wait before each further one."""
    scene = Scene()
    for _ in range(3):
        scene.advertise(scene.next("solicit"), preference=255)
        scene.reply(scene.next("request"), **fields)
        assert scene.at() == "soliciting"
    assert scene.leased() == []


def test_discoveries_that_come_to_nothing_come_ever_later() -> None:
    delays: list[float] = []
    for seed in range(8):
        scene = Scene(World(seed=seed))
        for _ in range(12):
            scene.advertise(scene.next("solicit"), preference=255)
            scene.reply(scene.next("request"), status=dhcp6.NO_ADDRS_AVAIL)
        began = scene.world.now
        delays.append((scene.next("solicit").when - began) / SECOND)
    assert max(delays) > 30
    assert max(delays) <= 128


def test_a_lease_makes_the_next_discovery_prompt_again() -> None:
    delays: list[int] = []
    for seed in range(8):
        scene = Scene(World(seed=seed))
        for _ in range(3):
            scene.advertise(scene.next("solicit"), preference=255)
            scene.reply(scene.next("request"), status=dhcp6.NO_ADDRS_AVAIL)
        scene.bind()
        scene.client.stop(release=False)
        scene.client.start(stateful=True)
        began = scene.world.now
        delays.append(scene.next("solicit").when - began)
    assert max(delays) <= SECOND


def test_unspec_fail_is_tried_again_at_the_normal_pace() -> None:
    """18.2.10: to the same server, and not for ever."""
    scene = Scene()
    scene.advertise(scene.next("solicit"), preference=255)
    said = []
    while (heard := scene.next()).kind == "request":
        said.append(heard)
        scene.reply(heard, status=dhcp6.UNSPEC_FAIL)
        scene.silent(SECOND // 2)
    assert len(said) == 10
    assert scene.counted()["other_failures"] == 10


@pytest.mark.parametrize("kind", ["renew", "rebind", "confirm", "inform", "request"])
@pytest.mark.parametrize("status", [dhcp6.UNSPEC_FAIL, dhcp6.USE_MULTICAST, 99])
def test_statuses_that_leave_the_exchange_going(kind: str, status: int) -> None:
    scene, asked = during(kind)
    scene.reply(asked, status=status, addresses=[], ia_status=status)
    again = scene.next()
    assert again.message.transaction == asked.message.transaction
    assert again.kind == asked.kind
    counted = scene.counted()
    assert counted["use_multicasts" if status == dhcp6.USE_MULTICAST else "other_failures"] == 1


@pytest.mark.parametrize("kind", ["renew", "rebind"])
def test_no_binding_is_answered_with_a_request(kind: str) -> None:
    """18.2.10.1: to the server that said so; what we have stays in use."""
    scene, asked = during(kind)
    scene.reply(asked, addresses=[], ia_status=dhcp6.NO_BINDING, server=OTHER)
    request = scene.next("request")
    assert request.message.server == OTHER
    assert request.addresses == [LEASED]
    assert scene.leased() == [LEASED]
    scene.grant(request, server=OTHER)
    assert scene.at() == "bound"
    assert scene.client.state()["server"] == OTHER.hex()


@pytest.mark.parametrize("kind", ["renew", "rebind"])
def test_no_binding_and_then_nothing(kind: str) -> None:
    scene, asked = during(kind)
    scene.reply(asked, addresses=[], ia_status=dhcp6.NO_BINDING)
    scene.reply(scene.next("request"), addresses=[], ia_status=dhcp6.NO_ADDRS_AVAIL)
    assert scene.leased() == []
    scene.next("solicit")


@pytest.mark.parametrize("kind", ["renew", "rebind"])
@pytest.mark.parametrize("status", [dhcp6.NO_ADDRS_AVAIL, dhcp6.UNSPEC_FAIL])
def test_a_lease_outlives_refusals_until_its_time(kind: str, status: int) -> None:
    scene, asked = during(kind)
    scene.reply(asked, addresses=[], ia_status=status)
    assert scene.leased() == [LEASED]
    assert scene.next(kind).message.transaction == asked.message.transaction


@pytest.mark.parametrize("kind", ["renew", "rebind"])
def test_not_on_link_ends_a_lease(kind: str) -> None:
    scene, asked = during(kind)
    scene.reply(asked, addresses=[], ia_status=dhcp6.NOT_ON_LINK)
    assert scene.leased() == []
    scene.next("solicit")


@pytest.mark.parametrize("status", [ABSENT, *range(6), 99])
@pytest.mark.parametrize("kind", ["release", "decline"])
def test_any_reply_ends_release_and_decline(kind: str, status: int) -> None:
    """18.2.10.2."""
    scene, asked = during(kind)
    scene.reply(asked, status=status)
    after = scene.poll(20 * SECOND)
    assert (after.kind if after else None) == (None if kind == "release" else "solicit")


# Reconfigure (16.11, 18.2.11, 20.4).


def key_option(replay: int = 7, key: bytes = KEY) -> Auth:
    return Auth(3, 1, 0, replay, b"\1" + key)


def bound(**settings: Any) -> Scene:
    """A client with a lease and a key."""
    scene = Scene(**settings)
    scene.bind(auth=key_option())
    return scene


def signed(scene: Scene, asks: int = dhcp6.RENEW, **how: Any) -> bytes:
    """A Reconfigure as the server with the key sends it."""
    message = Message(dhcp6.RECONFIGURE, how.get("transaction", 0))
    message.client = how.get("client", scene.duid)
    message.server = how.get("server", SERVER)
    message.reconfigure = asks
    protocol, algorithm, rdm = how.get("numbers", (3, 1, 0))
    blank = how.get("kind", b"\2") + bytes(16)
    message.auth = Auth(protocol, algorithm, rdm, how.get("replay", 8), blank)
    wire = build(message)
    assert wire.endswith(blank)
    made = hmac.new(how.get("key", KEY), wire, "md5").digest()
    return wire[:-16] + made


@pytest.mark.parametrize(
    ("asks", "kind", "state"),
    [
        (dhcp6.RENEW, "renew", "renewing"),
        (dhcp6.REBIND, "rebind", "rebinding"),
        (dhcp6.INFORMATION_REQUEST, "information-request", "informing"),
    ],
)
def test_an_authentic_reconfigure_is_answered(asks: int, kind: str, state: str) -> None:
    scene = bound()
    scene.send(signed(scene, asks, transaction=0x5555))
    assert scene.at() == state
    heard = scene.next(kind)
    assert heard.message.transaction != 0x5555
    assert heard.message.server == (b"" if kind == "rebind" else SERVER)
    assert scene.counted()["reconfigures"] == 1
    scene.grant(heard, name_servers=[addr.parse("2001:db8::99")])
    assert scene.at() == "bound"
    assert scene.servers() == [("2001:db8::99", 0)]
    assert scene.leased() == [LEASED]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"server": b""}, "dhcp6_server_id"),
        ({"client": b""}, "dhcp6_client_id"),
        ({"client": STRANGER}, "dhcp6_client_id"),
        ({"asks": ABSENT}, "dhcp6_reconfigure"),
        ({"asks": dhcp6.REQUEST}, "dhcp6_reconfigure"),
        ({"asks": 0}, "dhcp6_reconfigure"),
        ({"server": OTHER}, "dhcp6_authentication"),
        ({"key": bytes(16)}, "dhcp6_authentication"),
        ({"replay": 7}, "dhcp6_authentication"),
        ({"replay": 0}, "dhcp6_authentication"),
        ({"numbers": (2, 1, 0)}, "dhcp6_authentication"),
        ({"numbers": (3, 2, 0)}, "dhcp6_authentication"),
        ({"numbers": (3, 1, 1)}, "dhcp6_authentication"),
        ({"kind": b"\1"}, "dhcp6_authentication"),
    ],
)
def test_a_reconfigure_that_is_not_believed(how: dict[str, Any], reason: str) -> None:
    scene = bound()
    refused(scene, reason, signed(scene, **how))
    assert scene.poll(SECOND) is None


def test_a_reconfigure_without_authentication() -> None:
    scene = bound()
    message = Message(dhcp6.RECONFIGURE, 0)
    message.client, message.server, message.reconfigure = scene.duid, SERVER, dhcp6.RENEW
    refused(scene, "dhcp6_authentication", message)


def test_a_reconfigure_to_a_group() -> None:
    scene = bound()
    refused(scene, "dhcp6_not_unicast", signed(scene), dst=addr.ALL_NODES)


def test_a_changed_octet_breaks_the_signature() -> None:
    scene = bound()
    wire = bytearray(signed(scene))
    wire[-20] ^= 1
    refused(scene, "dhcp6_authentication", bytes(wire))


def test_without_a_key_nothing_is_authentic() -> None:
    scene = Scene()
    scene.bind()
    refused(scene, "dhcp6_authentication", signed(scene, key=b""))
    refused(scene, "dhcp6_authentication", signed(scene, key=bytes(16)))


def test_a_key_is_not_taken_where_reconfigure_is_off() -> None:
    scene = bound(dhcp6_reconfigure=False)
    refused(scene, "dhcp6_authentication", signed(scene))


def test_each_reconfigure_counts_once() -> None:
    """20.3: the counter has to grow."""
    scene = bound()
    scene.send(signed(scene, replay=8))
    scene.grant(scene.next("renew"))
    refused(scene, "dhcp6_authentication", signed(scene, replay=8))
    scene.send(signed(scene, replay=9))
    assert scene.at() == "renewing"


def test_no_reconfigure_during_an_exchange() -> None:
    """18.2.11; and the counter is not spent on it."""
    scene = bound()
    renew = scene.next("renew")
    refused(scene, "dhcp6_busy", signed(scene))
    scene.grant(renew)
    scene.send(signed(scene))
    assert scene.at() == "renewing"


def test_a_stateless_client_has_nothing_to_renew() -> None:
    scene = Scene(started=False)
    scene.client.start(stateful=False)
    scene.reply(scene.next(), auth=key_option())
    refused(scene, "dhcp6_reconfigure", signed(scene, dhcp6.RENEW))
    refused(scene, "dhcp6_reconfigure", signed(scene, dhcp6.REBIND))
    scene.send(signed(scene, dhcp6.INFORMATION_REQUEST))
    heard = scene.next("information-request")
    assert heard.message.server == SERVER
    scene.reply(heard)
    assert scene.at() == "informed"


def test_renewing_goes_before_being_informed() -> None:
    """Nobody answers the Information-request: the lease must not suffer."""
    scene = bound()
    scene.send(signed(scene, dhcp6.INFORMATION_REQUEST))
    heard = scene.next("information-request")
    while heard.kind == "information-request":
        heard = scene.next()
    assert heard.kind == "renew"


def test_an_old_reply_with_a_key_is_not_taken() -> None:
    """20.3 for Reply."""
    scene = bound()
    renew = scene.next("renew")
    old = scene.answer(renew.message, dhcp6.REPLY, addresses=[(LEASED, 1, 2)], auth=key_option(7))
    refused(scene, "dhcp6_authentication", old)
    scene.grant(renew, auth=key_option(8, bytes(16)))
    assert scene.at() == "bound"
    refused(scene, "dhcp6_authentication", signed(scene, replay=9))
    scene.send(signed(scene, replay=9, key=bytes(16)))
    assert scene.at() == "renewing"


def test_another_servers_counter_is_its_own() -> None:
    scene = bound()
    heard = scene.next()
    while heard.kind != "rebind":
        heard = scene.next()
    scene.grant(heard, server=OTHER, auth=key_option(1))
    scene.send(signed(scene, server=OTHER, replay=2))
    assert scene.at() == "renewing"


@pytest.mark.parametrize("numbers", [(2, 1, 0), (3, 2, 0), (3, 1, 1)])
def test_unknown_authentication_in_a_reply_is_passed_over(numbers: tuple[int, int, int]) -> None:
    scene = Scene()
    scene.bind(auth=Auth(*numbers, 5, b"\1" + KEY))
    assert scene.client.state()["reconfigure_key"] is False


def test_the_rate_holds_for_the_server_with_the_key_too() -> None:
    """14.1: even authentic Reconfigure messages make no flood."""
    scene = bound()
    said = []
    for number in range(100):
        scene.send(signed(scene, replay=8 + number))
        heard = scene.next("renew")
        said.append(heard.when)
        scene.grant(heard)
    assert said[-1] - said[0] >= 79 * SECOND
    assert scene.counted()["held_back"] >= 79


@given(st.binary(min_size=1, max_size=64), st.binary(min_size=40, max_size=200), st.data())
def test_the_digest_is_hmac_md5(key: bytes, data: bytes, draw: st.DataObject) -> None:
    at = draw.draw(st.integers(0, len(data) - 17))
    blank = data[: at + 1] + bytes(16) + data[at + 17 :]
    assert dhcp6_auth.digest(key, data, at) == hmac.new(key, blank, "md5").digest()


# Floods and noise.


def test_a_flood_of_offers_is_bounded() -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    for number in range(300):
        scene.advertise(solicit, server=b"\0\3\0\1" + number.to_bytes(6, "big"), preference=1)
    requests = []
    while (heard := scene.next()).kind == "request":
        requests.append(heard.message.server)
    assert len(set(requests)) == OFFER_LIMIT


def test_what_was_heard_makes_room() -> None:
    scene = Scene(udp_receive_buffer=1000)
    solicit = scene.next("solicit")
    for _ in range(100):
        scene.send(b"nonsense")
    scene.advertise(solicit, preference=255)
    scene.next("request")


noise = st.one_of(
    st.tuples(st.just("noise"), st.binary(max_size=120)),
    st.tuples(st.just("answer"), st.integers(0, 14), st.integers(-1, 7), st.integers(0, 3)),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 5, 700, 4000])),
    st.tuples(st.just("link"), st.booleans()),
    st.tuples(st.just("flags"), st.booleans(), st.booleans()),
    st.tuples(st.just("stop"), st.booleans()),
    st.tuples(st.just("conflict")),
    st.tuples(st.just("reconfigure"), st.sampled_from([5, 6, 11]), st.integers(0, 5)),
)
LIFETIMES = [(0, 0), (5, 9), (HOUR, HOUR), (INFINITY, INFINITY)]


@given(st.lists(noise, max_size=60), st.booleans(), st.booleans(), st.integers(0, 1 << 16))
def test_anything_may_happen_in_any_order(
    steps: list[tuple[Any, ...]], rapid: bool, dad: bool, seed: int
) -> None:
    """Whatever is said: the interface has what the lease has, and nothing piles up."""
    scene = Scene(World(seed), dhcp6_rapid_commit=rapid, dad=dad)
    last: Heard | None = None
    for step in steps:
        if step[0] == "noise":
            scene.send(step[1])
        elif step[0] == "answer" and last is not None:
            _, kind, status, times = step
            leases = [(LEASED, *LIFETIMES[times])]
            auth = key_option(scene.world.now)
            fields: dict[str, Any] = {"addresses": leases, "ia_status": status, "auth": auth}
            scene.send(scene.answer(last.message, kind, rapid_commit=rapid, **fields))
        elif step[0] == "wait":
            scene.pause(step[1])
        elif step[0] == "link":
            scene.stack.set_link(scene.host.nic, step[1])
        elif step[0] == "flags":
            scene.stack.dhcp6.on_router_flags(scene.host.nic, step[1], step[2])
        elif step[0] == "stop":
            scene.client.stop(release=step[1])
        elif step[0] == "reconfigure":
            scene.send(signed(scene, step[1], replay=scene.world.now + step[2]))
        elif step[0] == "conflict":
            scene.claim()
        said = scene.all(0)
        last = said[-1] if said else last
        lease = [addr.text(address) for address in scene.client.lease.addresses]
        assert set(scene.leased()) == set(lease)
        mine = [t for t in scene.stack.timers.armed() if "dhcp6" in type(t.owner).__module__]
        assert len(mine) <= 16
    scene.client.stop()
    scene.pause(100)
    assert scene.leased() == []
    assert scene.stack.udp.ports.in_use() == 0
    assert not [t for t in scene.stack.timers.armed() if "dhcp6" in type(t.owner).__module__]
