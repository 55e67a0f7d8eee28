# SPDX-License-Identifier: MIT
"""Many lookups, given up at any moment, over a bad wire: each ends once, and nothing stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from stack.base.units import MS, SECOND
from tap.impair import Impairment
from tests.harness import World
from tests.services.nameserver import Asking, Query, Scene

ZONE = {
    ("a.example", "A"): ["192.0.2.1"],
    ("b.example", "AAAA"): ["2001:db8::1"],
    ("c.example", "CNAME"): ["a.example"],
    ("loop.example", "CNAME"): ["loop.example"],
}
NAMES = ["a", "b.example", "c", "loop", "none", "localhost", "a.example.", "host", "1.2.3"]
END = {"OK", "NO_NAME", "TIMED_OUT", "SERVER_FAILED", "HOST_UNREACHABLE"}

ask = st.tuples(st.just("ask"), st.sampled_from(NAMES))
give_up = st.tuples(st.just("cancel"), st.integers(0, 1 << 16))
wait = st.tuples(st.just("wait"), st.sampled_from([0, 1, 10, 30, 400, 1000, 5000]))


@given(
    st.lists(st.one_of(ask, give_up, wait), max_size=30),
    st.sampled_from([0.0, 0.2, 0.6]),
    st.integers(0, 1 << 16),
    st.sampled_from([addr.V4, addr.V6]),
    st.booleans(),
)
def test_every_lookup_ends_once(
    steps: list[tuple[str, object]], loss: float, seed: int, family: int, cut: bool
) -> None:
    world = World(seed)
    wire = Impairment(loss=loss, delay=5 * MS, jitter=20 * MS, duplicate=0.1)
    hosts = "192.0.2.3 host"
    scene = Scene(world, family, ZONE, there=wire, dns_search=("example",), dns_hosts=hosts)
    usual = scene.server.usual

    def answer(query: Query) -> list[bytes]:
        return [usual(query, truncated=cut and query.by == "udp")]

    scene.server.answer = answer
    waiting: list[Asking] = []
    all_of_them: list[Asking] = []
    given_up: list[Asking] = []
    for action, what in steps:
        if action == "ask":
            waiting.append(scene.ask(str(what)))
            all_of_them.append(waiting[-1])
        elif action == "wait" and isinstance(what, int):
            world.run(what * MS)
        elif waiting and isinstance(what, int):
            asking = waiting.pop(what % len(waiting))
            over = bool(asking.ends)
            assert scene.resolver.cancel(asking) is not over
            assert scene.resolver.cancel(asking) is False
            if not over:
                given_up.append(asking)
    world.run(300 * SECOND)
    for asking in all_of_them:
        if asking in given_up:
            assert asking.ends == []
        else:
            assert asking.result in END
    assert scene.nothing_is_left()
