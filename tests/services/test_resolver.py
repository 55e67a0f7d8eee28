# SPDX-License-Identifier: MIT
"""Lookups (RFC 1035 7, 1123 6.1): both families at once, search list, retries, TCP, aliases."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from typing import Any

import dns.flags
import pytest

from stack import Config
from stack.base import addr, status
from stack.base.units import MS, SECOND
from stack.tcp.names import FIN_WAIT_2
from tap.impair import Impairment
from tests.harness import World
from tests.services.nameserver import Asking, Query, Scene

WWW = {("www.example", "A"): ["192.0.2.1"], ("www.example", "AAAA"): ["2001:db8::1"]}
BOTH = addr.V4 | addr.V6


def test_a_and_aaaa_go_together(world: World, family: int) -> None:
    """Both queries are on the wire before the first answer, from two ports, with two ids."""
    scene = Scene(world, family, WWW, there=Impairment(delay=50 * MS))
    asking = scene.ask("www.example")
    world.run(150 * MS)
    assert sorted(scene.server.seen) == ["udp www.example A", "udp www.example AAAA"]
    world.run()
    assert sorted(asking.addresses) == ["192.0.2.1", "2001:db8::1"]
    assert asking.found is not None
    assert asking.found.canonical == asking.found.name == "www.example"
    first, second = scene.server.asked
    assert first.port != second.port
    assert first.message.id != second.message.id
    assert first.message.flags & dns.flags.RD
    assert first.message.payload == 1232
    assert scene.counted() == {"lookups": 1, "queries_udp": 2, "replies": 2}
    assert scene.nothing_is_left()


def test_ids_and_ports_are_scattered(world: World) -> None:
    scene = Scene(world)
    for number in range(40):
        scene.find(f"n{number}.example", addr.V4)
    assert len({q.message.id for q in scene.server.asked}) >= 39
    ports = [q.port for q in scene.server.asked]
    assert len(set(ports)) >= 39
    assert max(ports) - min(ports) > 8000


def test_one_family_is_enough(world: World, family: int) -> None:
    zone = {("only.example", "A"): ["192.0.2.9"]}
    scene = Scene(world, family, zone)
    assert scene.find("only.example").addresses == ["192.0.2.9"]
    assert scene.find("only.example", addr.V6).result == "NO_NAME"
    assert scene.find("only.example", addr.V4).addresses == ["192.0.2.9"]


@pytest.mark.parametrize(
    "name",
    ["", ".", "a..b", "-a.example", "a" * 64, "a." * 130, "a b", "x%y", "é" * 70, "é" * 5000],
)
def test_what_no_name_can_look_like(world: World, name: str) -> None:
    scene = Scene(world)
    assert scene.ask(name).result == "INVALID"
    assert scene.nothing_is_left()


@pytest.mark.parametrize("name", ["10.1.2.3", "300.1.1.1", "1.2.3", "7", "x.invalid", "a.onion"])
def test_names_that_are_never_asked_for(world: World, name: str) -> None:
    scene = Scene(world, dns_search=("example",))
    assert scene.find(name).result == "NO_NAME"
    assert scene.server.seen == []


@pytest.mark.parametrize("name", ["localhost", "LocalHost.", "db.localhost"])
def test_localhost_is_this_host_whatever_anybody_says(world: World, name: str) -> None:
    scene = Scene(world, dns_hosts="192.0.2.66 localhost db.localhost", dns_search=("example",))
    assert sorted(scene.find(name).addresses) == ["127.0.0.1", "::1"]
    assert scene.find(name, addr.V4).addresses == ["127.0.0.1"]
    assert scene.server.seen == []


def test_international_names_go_as_a_labels(world: World) -> None:
    scene = Scene(world, zone={("xn--bcher-kva.example", "A"): ["192.0.2.1"]})
    assert scene.find("Bücher.example", addr.V4).addresses == ["192.0.2.1"]


def test_nobody_to_ask(world: World) -> None:
    scene = Scene(world, dns_servers=())
    assert scene.find("www.example").result == "NO_NAME"
    assert scene.nothing_is_left()


# The search list.


@pytest.mark.parametrize(
    ("name", "ndots", "expected"),
    [
        ("www", 1, ["www.corp.example", "www.example", "www"]),
        ("www.sub", 1, ["www.sub", "www.sub.corp.example", "www.sub.example"]),
        ("www.sub", 2, ["www.sub.corp.example", "www.sub.example", "www.sub"]),
        ("www.", 1, ["www"]),
        ("www", 0, ["www", "www.corp.example", "www.example"]),
    ],
)
def test_the_search_list(world: World, name: str, ndots: int, expected: list[str]) -> None:
    scene = Scene(world, dns_search=("corp.example", "example"), dns_ndots=ndots)
    assert scene.find(name, addr.V4).result == "NO_NAME"
    assert [query.name for query in scene.server.asked] == expected


def test_the_search_ends_where_something_is_found(world: World, family: int) -> None:
    zone = {("www.example", "AAAA"): ["2001:db8::5"], ("www.corp.example", "MX"): ["1 mx."]}
    scene = Scene(world, family, zone, dns_search=("corp.example", "example", "never.example"))
    asking = scene.find("www")
    assert asking.addresses == ["2001:db8::5"]
    assert asking.found is not None
    assert asking.found.name == "www.example"
    assert not any("never" in line for line in scene.server.seen)


def test_silence_ends_the_search(world: World) -> None:
    scene = Scene(world, dns_search=("example",))
    scene.server.silent = True
    assert scene.find("www", addr.V4).result == "TIMED_OUT"
    assert {query.name for query in scene.server.asked} == {"www.example"}


# Retries.


def test_a_lost_query_is_asked_again(world: World, family: int) -> None:
    lost: list[int] = []

    def drop(number: int, frame: bytes) -> bool:
        if b"\x03www" in frame:
            lost.append(number)
        return b"\x03www" in frame and len(lost) == 1

    scene = Scene(world, family, WWW, there=Impairment(drop=drop))
    asking = scene.find("www.example", addr.V4)
    assert asking.addresses == ["192.0.2.1"]
    assert SECOND <= asking.when < SECOND + 10 * MS
    assert len(lost) == 2
    assert scene.counted()["timeouts"] == 1


def test_patience_doubles_and_ends(world: World, family: int) -> None:
    """1, 2 and 4 seconds; every try has an id and a port of its own."""
    scene = Scene(world, family)
    scene.server.silent = True
    asking = scene.ask("www.example", addr.V4)
    times = []
    for span in (1, 998, 2, 1998, 2, 3998):
        world.run(span * MS)
        times.append(len(scene.server.asked))
    assert times == [1, 1, 2, 2, 3, 3]
    assert asking.ends == []
    world.run(40 * SECOND)
    assert asking.result == "TIMED_OUT"
    assert asking.when == 7 * SECOND
    assert len({(query.port, query.message.id) for query in scene.server.asked}) == 3
    assert scene.nothing_is_left()


def test_servers_take_turns_and_who_answers_is_preferred(world: World) -> None:
    scene = Scene(world, zone=WWW, dns_servers=("10.77.0.9", "10.77.0.2"))
    began = world.now
    asking = scene.ask("www.example", addr.V4)
    world.run(990 * MS)
    assert scene.server.seen == []
    world.run(SECOND)
    assert asking.addresses == ["192.0.2.1"]
    assert world.now - began < 2 * SECOND
    again = scene.ask("other.example", addr.V4)
    world.run(MS)
    assert again.result == "NO_NAME"


@pytest.mark.parametrize("code", [2, 4, 5])
def test_a_server_that_fails_is_left_for_the_next(world: World, code: int) -> None:
    scene = Scene(world, zone=WWW, dns_servers=("10.77.0.2", "fd77::2"))
    usual = scene.server.usual
    codes = [code, code, 0] if code == 4 else [code, 0]

    def answer(query: Query) -> list[bytes]:
        scene.server.code = codes.pop(0)
        return [usual(query)]

    scene.server.answer = answer
    asking = scene.find("www.example", addr.V4)
    assert asking.addresses == ["192.0.2.1"]
    assert asking.when < 100 * MS
    assert scene.counted()["server_failures"] == 1


def test_all_servers_fail(world: World, family: int) -> None:
    scene = Scene(world, family)
    scene.server.code = 2
    assert scene.find("www.example").result == "SERVER_FAILED"
    assert len(scene.server.asked) == 2
    assert scene.nothing_is_left()


def test_a_referral_is_no_answer(world: World) -> None:
    scene = Scene(world)
    scene.server.soa = False
    scene.server.zone = {("www.example", "MX"): ["1 mx."]}

    def lame(query: Query) -> list[bytes]:
        wire = bytearray(scene.server.usual(query))
        wire[3] &= 0x7F  # recursion is not available
        return [bytes(wire)]

    scene.server.answer = lame
    assert scene.find("www.example", addr.V4).result == "SERVER_FAILED"


@pytest.mark.parametrize("code", [1, 4, 16])
def test_a_server_that_cannot_take_edns_is_asked_without(world: World, code: int) -> None:
    scene = Scene(world, zone=WWW)

    def answer(query: Query) -> list[bytes]:
        scene.server.code = code if query.message.edns >= 0 else 0
        wire = scene.server.usual(query)
        # The oldest servers send back a header and nothing else.
        return [wire[:4] + bytes(8)] if code == 1 and scene.server.code else [wire]

    scene.server.answer = answer
    assert scene.find("www.example", addr.V4).addresses == ["192.0.2.1"]
    assert [query.message.edns for query in scene.server.asked] == [0, -1]


def test_answers_to_an_earlier_query_do_not_count(world: World) -> None:
    """What arrives together with the answer that had the question asked anew."""
    scene = Scene(world, zone=WWW)

    def answer(query: Query) -> list[bytes]:
        if query.message.edns < 0:
            return [scene.server.usual(query)]
        scene.server.code = 4
        refused = scene.server.usual(query)
        scene.server.code = 0
        return [refused, refused, scene.server.usual(query)]

    scene.server.answer = answer
    assert scene.find("www.example", addr.V4).addresses == ["192.0.2.1"]
    assert scene.counted() == {"lookups": 1, "queries_udp": 2, "replies": 1}


@pytest.mark.parametrize("zone", ["%2", "%1", ""])
def test_a_server_on_the_link(world: World, zone: str) -> None:
    """A link-local address needs its interface, unless there is only one."""
    scene = Scene(world, zone=WWW, dns_servers=(f"fe80::ff:fe00:2{zone}",))
    asking = scene.find("www.example", addr.V4)
    assert asking.result == ("NO_ROUTE" if zone == "%1" else "OK")


@pytest.mark.parametrize("where", ["port", "host", "route"])
def test_a_server_that_cannot_be_reached(world: World, family: int, where: str) -> None:
    far: dict[str, Any] = {"host": ("10.77.0.9", "fd77::9"), "route": ("192.0.2.1", "2001:db8::1")}
    scene = Scene(world, family)
    if where in far:
        scene.resolver.use((far[where][family == addr.V6],))
    if where == "port":
        scene.server.endpoint.close()
    asking = scene.find("www.example", addr.V4)
    if where == "host":  # found out by the neighbour cache, before or after patience ends
        assert asking.result in ("HOST_UNREACHABLE", "TIMED_OUT")
    else:
        expected = {"port": "PORT_UNREACHABLE", "route": "NO_ROUTE"}
        assert asking.result == expected[where]
        assert asking.when < 10 * MS
    assert scene.nothing_is_left()


# TCP.


def test_truncation_leads_to_tcp(world: World, family: int) -> None:
    many = [f"192.0.2.{number}" for number in range(1, 201)]
    scene = Scene(world, family, {("www.example", "A"): many})
    usual = scene.server.usual
    scene.server.answer = lambda query: [usual(query, truncated=query.by == "udp")]
    asking = scene.find("www.example", addr.V4)
    assert sorted(asking.addresses) == sorted(many)
    assert scene.server.seen == ["udp www.example A", "tcp www.example A"]
    assert scene.counted()["truncated"] == scene.counted()["queries_tcp"] == 1
    assert scene.host.drops().get("tcp_reset", 0) == 0
    world.run(70 * SECOND)
    assert scene.nothing_is_left()


def test_a_server_that_does_not_close_is_left_after_a_moment(world: World, family: int) -> None:
    scene = Scene(world, family, WWW)
    usual = scene.server.usual
    scene.server.answer = lambda query: [usual(query, truncated=query.by == "udp")]
    scene.server.closes = False
    asking = scene.ask("www.example", addr.V4)
    world.run(SECOND)
    assert asking.addresses == ["192.0.2.1"]
    (tcb,) = scene.host.stack.tcp.connections()
    assert tcb.state == FIN_WAIT_2
    world.run(1500 * MS)
    assert scene.host.stack.tcp.connections() == []
    assert scene.nothing_is_left()


@pytest.mark.parametrize("how", ["silent", "refused", "empty", "truncated", "other"])
def test_tcp_that_does_not_work(world: World, family: int, how: str) -> None:
    scene = Scene(world, family, WWW, dns_attempts=1)
    usual = scene.server.usual

    def answer(query: Query) -> list[bytes]:
        if query.by == "udp":
            return [usual(query, truncated=True)]
        wire = usual(query, truncated=how == "truncated")
        wrong = bytes((wire[0] ^ 1,)) + wire[1:]
        return {"silent": [], "empty": [b""], "truncated": [wire], "other": [wrong]}[how]

    scene.server.answer = answer
    if how == "refused":
        # Nobody listens on this host's own port 53.
        scene.resolver.use(("127.0.0.1" if family == addr.V4 else "::1",))
        own = scene.host.datagram()
        own.attach(scene.server)
        assert own.bind(b"", 53, 0) == status.OK
        scene.server.endpoint = own
    asking = scene.find("www.example", addr.V4)
    expected = {"silent": "TIMED_OUT", "refused": "PORT_UNREACHABLE"}
    assert asking.result == expected.get(how, "SERVER_FAILED")
    if how == "refused":
        own.close()
    world.run(70 * SECOND)
    assert scene.nothing_is_left()


# Aliases.


def test_an_alias_of_something_odd(world: World) -> None:
    """Names no host can have are followed, not told."""
    odd = "b\\032c.example"
    scene = Scene(world, zone={("a.example", "CNAME"): [odd], (odd, "A"): ["192.0.2.3"]})
    asking = scene.find("a.example", addr.V4)
    assert asking.addresses == ["192.0.2.3"]
    assert asking.found is not None
    assert asking.found.canonical == "a.example"


def test_aliases_in_one_answer(world: World, family: int) -> None:
    zone = {
        ("a.example", "CNAME"): ["b.example"],
        ("b.example", "CNAME"): ["c.example"],
        ("c.example", "A"): ["192.0.2.3"],
    }
    scene = Scene(world, family, zone)
    asking = scene.find("a.example", addr.V4)
    assert asking.addresses == ["192.0.2.3"]
    assert asking.found is not None
    assert asking.found.canonical == "c.example"
    assert asking.found.name == "a.example"
    assert len(scene.server.asked) == 1


def test_aliases_that_are_asked_for_one_by_one(world: World) -> None:
    """A server that gives one link at a time; eight are followed, the ninth is not."""
    scene = Scene(world)
    scene.server.soa = False
    full = {(f"n{i}.example", "CNAME"): [f"n{i + 1}.example"] for i in range(12)}
    full["n12.example", "A"] = ["192.0.2.12"]

    def one_link(query: Query) -> list[bytes]:
        scene.server.zone = {key: value for key, value in full.items() if key[0] == query.name}
        return [scene.server.usual(query)]

    scene.server.answer = one_link
    assert scene.find("n3.example", addr.V4).result == "SERVER_FAILED"
    assert len(scene.server.asked) == 9
    assert scene.find("n4.example", addr.V4).addresses == ["192.0.2.12"]
    assert len(scene.server.asked) == 18
    assert scene.nothing_is_left()


@pytest.mark.parametrize("loop", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_aliases_in_a_circle(world: World, family: int, loop: list[str]) -> None:
    zone = {(f"{x}.example", "CNAME"): [f"{y}.example"] for x, y in pairwise(loop)}
    scene = Scene(world, family, zone)
    assert scene.find("a.example").result == "SERVER_FAILED"
    assert len(scene.server.asked) <= 18
    assert scene.nothing_is_left()


def test_records_nobody_asked_for_are_not_believed(world: World) -> None:
    scene = Scene(world, zone=WWW)

    def generous(query: Query) -> list[bytes]:
        scene.server.zone = {**WWW, ("bank.example", "A"): ["192.0.2.66"]}
        wire = scene.server.usual(query)
        extra = b"\x04bank\x07example\x00\x00\x01\x00\x01\x00\x00\x0e\x10\x00\x04\xc0\x00\x02\x42"
        head = wire[:6] + (2).to_bytes(2, "big") + wire[8:]
        cut = len(head) - 11  # before the OPT record
        return [head[:cut] + extra + head[cut:]]

    scene.server.answer = generous
    assert scene.find("www.example", addr.V4).addresses == ["192.0.2.1"]
    scene.server.answer = lambda query: []
    assert scene.find("bank.example", addr.V4).result == "TIMED_OUT"


# Names of addresses.


def test_the_name_of_an_address(world: World, family: int) -> None:
    zone = {
        ("1.2.0.192.in-addr.arpa", "PTR"): ["www.example."],
        ("1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa", "PTR"): ["six.example."],
        ("9.2.0.192.in-addr.arpa", "CNAME"): ["9.0/28.2.0.192.in-addr.arpa"],
        ("9.0/28.2.0.192.in-addr.arpa", "PTR"): ["classless.example."],
        ("8.2.0.192.in-addr.arpa", "PTR"): ["bad\\032name.example.", "good.example."],
        ("7.2.0.192.in-addr.arpa", "PTR"): ["<script>.example."],
    }
    scene = Scene(world, family, zone, dns_hosts="192.0.2.5 file.example alias")
    names = {
        "192.0.2.1": "www.example",
        "2001:db8::1": "six.example",
        "192.0.2.9": "classless.example",
        "192.0.2.8": "good.example",
        "192.0.2.5": "file.example",
        "127.0.0.1": "localhost",
        "::1": "localhost",
    }
    for address, name in names.items():
        asking = scene.find_name(address)
        assert asking.result == "OK", address
        assert asking.found is not None
        assert asking.found.canonical == name
    asked = len(scene.server.asked)
    assert scene.find_name("192.0.2.7").result == "NO_NAME"
    assert scene.find_name("0.0.0.0").result == "NO_NAME"
    assert len(scene.server.asked) == asked + 1
    assert scene.resolver.find_name(b"xyz", Asking(), 1) == status.INVALID


# Hosts.


def test_the_hosts_file(world: World, family: int) -> None:
    text = """
    # comment
    192.0.2.10  db.example database   # trailing
    2001:db8::10 db.example
    not-an-address foo
    192.0.2.11
    192.0.2.12 bad..name ok.example
    """
    scene = Scene(world, family, dns_hosts=text, dns_search=("example",))
    assert sorted(scene.find("DB").addresses) == ["192.0.2.10", "2001:db8::10"]
    alias = scene.find("database.", addr.V4)
    assert alias.addresses == ["192.0.2.10"]
    assert alias.found is not None
    assert alias.found.canonical == "db.example"
    assert scene.find("ok.example").addresses == ["192.0.2.12"]
    assert scene.server.seen == []
    # What the file says is all there is of a name.
    assert scene.find("ok.example", addr.V6).result == "NO_NAME"
    assert scene.server.seen == []


# Together, limits, cost.


def test_the_same_question_is_asked_once_for_all(world: World) -> None:
    scene = Scene(world, zone=WWW)
    all_of_them = [scene.ask("www.example", addr.V4) for _ in range(20)]
    world.run()
    assert {tuple(asking.addresses) for asking in all_of_them} == {("192.0.2.1",)}
    assert len(scene.server.asked) == 1


def test_too_many_lookups(world: World) -> None:
    scene = Scene(world, zone=WWW, dns_lookup_limit=2)
    first, second, third = (scene.ask(f"n{number}.example") for number in range(3))
    assert third.result == "NO_MEMORY"
    world.run()
    assert first.result == second.result == "NO_NAME"
    assert scene.ask("www.example").ends == []


def test_families_this_host_has(world: World) -> None:
    scene = Scene(world, zone=WWW)
    assert scene.resolver.families() == BOTH
    small = world.pair(mtu=576)[0].stack.resolver
    assert small.families() == addr.V4


def test_settings_that_could_not_work() -> None:
    wrong: list[dict[str, Any]] = [
        {"dns_servers": ("example",)},
        {"dns_servers": ("::",) * 9},
        {"dns_search": ("example",) * 17},
        {"dns_attempts": 0},
    ]
    for settings in wrong:
        with pytest.raises(ValueError, match=r"Config\.dns"):
            Config(**settings)


@pytest.mark.slow
def test_who_looks_up_no_names_does_not_pay_for_it() -> None:
    code = (
        "import sys, wsk_api\n"
        "from tests.harness import World\n"
        "a, b = World(1).pair()\n"
        "assert not [m for m in sys.modules if m.startswith('stack.services')]\n"
        "a.stack.resolver\n"
        "assert not [m for m in sys.modules if m == 'dns' or m.startswith('dns.')]\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
