# SPDX-License-Identifier: MIT
"""What is kept, and how long (RFC 1035 7.4, 2181 8, 2308, 9520)."""

from __future__ import annotations

from stack.base import addr
from stack.base.status import NO_NAME, OK, TIMED_OUT
from stack.base.units import MS, SECOND
from stack.services.dns_cache import Cache, Outcome
from tests.harness import World
from tests.services.nameserver import Asking, Query, Scene

WWW = {("www.example", "A"): ["192.0.2.1"], ("www.example", "AAAA"): ["2001:db8::1"]}


def soon(scene: Scene, name: str, families: int = addr.V4) -> Asking:
    """A lookup that has a tenth of a second."""
    asking = scene.ask(name, families)
    scene.world.run(100 * MS)
    return asking


def test_an_answer_is_kept_for_its_lifetime(world: World, family: int) -> None:
    scene = Scene(world, family, WWW)
    scene.server.ttl = 30
    assert soon(scene, "www.example").addresses == ["192.0.2.1"]
    world.run(29 * SECOND)
    again = soon(scene, "WWW.example.")
    assert again.addresses == ["192.0.2.1"]
    assert again.when == 0
    assert len(scene.server.asked) == 1
    world.run(SECOND)
    assert soon(scene, "www.example").addresses == ["192.0.2.1"]
    assert len(scene.server.asked) == 2
    assert scene.counted()["cache_hits"] == 1


def test_a_lifetime_of_nothing_is_used_and_not_kept(world: World) -> None:
    scene = Scene(world, zone=WWW)
    scene.server.ttl = 0
    for count in (1, 2, 3):
        assert soon(scene, "www.example").addresses == ["192.0.2.1"]
        assert len(scene.server.asked) == count


def test_a_lifetime_of_years_is_cut(world: World) -> None:
    scene = Scene(world, zone=WWW, dns_max_ttl=60 * SECOND)
    scene.server.ttl = 1 << 30
    soon(scene, "www.example")
    world.run(59 * SECOND)
    soon(scene, "www.example")
    assert len(scene.server.asked) == 1
    world.run(SECOND)
    soon(scene, "www.example")
    assert len(scene.server.asked) == 2


def test_that_there_is_none_is_kept_as_long_as_the_zone_says(world: World, family: int) -> None:
    """The lesser of the SOA's lifetime and its minimum, 60 s here; for all types at once."""
    scene = Scene(world, family)
    assert soon(scene, "no.example").result == "NO_NAME"
    assert soon(scene, "no.example", addr.V6).result == "NO_NAME"
    world.run(58 * SECOND)
    assert soon(scene, "no.example").result == "NO_NAME"
    assert len(scene.server.asked) == 1
    world.run(2 * SECOND)
    scene.server.zone = {("no.example", "A"): ["192.0.2.7"]}
    assert soon(scene, "no.example").addresses == ["192.0.2.7"]


def test_no_data_is_kept_for_its_type_alone(world: World) -> None:
    scene = Scene(world, zone={("four.example", "A"): ["192.0.2.4"]})
    assert soon(scene, "four.example", addr.V6).result == "NO_NAME"
    assert soon(scene, "four.example", addr.V4).addresses == ["192.0.2.4"]
    assert soon(scene, "four.example", addr.V6).result == "NO_NAME"
    assert scene.server.seen == ["udp four.example AAAA", "udp four.example A"]


def test_that_there_is_none_is_not_kept_without_a_zones_word(world: World) -> None:
    scene = Scene(world)
    scene.server.soa = False
    for count in (1, 2):
        assert soon(scene, "no.example").result == "NO_NAME"
        assert len(scene.server.asked) == count


def test_failure_is_kept_for_a_moment(world: World) -> None:
    scene = Scene(world, zone=WWW)
    scene.server.code = 2
    assert soon(scene, "www.example").result == "SERVER_FAILED"
    assert soon(scene, "www.example").result == "SERVER_FAILED"
    assert len(scene.server.asked) == 1
    scene.server.code = 0
    world.run(SECOND)
    assert soon(scene, "www.example").addresses == ["192.0.2.1"]


def test_a_chain_lives_as_long_as_its_shortest_link(world: World) -> None:
    zone = {("a.example", "CNAME"): ["www.example"], **WWW}
    scene = Scene(world, zone=zone)

    def answer(query: Query) -> list[bytes]:
        wire = scene.server.usual(query)
        return [wire.replace((300).to_bytes(4, "big"), (10).to_bytes(4, "big"), 1)]

    scene.server.answer = answer
    assert soon(scene, "a.example").addresses == ["192.0.2.1"]
    world.run(10 * SECOND)
    soon(scene, "a.example")
    assert len(scene.server.asked) == 2


def test_a_target_that_is_known_lends_its_remaining_time(world: World) -> None:
    scene = Scene(world, zone=WWW)
    scene.server.ttl = 20
    soon(scene, "www.example")
    world.run(15 * SECOND)
    scene.server.soa = False
    scene.server.zone = {("a.example", "CNAME"): ["www.example"]}
    assert soon(scene, "a.example").addresses == ["192.0.2.1"]
    world.run(6 * SECOND)
    scene.server.zone = {
        ("a.example", "CNAME"): ["www.example"],
        ("www.example", "A"): ["192.0.2.8"],
    }
    assert soon(scene, "a.example").addresses == ["192.0.2.8"]


def test_new_servers_begin_with_nothing(world: World) -> None:
    scene = Scene(world, zone=WWW)
    soon(scene, "www.example")
    scene.resolver.use(("10.77.0.2",), ("example",))
    assert scene.resolver.domain() == "example"
    soon(scene, "www.example")
    assert len(scene.server.asked) == 2


def test_the_oldest_gives_way() -> None:
    cache = Cache(3, 100, 50, 10)
    for number, name in enumerate(("a", "b", "c", "a", "d")):
        cache.put(name, 1, Outcome(OK, name, (b"1",), 1000), number)
    assert len(cache) == 3
    assert cache.get("b", 1, 5) is None
    assert [name for name in "acd" if cache.get(name, 1, 5)] == ["a", "c", "d"]
    assert cache.get("c", 1, 102) is None
    assert len(cache) == 2


def test_what_is_renewed_makes_nobody_go() -> None:
    cache = Cache(3, 100, 50, 10)
    for name in "abcb":
        cache.put(name, 1, Outcome(OK, name, (b"1",), 1000), 0)
    assert all(cache.get(name, 1, 1) for name in "abc")


def test_each_sort_has_its_limit() -> None:
    cache = Cache(9, 100, 50, 10)
    for number, outcome in enumerate((OK, NO_NAME, TIMED_OUT)):
        cache.put("x", number + 1, Outcome(outcome, "x", (), 1000), 0)
    for kind, limit in ((1, 100), (2, 50), (3, 10)):
        assert cache.get("x", kind, limit - 1) is not None
        assert cache.get("x", kind, limit) is None
    cache.put("y", 1, Outcome(NO_NAME, "y", (), 1000, absent=True), 0)
    assert cache.get("y", 28, 1) is not None
    cache.clear()
    assert len(cache) == 0
