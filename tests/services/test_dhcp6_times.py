# SPDX-License-Identifier: MIT
"""When a DHCPv6 client says things: RFC 8415 7.6, 14.1, 15, message by message."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base.units import SECOND
from stack.services import dhcp6_retransmit as schedules
from stack.services.dhcp6_retransmit import RateLimit, Retransmission, Schedule
from stack.wire import dhcp6
from stack.wire.dhcp6_codec import build, parse
from tap.clock import VirtualEnv
from tests.harness import World
from tests.services.dhcp6_server import HOUR, LEASED, Heard, Scene

TICK = 1000
"""Rounding: RAND is in parts of a million."""


def gaps(heard: list[Heard]) -> list[int]:
    return [b.when - a.when for a, b in pairwise(heard)]


def follows(times: list[int], irt: int, mrt: int = 0, longer: bool = False) -> None:
    """These time-outs are as section 15 makes them, one from the other."""
    before = 0
    for number, rt in enumerate(times):
        base, spread = (2 * before, before // 10) if number else (irt, irt // 10)
        low, high = base - spread - TICK, base + spread + TICK
        if longer and not number:
            low = irt + 1
        if mrt and high > mrt and (rt > mrt or not low <= rt <= high):
            low, high = mrt - mrt // 10 - TICK, mrt + mrt // 10 + TICK
        assert low <= rt <= high, (number, rt)
        before = rt


def collect(scene: Scene, kind: str, count: int) -> list[Heard]:
    found: list[Heard] = []
    while len(found) < count:
        heard = scene.next()
        if heard.kind == kind:
            found.append(heard)
    return found


def same_but_elapsed(heard: list[Heard]) -> None:
    """15, 16.1, 21.9: a retransmission is the same message but for the elapsed time."""
    plain = set()
    for one in heard:
        elapsed = min((one.when - heard[0].when) // (SECOND // 100), 0xFFFF)
        assert one.message.elapsed == elapsed
        again = parse(one.wire, 0, len(one.wire))
        assert again is not None
        again.elapsed = 0
        plain.add(build(again))
    assert len(plain) == 1


@pytest.fixture(params=range(5))
def seeded(request: pytest.FixtureRequest) -> World:
    seed: int = request.param
    return World(seed=seed)


def test_solicit(seeded: World) -> None:
    """First after 0 .. 1 s; 1 s, doubled up to an hour, for ever; the first RAND above zero."""
    scene = Scene(seeded)
    began = scene.world.now
    heard = collect(scene, "solicit", 20)
    assert 0 <= heard[0].when - began <= SECOND
    follows(gaps(heard), SECOND, 3600 * SECOND, longer=True)
    assert gaps(heard)[-1] >= 3240 * SECOND
    same_but_elapsed(heard)
    assert heard[-1].message.elapsed == 0xFFFF


def test_request(seeded: World) -> None:
    """1 s, at most 30 s, ten of them; then all anew."""
    scene = Scene(seeded)
    scene.advertise(scene.next("solicit"), preference=255)
    heard = collect(scene, "request", 10)
    follows(gaps(heard), SECOND, 30 * SECOND)
    same_but_elapsed(heard)
    last = scene.next("solicit")
    assert 27 * SECOND <= last.when - heard[-1].when <= 33 * SECOND + 2 * SECOND


def test_confirm(seeded: World) -> None:
    """First after 0 .. 1 s; 1 s, at most 4 s, 10 s in all."""
    scene = Scene(seeded)
    scene.bind()
    scene.flap(0)
    up = scene.world.now
    heard = scene.all(20 * SECOND)
    assert {h.kind for h in heard} == {"confirm"}
    assert up <= heard[0].when <= up + SECOND
    follows(gaps(heard), SECOND, 4 * SECOND)
    assert heard[-1].when < heard[0].when + 10 * SECOND
    assert len(heard) >= 4
    same_but_elapsed(heard)
    assert scene.at() == "bound"


def test_the_duration_of_confirm_ends_the_last_time_out() -> None:
    scene = Scene()
    scene.bind()
    scene.flap(0)
    first = scene.next("confirm")
    scene.world.run(first.when + 10 * SECOND - 1 - scene.world.now)
    assert scene.at() == "confirming"
    scene.world.run(1)
    assert scene.at() == "bound"


def test_renew_and_rebind(seeded: World) -> None:
    """10 s, at most 600 s; Renew until T2, Rebind until the last address is gone."""
    scene = Scene(seeded)
    scene.bind(t1=5000, t2=20000, addresses=[(LEASED, 40000, 50000)])
    bound = scene.world.now
    heard = scene.all(50_000 * SECOND - 1)
    renews = [h for h in heard if h.kind == "renew"]
    rebinds = [h for h in heard if h.kind == "rebind"]
    assert renews + rebinds == heard
    assert renews[0].when == bound + 5000 * SECOND
    assert renews[-1].when < bound + 20000 * SECOND
    assert rebinds[0].when == bound + 20000 * SECOND
    for some in (renews, rebinds):
        follows(gaps(some), 10 * SECOND, 600 * SECOND)
        same_but_elapsed(some)


def test_information_request(seeded: World) -> None:
    scene = Scene(seeded, started=False)
    scene.client.start(stateful=False)
    began = scene.world.now
    heard = collect(scene, "information-request", 20)
    assert 0 <= heard[0].when - began <= SECOND
    follows(gaps(heard), SECOND, 3600 * SECOND)
    assert gaps(heard)[-1] >= 3240 * SECOND
    same_but_elapsed(heard)


@pytest.mark.parametrize("kind", ["release", "decline"])
def test_release_and_decline(seeded: World, kind: str) -> None:
    """1 s, doubled without bound, four of them."""
    scene = Scene(seeded, dad=kind == "decline")
    scene.bind()
    if kind == "release":
        scene.client.stop()
    else:
        scene.claim()
    began = scene.world.now
    heard = [scene.next(kind) for _ in range(4)]
    assert heard[0].when == began
    follows(gaps(heard), SECOND)
    same_but_elapsed(heard)
    after = scene.poll(30 * SECOND)
    assert (after.kind if after else None) == (None if kind == "release" else "solicit")


def test_the_first_random_delay_is_random() -> None:
    first = set()
    for seed in range(20):
        scene = Scene(World(seed=seed))
        began = scene.world.now
        first.add(scene.next().when - began)
    assert len(first) == 20
    assert all(0 <= delay <= SECOND for delay in first)


# SOL_MAX_RT and INF_MAX_RT (18.2.9, 18.2.10, 21.24, 21.25).


def last_gap(scene: Scene, kind: str) -> int:
    return gaps(collect(scene, kind, 18))[-1] // SECOND


@pytest.mark.parametrize(
    ("said", "expected"),
    [(60, 60), (59, 3600), (0, 3600), (86400, 86400), (86401, 3600), (500, 500)],
)
def test_a_server_sets_sol_max_rt_within_bounds(said: int, expected: int) -> None:
    scene = Scene()
    solicit = scene.next("solicit")
    scene.advertise(solicit, addresses=[], status=dhcp6.NO_ADDRS_AVAIL, sol_max_rt=said)
    assert scene.client.state()["sol_max_rt"] == expected
    scene.pause(10_000)
    scene.all(0)
    if expected < 86400:
        assert 0.9 * expected - 1 <= last_gap(scene, "solicit") <= 1.1 * expected + 1


@pytest.mark.parametrize("field", ["sol_max_rt", "inf_max_rt"])
def test_servers_must_agree(field: str) -> None:
    """18.2.9: if they do not, the default counts."""
    scene = Scene()
    solicit = scene.next("solicit")
    for said, expected in ((100, 100), (100, 100), (200, 3600), (200, 3600), (100, 3600)):
        scene.advertise(solicit, addresses=[], **{field: said})
        assert scene.client.state()[field] == expected


@pytest.mark.parametrize("status", [dhcp6.ABSENT, dhcp6.UNSPEC_FAIL, dhcp6.NO_BINDING])
def test_a_reply_sets_them_whatever_else_it_says(status: int) -> None:
    scene = Scene()
    scene.bind()
    scene.reply(scene.next("renew"), status=status, sol_max_rt=70, inf_max_rt=80)
    assert scene.client.state()["sol_max_rt"] == 70
    assert scene.client.state()["inf_max_rt"] == 80


def test_inf_max_rt_is_heeded() -> None:
    scene = Scene(started=False)
    scene.client.start(stateful=False)
    scene.reply(scene.next("information-request"), inf_max_rt=60, refresh_time=600)
    assert 53 <= last_gap(scene, "information-request") <= 67


# The rate (14.1).


def test_no_server_makes_a_client_flood_its_link() -> None:
    """Everything refused at once: twenty messages at most, then one a second at most."""
    scene = Scene()
    said: list[int] = []
    while scene.world.now < 600 * SECOND:
        heard = scene.next()
        said.append(heard.when)
        if heard.kind == "solicit":
            scene.advertise(heard, preference=255)
        else:
            scene.reply(heard, addresses=[], ia_status=dhcp6.NOT_ON_LINK)
    for index, when in enumerate(said):
        within = [other for other in said[index:] if other - when < 20 * SECOND]
        assert len(within) <= 40
    assert len(said) < 40  # discoveries come ever later
    assert scene.leased() == []


def test_a_message_a_second_is_not_held_back() -> None:
    """T1 is a second: that is as much as the rate allows for ever."""
    scene = Scene()
    scene.bind(t1=1, t2=HOUR)
    said: list[int] = []
    while len(said) < 60:
        heard = scene.next("renew")
        said.append(heard.when)
        scene.reply(heard, addresses=[(LEASED, HOUR, HOUR)], t1=1, t2=HOUR)
    assert all(b - a == SECOND for a, b in pairwise(said))
    assert "held_back" not in scene.counted()


@given(st.lists(st.integers(0, 3 * SECOND), max_size=200))
def test_the_bucket(pauses: list[int]) -> None:
    """Never more than twenty and one for each second; never a permission later than promised."""
    env = VirtualEnv(1)
    bucket = RateLimit(env)
    given_at: list[int] = []
    for pause in pauses:
        env.now += pause
        wait = bucket.wait()
        if wait == 0:
            given_at.append(env.now)
        else:
            assert 0 < wait <= SECOND
            env.now += wait
            assert bucket.wait() == 0
            given_at.append(env.now)
    for index, when in enumerate(given_at):
        for later in range(index, len(given_at)):
            span = given_at[later] - when
            assert later - index + 1 <= 20 + span // SECOND + 1


@given(
    st.integers(1, 100),
    st.integers(0, 1000),
    st.integers(0, 12),
    st.integers(0, 2000),
    st.integers(0, 1 << 30),
)
def test_section_15(irt: int, mrt: int, mrc: int, mrd: int, seed: int) -> None:
    """Any parameters: the time-outs follow from each other, and the exchange ends when it must."""
    env = VirtualEnv(seed)
    times = (irt * SECOND, mrt * SECOND, mrc, mrd * SECOND)
    retry = Retransmission(env, Schedule(*times))
    rts: list[int] = []
    for _ in range(15):
        deadline = retry.sent()
        rts.append(retry.rt)
        whole = env.now + retry.rt
        assert deadline == (min(whole, retry.began + mrd * SECOND) if mrd else whole)
        env.now = deadline
        ended = bool(mrc and retry.count == mrc) or bool(
            mrd and env.now >= retry.began + mrd * SECOND
        )
        assert retry.exhausted() == ended
        if ended:
            break
    if not mrt or mrt >= irt:
        follows(rts, irt * SECOND, mrt * SECOND)


def test_the_table_of_7_6() -> None:
    rows = {
        "SOLICIT": (1, 3600, 0, 0, 1),
        "REQUEST": (1, 30, 10, 0, 0),
        "CONFIRM": (1, 4, 0, 10, 1),
        "RENEW": (10, 600, 0, 0, 0),
        "REBIND": (10, 600, 0, 0, 0),
        "INFORMATION_REQUEST": (1, 3600, 0, 0, 1),
        "RELEASE": (1, 0, 4, 0, 0),
        "DECLINE": (1, 0, 4, 0, 0),
    }
    for name, (irt, mrt, mrc, mrd, delay) in rows.items():
        row: Schedule = getattr(schedules, name)
        assert (row.irt, row.mrt, row.mrc) == (irt * SECOND, mrt * SECOND, mrc), name
        assert (row.mrd, row.delay) == (mrd * SECOND, delay * SECOND), name
        assert row.first_longer == (name == "SOLICIT")
