# SPDX-License-Identifier: MIT
"""Older queriers (RFC 3376 7.2, RFC 3810 8.2): IGMPv2 and IGMPv1 (RFC 2236, RFC 1112), MLDv1 (RFC
2710) as a host speaks them while such a querier is there."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import addr
from stack.base.units import MS, SECOND
from tests.harness import World
from tests.ip.querier import SOLICITED, Heard, Querier, group, sources

NONE: frozenset[bytes] = frozenset()


@pytest.fixture
def querier(world: World, family: int) -> Querier:
    return Querier(world, family)


@pytest.fixture
def older(querier: Querier) -> Querier:
    """An older querier has been heard, and what it asked is answered."""
    querier.asks(version=querier.older, seconds=1)
    querier.heard(2 * SECOND)
    return querier


def told(messages: list[Heard]) -> list[tuple[str, bytes]]:
    """Kinds and groups of messages, without solicited-node groups."""
    rows = [(kind, name) for m in messages for kind, name, _ in m.rows]
    return sorted(row for row in rows if row[1][:13] != SOLICITED)


def mode(querier: Querier) -> str:
    """The kind of message in which a new group is told."""
    number = 1000 + querier.counters.get("out_records", 0) + querier.world.now % 997
    name = group(querier.family, number)
    querier.joins(name)
    heard = [m for m in querier.heard() if m.plain]
    querier.leaves(name)
    querier.heard()
    (message,) = heard
    return f"{message.kind} {message.version}"


def newest(querier: Querier) -> str:
    return f"report {querier.newest}"


# The messages.


def test_groups_are_reported_one_by_one_to_themselves(querier: Querier) -> None:
    family = querier.family
    for number in (1, 2, 3):
        querier.joins(group(family, number))
    querier.heard(5 * SECOND)
    start = querier.world.now
    querier.asks(version=querier.older, seconds=4)
    heard = querier.heard(5 * SECOND)
    assert told(heard) == [("old", group(family, number)) for number in (1, 2, 3)]
    assert all(start < message.when <= start + 4 * SECOND for message in heard)
    assert len({message.when for message in heard}) == len(heard)
    assert all(message.dst == message.rows[0][1] for message in heard)
    assert querier.heard(60 * SECOND) == []


def test_a_group_query_asks_for_one(older: Querier) -> None:
    family = older.family
    for number in (1, 2):
        older.joins(group(family, number))
    older.heard(30 * SECOND)
    older.asks(group(family, 1), version=older.older, seconds=1)
    older.asks(group(family, 9), version=older.older, seconds=1)
    assert told(older.heard(2 * SECOND)) == [("old", group(family, 1))]


def test_joining_is_reported_at_once_and_again_within_ten_seconds(older: Querier) -> None:
    """RFC 2236 3 and 8.10, RFC 2710 4 and 7.10."""
    gaps = []
    for number in range(1, 31):
        start = older.world.now
        older.joins(group(older.family, number))
        first, second = older.heard(20 * SECOND)
        assert told([first, second]) == [("old", group(older.family, number))] * 2
        assert first.when == start
        gaps.append(second.when - first.when)
        older.asks(version=older.older, seconds=0.1)  # it is still there
        older.heard(SECOND)
    assert all(0 < gap <= 10 * SECOND for gap in gaps)
    assert min(gaps) < 2 * SECOND
    assert max(gaps) > 8 * SECOND


def test_leaving_is_told_to_all_routers_once(older: Querier) -> None:
    name = group(older.family)
    older.joins(name)
    older.heard(20 * SECOND)
    older.leaves(name)
    (message,) = older.heard(20 * SECOND)
    assert (message.kind, message.rows) == ("leave", [("leave", name, NONE)])
    assert addr.text(message.dst) == ("224.0.0.2" if older.family == addr.V4 else "ff02::2")


def test_leaving_ends_what_was_to_be_repeated(older: Querier) -> None:
    name = group(older.family)
    older.joins(name)
    assert told(older.heard()) == [("old", name)]
    older.leaves(name)
    assert told(older.heard(20 * SECOND)) == [("leave", name)]


def test_what_is_undone_within_a_turn_is_not_told(older: Querier) -> None:
    name, nic = group(older.family), older.host.nic
    older.groups.listen("a", nic, name, False, NONE)
    older.groups.listen("a", nic, name, True, NONE)
    assert told(older.heard(20 * SECOND)) == []
    older.joins(name, "a")
    older.heard(20 * SECOND)
    older.groups.listen("a", nic, name, True, NONE)
    older.groups.listen("a", nic, name, False, NONE)
    assert told(older.heard(20 * SECOND)) == [("old", name)] * 2


def test_sources_are_not_spoken_of(older: Querier) -> None:
    family, name = older.family, group(older.family)
    older.wants(name, True, sources(family, "12"))
    assert told(older.heard(20 * SECOND)) == [("old", name)] * 2
    older.wants(name, True, sources(family, "3"))
    older.wants(name, False, sources(family, "3"))
    assert told(older.heard(20 * SECOND)) == []
    older.wants(name, True, NONE)
    assert told(older.heard(20 * SECOND)) == [("leave", name)]


def test_version_1_has_no_leave(world: World) -> None:
    """RFC 1112: reports of type 0x12, ten seconds to answer, and silence when leaving."""
    querier = Querier(world, addr.V4)
    name = group(addr.V4)
    querier.joins(name)
    querier.heard(5 * SECOND)
    delays = []
    for _ in range(30):
        start = world.now
        querier.asks(version=1, alert=False)
        (message,) = querier.heard(11 * SECOND)
        assert (message.kind, message.version, message.dst) == ("old", 1, name)
        delays.append(message.when - start)
    assert all(0 < delay <= 10 * SECOND for delay in delays)
    assert max(delays) > 8 * SECOND
    querier.leaves(name)
    assert querier.heard(20 * SECOND) == []


# Other hosts.


def test_anothers_report_keeps_ours_back(older: Querier) -> None:
    name = group(older.family)
    older.joins(name)
    older.heard(20 * SECOND)
    older.asks(version=older.older, seconds=10)
    older.reports(name)
    assert told(older.heard(20 * SECOND)) == []
    assert older.counters["suppressed"] == 1
    older.leaves(name)  # the other one was the last to report
    assert told(older.heard(20 * SECOND)) == []


def test_anothers_report_keeps_the_repetitions_back(world: World, family: int) -> None:
    querier, name = Querier(world, family, multicast_robustness=3), group(family)
    querier.asks(version=querier.older, seconds=0.1)
    querier.heard(SECOND)
    querier.joins(name)
    assert told(querier.heard()) == [("old", name)]
    querier.reports(name)
    assert told(querier.heard(30 * SECOND)) == []
    querier.asks(version=querier.older, seconds=1)  # nor are they made up for later
    assert told(querier.heard(30 * SECOND)) == [("old", name)]


def test_who_reports_last_leaves_aloud(older: Querier) -> None:
    name = group(older.family)
    older.joins(name)
    older.heard(20 * SECOND)
    older.asks(version=older.older, seconds=10)
    older.reports(name)
    older.asks(version=older.older, seconds=10)
    assert told(older.heard(20 * SECOND)) == [("old", name)]
    older.reports(name)  # nothing is due: ignored (RFC 2236 6)
    older.leaves(name)
    assert told(older.heard(20 * SECOND)) == [("leave", name)]


def test_version_1_reports_keep_back_too(world: World) -> None:
    querier = Querier(world, addr.V4)
    name = group(addr.V4)
    querier.joins(name)
    querier.heard(5 * SECOND)
    querier.asks(version=2, seconds=10)
    querier.reports(name, version=1)
    assert querier.heard(20 * SECOND) == []


def test_nothing_keeps_the_newest_version_back(querier: Querier) -> None:
    name = group(querier.family)
    querier.joins(name)
    querier.heard(5 * SECOND)
    querier.asks(name, seconds=2)
    querier.reports(name)
    assert [kind for kind, _, _ in querier.hears(3 * SECOND)] == ["IS_EX"]
    assert "suppressed" not in querier.counters
    assert querier.counters["in_reports"] == 1


# Timers.


def test_an_answer_only_moves_to_earlier(older: Querier) -> None:
    """RFC 2236 3: a running timer is set anew only if the new time is shorter than what is left."""
    name = group(older.family)
    older.joins(name)
    older.heard(20 * SECOND)

    def due() -> int:
        (row,) = (g for g in older.groups.listing(older.host.nic.index) if g.group == name)
        return row.answer_at

    older.asks(version=older.older, seconds=20)
    first = due()
    older.asks(version=older.older, seconds=25)
    assert due() == first
    older.asks(version=older.older, seconds=0.1)
    assert due() <= older.world.now + 100 * MS
    assert told(older.heard(SECOND)) == [("old", name)]
    assert older.heard(30 * SECOND) == []


# The mode.


def test_the_mode_lasts_as_long_as_the_querier(querier: Querier) -> None:
    """RFC 3376 8.12, RFC 3810 9.12: robustness times query interval, and the time to answer."""
    assert mode(querier) == newest(querier)
    querier.asks(version=querier.older, seconds=5)
    end = querier.world.now + (2 * 125 + 5) * SECOND
    assert mode(querier) == f"old {querier.older}"
    querier.heard(end - querier.world.now - 1)
    assert mode(querier) == f"old {querier.older}"
    querier.heard(1)
    assert mode(querier) == newest(querier)


def test_the_last_newer_query_says_how_long_that_is(querier: Querier) -> None:
    querier.asks(robustness=3, qqic=20, seconds=1)
    querier.heard(SECOND)
    querier.asks(version=querier.older, seconds=5)
    end = querier.world.now + (3 * 20 + 5) * SECOND
    querier.heard(end - querier.world.now - 1)
    assert mode(querier) == f"old {querier.older}"
    querier.heard(1)
    assert mode(querier) == newest(querier)


def test_every_older_query_renews_it(querier: Querier) -> None:
    for _ in range(4):
        querier.asks(version=querier.older, seconds=5)
        querier.heard(200 * SECOND)
        assert mode(querier) == f"old {querier.older}"
    querier.heard(60 * SECOND)
    assert mode(querier) == newest(querier)


def test_an_older_query_for_a_group_is_only_mlds_proof(querier: Querier) -> None:
    """RFC 3376 7.2.1 wants a general query of IGMPv2; RFC 3810 8.2.1 takes any of MLDv1."""
    family, name = querier.family, group(querier.family)
    querier.joins(name)
    querier.heard(5 * SECOND)
    querier.asks(name, version=querier.older, seconds=1)
    (message,) = querier.heard(2 * SECOND)
    if family == addr.V4:
        assert message.plain == [("IS_EX", name, NONE)]
    else:
        assert message.plain == [("old", name, NONE)]


def test_the_oldest_querier_decides(world: World) -> None:
    querier = Querier(world, addr.V4)
    querier.asks(version=1, alert=False)
    querier.heard(100 * SECOND)
    querier.asks(version=2, seconds=1)
    assert mode(querier) == "old 1"
    querier.heard(160 * SECOND)
    assert mode(querier) == "old 2"
    querier.heard(100 * SECOND)
    assert mode(querier) == "report 3"


def test_newer_queries_are_answered_in_the_mode(older: Querier) -> None:
    name = group(older.family)
    older.joins(name)
    older.heard(20 * SECOND)
    older.asks(seconds=2)
    assert told(older.heard(3 * SECOND)) == [("old", name)]
    older.asks(name, sources(older.family, "1"), seconds=2)
    assert told(older.heard(3 * SECOND)) == [("old", name)]


def test_entering_the_mode_cancels_what_was_due(querier: Querier) -> None:
    """RFC 3376 7.2.1: answers and retransmissions."""
    family = querier.family
    for number in (1, 2):
        querier.joins(group(family, number))
    querier.heard(5 * SECOND)
    querier.asks(group(family, 1), seconds=10)
    querier.leaves(group(family, 2))
    querier.joins(group(family, 3))
    querier.heard()
    querier.asks(version=querier.older, seconds=1)
    expected = [("old", group(family, number)) for number in (1, 3)]
    assert told(querier.heard(30 * SECOND)) == expected


def test_leaving_the_mode_cancels_what_was_due(querier: Querier) -> None:
    family = querier.family
    querier.asks(qqic=10, seconds=0)
    querier.asks(version=querier.older, seconds=1)
    end = querier.world.now + 21 * SECOND
    querier.heard(end - querier.world.now - 10 * MS)
    querier.joins(group(family))
    assert told(querier.heard()) == [("old", group(family))]
    assert querier.heard(30 * SECOND) == []
    querier.leaves(group(family))
    assert [kind for kind, _, _ in querier.hears()] == ["TO_IN"]


def test_the_mode_is_forgotten_with_the_link(older: Querier) -> None:
    nic = older.host.nic
    older.host.stack.set_link(nic, False)
    assert older.host.stack.timers.armed() == []
    older.host.stack.set_link(nic, True)
    older.heard(5 * SECOND)
    assert mode(older) == newest(older)


def test_a_flood_of_older_queries_is_answered_once(older: Querier) -> None:
    family = older.family
    for number in range(1, 9):
        older.joins(group(family, number))
    older.heard(20 * SECOND)
    for number in range(500):
        older.asks(version=older.older, seconds=10)
        older.asks(group(family, number % 20 + 1), version=older.older, seconds=10)
    assert len(older.host.stack.timers.armed()) <= 12
    expected = [("old", group(family, number)) for number in range(1, 9)]
    assert told(older.heard(20 * SECOND)) == expected


# The knobs.


def forced(world: World, family: int, version: int) -> Querier:
    knob = "igmp_version" if family == addr.V4 else "mld_version"
    settings: dict[str, Any] = {knob: str(version)}
    return Querier(world, family, **settings)


def test_the_newest_alone_heeds_no_older_query(world: World, family: int) -> None:
    """RFC 3376 9.1, RFC 3810 10.1: a forged query cannot take source filters away."""
    querier = forced(world, family, 3 if family == addr.V4 else 2)
    querier.joins(group(family))
    querier.heard(5 * SECOND)
    querier.asks(version=querier.older, seconds=1)
    querier.asks(version=1, seconds=1)
    assert querier.heard(20 * SECOND) == []
    assert querier.host.drops()["membership_version"] == 2
    assert mode(querier) == newest(querier)


@pytest.mark.parametrize(("protocol", "version"), [("igmp", 1), ("igmp", 2), ("mld", 1)])
def test_an_older_one_alone_is_spoken_whatever_is_asked(
    world: World, protocol: str, version: int
) -> None:
    querier = forced(world, addr.V4 if protocol == "igmp" else addr.V6, version)
    assert mode(querier) == f"old {version}"
    name = group(querier.family)
    querier.joins(name)
    assert told(querier.heard(20 * SECOND)) == [("old", name)] * 2
    querier.asks(seconds=1)
    heard = querier.heard(20 * SECOND)
    assert told(heard) == [("old", name)]
    assert {message.version for message in heard} == {version}
    if version == 2:
        querier.asks(version=1)
        assert querier.heard(20 * SECOND) == []
        assert querier.host.drops() == {"membership_version": 1}
