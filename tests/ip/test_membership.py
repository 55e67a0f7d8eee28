# SPDX-License-Identifier: MIT
"""The host's part of IGMPv3 and MLDv2 (RFC 3376 5, RFC 3810 6): what changes are told, how queries
are answered, and when.  One body for both protocols."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stack.base import addr
from stack.base.timers import NEVER
from stack.base.units import MS, SECOND
from stack.ip.groups import NOTHING, Filter
from tests.harness import World
from tests.ip.querier import Querier, Row, group, source, sources

NONE: frozenset[bytes] = frozenset()


@pytest.fixture
def querier(world: World, family: int) -> Querier:
    return Querier(world, family)


# Changes: RFC 3376 5.1, RFC 3810 6.1.

TABLE = [
    # before, after, records: mode and sources, the host's last state first
    ("I", "12", "I", "23", {"ALLOW": "3", "BLOCK": "1"}),
    ("I", "12", "I", "123", {"ALLOW": "3"}),
    ("I", "123", "I", "1", {"BLOCK": "23"}),
    ("E", "12", "E", "23", {"ALLOW": "1", "BLOCK": "3"}),
    ("E", "12", "E", "", {"ALLOW": "12"}),
    ("E", "", "E", "12", {"BLOCK": "12"}),
    ("I", "12", "E", "23", {"TO_EX": "23"}),
    ("E", "12", "I", "23", {"TO_IN": "23"}),
    # What is not there is INCLUDE of nothing.
    ("I", "", "I", "12", {"ALLOW": "12"}),
    ("I", "", "E", "", {"TO_EX": ""}),
    ("I", "", "E", "1", {"TO_EX": "1"}),
    ("I", "12", "I", "", {"BLOCK": "12"}),
    ("E", "12", "I", "", {"TO_IN": ""}),
    ("E", "", "I", "", {"TO_IN": ""}),
]


def rows(family: int, name: bytes, records: dict[str, str]) -> list[Row]:
    return [(kind, name, sources(family, numbers)) for kind, numbers in records.items()]


@pytest.mark.parametrize(("mode", "old", "mode2", "new", "records"), TABLE)
def test_every_row_of_the_state_change_table(
    querier: Querier, mode: str, old: str, mode2: str, new: str, records: dict[str, str]
) -> None:
    family, name = querier.family, group(querier.family)
    querier.wants(name, mode == "I", sources(family, old))
    querier.heard(5 * SECOND)
    querier.wants(name, mode2 == "I", sources(family, new))
    expected = rows(family, name, records)
    assert querier.hears() == expected
    assert querier.hears(SECOND) == expected
    assert querier.hears(60 * SECOND) == []


@pytest.mark.parametrize("robustness", [1, 2, 5])
def test_a_change_is_told_so_often_at_random_intervals_of_a_second(
    world: World, family: int, robustness: int
) -> None:
    querier = Querier(world, family, multicast_robustness=robustness)
    start = world.now
    querier.joins(group(family))
    heard = querier.heard(20 * SECOND)
    assert [m.plain for m in heard] == [[("TO_EX", group(family), NONE)]] * robustness
    times = [m.when for m in heard]
    assert times[0] == start
    gaps = [b - a for a, b in pairwise(times)]
    assert all(0 < gap <= SECOND for gap in gaps)
    assert len(set(gaps)) == len(gaps)


def test_intervals_fill_the_second(world: World, family: int) -> None:
    querier = Querier(world, family)
    gaps = []
    for number in range(60):
        querier.joins(group(family, number + 1))
        first, second = querier.heard(2 * SECOND)
        gaps.append(second.when - first.when)
    assert min(gaps) < 100 * MS
    assert max(gaps) > 900 * MS


def test_changes_of_a_turn_share_a_report(querier: Querier) -> None:
    """And what is undone within it is not told as two changes."""
    nic, family = querier.host.nic, querier.family
    for number in range(1, 4):
        querier.groups.listen("a", nic, group(family, number), False, NONE)
    querier.groups.listen("a", nic, group(family, 2), True, NONE)
    (message,) = querier.heard()
    assert message.rows == [
        ("TO_EX", group(family, 1), NONE),
        ("TO_IN", group(family, 2), NONE),
        ("TO_EX", group(family, 3), NONE),
    ]


def test_further_users_change_nothing(querier: Querier) -> None:
    name = group(querier.family)
    querier.joins(name, "a")
    querier.heard(5 * SECOND)
    querier.joins(name, "b")
    querier.leaves(name, "a")
    assert querier.hears(5 * SECOND) == []
    querier.leaves(name, "b")
    assert querier.hears() == [("TO_IN", name, NONE)]


def test_pending_source_changes_merge(querier: Querier) -> None:
    """RFC 3376 5.1: sources keep their own count of retransmissions."""
    family, name = querier.family, group(querier.family)
    querier.wants(name, True, sources(family, "1"))
    assert querier.hears() == rows(family, name, {"ALLOW": "1"})
    querier.wants(name, True, sources(family, "12"))
    assert querier.hears() == rows(family, name, {"ALLOW": "12"})
    querier.wants(name, True, sources(family, "2"))  # 1 is told anew, with the other sign
    assert querier.hears() == rows(family, name, {"ALLOW": "2", "BLOCK": "1"})
    assert querier.hears(SECOND) == rows(family, name, {"BLOCK": "1"})
    assert querier.hears(5 * SECOND) == []


def test_a_change_of_mode_goes_before_changes_of_sources(world: World, family: int) -> None:
    """The next [Robustness] reports say the whole filter, whatever happens to its sources; a
    source that changed last is told of once more after them."""
    querier, name = Querier(world, family), group(family)
    querier.joins(name)
    assert querier.hears() == rows(family, name, {"TO_EX": ""})
    querier.wants(name, False, sources(family, "1"))
    assert querier.hears() == rows(family, name, {"TO_EX": "1"})
    assert querier.hears(SECOND) == rows(family, name, {"BLOCK": "1"})
    assert querier.hears(5 * SECOND) == []


def test_a_change_of_mode_takes_pending_sources_with_it(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    querier.wants(name, True, sources(family, "12"))
    querier.heard()
    querier.wants(name, False, sources(family, "3"))
    assert querier.hears() == rows(family, name, {"TO_EX": "3"})
    assert querier.hears(5 * SECOND) == rows(family, name, {"TO_EX": "3"})


def test_leaving_before_joining_was_told_twice(querier: Querier) -> None:
    name = group(querier.family)
    querier.joins(name)
    querier.heard()
    querier.leaves(name)
    assert querier.hears() == [("TO_IN", name, NONE)]
    assert querier.hears(5 * SECOND) == [("TO_IN", name, NONE)]


class Telling(RuleBasedStateMachine):
    """Random changes at random times.

    Every report is what the history of changes makes it (RFC 3376 5.1), and a router that misses
    every other report of the group still ends with the host's filter.
    """

    @initialize(
        family=st.sampled_from((addr.V4, addr.V6)), robustness=st.integers(2, 4), odd=st.booleans()
    )
    def begin(self, family: int, robustness: int, odd: bool) -> None:
        self.querier = Querier(World(seed=3), family, multicast_robustness=robustness)
        self.family, self.robustness = family, robustness
        self.name = group(family)
        self.state = NOTHING
        self.modes: list[int] = []  # the first report that told of each change of mode
        self.changes: list[tuple[int, frozenset[bytes]]] = []
        self.count = 0  # reports so far
        self.odd = odd
        self.router = NOTHING

    @rule(include=st.booleans(), numbers=st.frozensets(st.integers(1, 3)))
    def change(self, include: bool, numbers: frozenset[int]) -> None:
        after = Filter(include, frozenset(source(self.family, n) for n in numbers))
        before, self.state = self.state, after
        if before.include != after.include:
            self.modes.append(self.count)
        elif before.sources != after.sources:
            self.changes.append((self.count, before.sources ^ after.sources))
        self.querier.wants(self.name, include, after.sources)
        expected = 0 if before.same(after) else 1
        assert self.hear() == expected

    @rule(tenths=st.integers(1, 30))
    def wait(self, tenths: int) -> None:
        self.querier.world.run(tenths * 100 * MS)
        self.hear()

    @invariant()
    def the_router_catches_up(self) -> None:
        if hasattr(self, "router") and not self.due():
            assert self.router.same(self.state)

    def due(self) -> bool:
        firsts = self.modes + [first for first, _ in self.changes]
        return any(self.count - first < self.robustness for first in firsts)

    def hear(self) -> int:
        """Check what was said since; the number of reports."""
        reports = self.querier.heard()
        for report in reports:
            assert report.plain == self.expected()
            if self.count % 2 == self.odd:
                for row in report.plain:
                    self.router = self.learn(row)
            self.count += 1
        return len(reports)

    def expected(self) -> list[Row]:
        """The next report, given all that happened."""
        wanted, again = self.state, self.robustness
        if any(self.count - first < again for first in self.modes):
            kind = "TO_IN" if wanted.include else "TO_EX"
            return [(kind, self.name, wanted.sources)]
        told = [listed for first, listed in self.changes if self.count - first < again]
        changed = frozenset().union(*told)
        parts = {
            "ALLOW": frozenset(s for s in changed if wanted.passes(s)),
            "BLOCK": frozenset(s for s in changed if not wanted.passes(s)),
        }
        return [(kind, self.name, part) for kind, part in parts.items() if part]

    def learn(self, row: Row) -> Filter:
        """What one host's record makes of the router's view of it (RFC 3376 6.4, simplified)."""
        kind, _, listed = row
        known = self.router
        if kind in ("TO_IN", "TO_EX"):
            return Filter(kind == "TO_IN", listed)
        adds = (kind == "ALLOW") == known.include
        return Filter(known.include, known.sources | listed if adds else known.sources - listed)


TestTelling = Telling.TestCase
TestTelling.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def test_churn_of_sources_is_bounded(world: World, family: int) -> None:
    """More changed sources than are kept apart: one record says the whole filter instead."""
    querier, name = Querier(world, family, multicast_source_limit=3), group(family)
    querier.wants(name, True, sources(family, "123"))
    assert querier.hears() == rows(family, name, {"ALLOW": "123"})
    querier.wants(name, True, sources(family, "45"))
    assert querier.hears() == rows(family, name, {"TO_IN": "45"})
    assert querier.hears(SECOND) == rows(family, name, {"TO_IN": "45"})
    assert querier.hears(5 * SECOND) == []


def test_churn_of_groups_is_bounded(world: World, family: int) -> None:
    """Groups that come and go within a turn leave no more behind than twice the limit."""
    querier = Querier(world, family, multicast_group_limit=8)
    for number in range(1, 100):
        querier.groups.listen("a", querier.host.nic, group(family, number), False, NONE)
        querier.groups.listen("a", querier.host.nic, group(family, number), True, NONE)
    told = querier.hears()
    assert len(told) <= 16
    assert told[-1] == ("TO_IN", group(family, 99), NONE)
    assert len(querier.host.stack.timers.armed()) <= 4
    querier.heard(5 * SECOND)
    machine = querier.host.stack.igmp if family == addr.V4 else querier.host.stack.mld
    kept = set(machine.listeners[querier.host.nic.index].interests)
    assert not kept & {group(family, number) for number in range(1, 100)}


# Answers: RFC 3376 5.2, RFC 3810 6.2 and 6.3.


def settled(querier: Querier, *wanted: tuple[int, bool, str]) -> None:
    """Groups of which everything has been told."""
    for number, include, numbers in wanted:
        name = group(querier.family, number)
        querier.wants(name, include, sources(querier.family, numbers))
    querier.heard(5 * SECOND)


def test_a_general_query_is_answered_with_every_group(querier: Querier) -> None:
    family = querier.family
    settled(querier, (1, False, ""), (2, False, "12"), (3, True, "3"))
    querier.asks(seconds=10)
    assert querier.answers(10) == [
        ("IS_EX", group(family, 1), NONE),
        ("IS_EX", group(family, 2), sources(family, "12")),
        ("IS_IN", group(family, 3), sources(family, "3")),
    ]
    assert querier.hears(60 * SECOND) == []


def test_a_group_query_is_answered_for_the_group(querier: Querier) -> None:
    family = querier.family
    settled(querier, (1, False, "1"), (2, True, "12"))
    querier.asks(group(family, 1), seconds=1)
    assert querier.answers(1) == rows(family, group(family, 1), {"IS_EX": "1"})
    querier.asks(group(family, 2), seconds=1)
    assert querier.answers(1) == rows(family, group(family, 2), {"IS_IN": "12"})


def test_what_nobody_wants_is_not_answered(querier: Querier) -> None:
    family = querier.family
    settled(querier, (1, False, ""))
    querier.asks(group(family, 9), seconds=1)
    querier.asks(group(family, 9), sources(family, "1"), seconds=1)
    assert querier.answers(2) == []
    querier.asks(group(family, 1), seconds=1)
    querier.leaves(group(family, 1))
    assert [kind for kind, _, _ in querier.hears(5 * SECOND)] == ["TO_IN", "TO_IN"]


@pytest.mark.parametrize(
    ("include", "listed", "asked", "answer"),
    [
        (True, "12", "23", "2"),  # INCLUDE (A): IS_IN (A*B)
        (True, "12", "3", None),
        (False, "12", "23", "3"),  # EXCLUDE (A): IS_IN (B-A)
        (False, "12", "12", None),
        (False, "", "12", "12"),
    ],
)
def test_a_source_query_is_answered_with_the_sources_that_are_wanted(
    querier: Querier, include: bool, listed: str, asked: str, answer: str | None
) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, include, listed))
    querier.asks(name, sources(family, asked), seconds=1)
    expected = [] if answer is None else rows(family, name, {"IS_IN": answer})
    assert querier.answers(2) == expected


def test_the_answer_is_about_the_state_when_it_is_due(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, True, "12"))
    querier.asks(name, sources(family, "123"), seconds=100)
    querier.wants(name, True, sources(family, "3"))
    querier.heard(0)
    answer = [row for row in querier.hears(101 * SECOND) if row[0] == "IS_IN"]
    assert answer == rows(family, name, {"IS_IN": "3"})


def test_answers_are_spread_over_the_time_there_is(querier: Querier) -> None:
    name = group(querier.family)
    settled(querier, (1, False, ""))
    delays = []
    for _ in range(60):
        start = querier.world.now
        querier.asks(name, seconds=8)
        (message,) = querier.heard(9 * SECOND)
        delays.append(message.when - start)
    assert all(0 < delay <= 8 * SECOND for delay in delays)
    assert min(delays) < SECOND
    assert max(delays) > 7 * SECOND


def test_no_time_to_answer_means_at_once(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, ""))
    querier.asks(name, seconds=0)
    assert querier.hears() == rows(family, name, {"IS_EX": ""})


def test_the_longest_time_to_answer(querier: Querier) -> None:
    """The exponential code's top: 53 minutes in IGMP, 2.3 hours in MLD."""
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, ""))
    longest = 3174.4 if family == addr.V4 else 8387.584
    delays = []
    for _ in range(20):
        start = querier.world.now
        querier.asks(name, seconds=longest)
        (message,) = querier.heard(int(longest * SECOND))
        delays.append(message.when - start)
    assert max(delays) > longest * SECOND / 2
    assert min(delays) < longest * SECOND / 2


def due(querier: Querier, number: int = 1) -> int:
    """When the answer for a group is due."""
    for listed in querier.groups.listing(querier.host.nic.index):
        if listed.group == group(querier.family, number):
            return listed.answer_at
    return NEVER


def test_rule_1_a_general_answer_that_comes_sooner_answers_everything(querier: Querier) -> None:
    family = querier.family
    settled(querier, (1, False, ""), (2, False, ""))
    querier.asks(seconds=0.2)
    querier.asks(group(family, 1), seconds=1000)
    querier.asks(group(family, 2), sources(family, "1"), seconds=12)
    querier.asks(seconds=12)
    expected = {group(family, n): NONE for n in (1, 2)}
    told = querier.hears(1001 * SECOND)
    assert told == [("IS_EX", name, listed) for name, listed in expected.items()]


def test_rule_2_a_sooner_general_query_replaces_the_one_before(querier: Querier) -> None:
    settled(querier, (1, False, ""))
    querier.asks(seconds=12)
    first = due(querier)
    querier.asks(seconds=0.1)
    assert due(querier) < first
    assert len(querier.answers(0.1)) == 1
    assert querier.hears(20 * SECOND) == []


def test_rule_2_a_general_answer_leaves_those_of_groups_alone(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, ""))
    querier.asks(name, sources(family, "1"), seconds=12)
    querier.asks(seconds=0.1)
    assert querier.answers(0.1) == rows(family, name, {"IS_EX": ""})
    assert querier.hears(13 * SECOND) == rows(family, name, {"IS_IN": "1"})


def test_rule_3_the_sources_asked_for_are_kept(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, "1"))
    querier.asks(name, sources(family, "12"), seconds=2)
    assert querier.answers(2) == rows(family, name, {"IS_IN": "2"})
    querier.asks(name, seconds=2)  # and forgotten once answered
    assert querier.answers(2) == rows(family, name, {"IS_EX": "1"})


@pytest.mark.parametrize("sooner", [True, False])
def test_rule_4_a_group_query_among_them_makes_it_the_groups_answer(
    querier: Querier, sooner: bool
) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, "1"))
    first, second = (12, 0.1) if sooner else (0.1, 12)
    for earlier, later in ((sources(family, "2"), NONE), (NONE, sources(family, "2"))):
        querier.asks(name, earlier, seconds=first)
        before = due(querier)
        querier.asks(name, later, seconds=second)
        assert due(querier) < before if sooner else due(querier) == before
        assert querier.answers(0.1) == rows(family, name, {"IS_EX": "1"})
        assert querier.hears(20 * SECOND) == []


@pytest.mark.parametrize("sooner", [True, False])
def test_rule_5_sources_asked_for_add_up(querier: Querier, sooner: bool) -> None:
    family, name = querier.family, group(querier.family)
    settled(querier, (1, False, "1"))
    first, second = (12, 0.1) if sooner else (0.1, 12)
    querier.asks(name, sources(family, "12"), seconds=first)
    before = due(querier)
    querier.asks(name, sources(family, "34"), seconds=second)
    assert due(querier) < before if sooner else due(querier) == before
    assert querier.answers(0.1) == rows(family, name, {"IS_IN": "234"})
    assert querier.hears(20 * SECOND) == []


def test_sources_asked_for_are_bounded(world: World, family: int) -> None:
    """Beyond the limit the answer is the whole group's."""
    querier, name = Querier(world, family, multicast_source_limit=4), group(family)
    settled(querier, (1, False, "1"))
    querier.asks(name, sources(family, "123"), seconds=2)
    querier.asks(name, sources(family, "456"), seconds=2)
    assert querier.answers(2) == rows(family, name, {"IS_EX": "1"})
    querier.asks(name, sources(family, "12345"), seconds=2)
    assert querier.answers(2) == rows(family, name, {"IS_EX": "1"})


def test_a_flood_of_queries_is_answered_once(querier: Querier) -> None:
    family = querier.family
    settled(querier, *((number, False, "") for number in range(1, 9)))
    for number in range(500):
        querier.asks(seconds=10)
        name = group(family, number % 20 + 1)
        listed = sources(family, range(number * 10, number * 10 + 10))
        querier.asks(name, listed, seconds=10)
    assert len(querier.host.stack.timers.armed()) <= 12
    told = querier.hears(11 * SECOND)
    assert sum(kind == "IS_EX" for kind, _, _ in told) <= 16
    assert {name for _, name, _ in told} == {group(family, n) for n in range(1, 9)}
    assert querier.hears(60 * SECOND) == []


def test_many_groups_are_reported_over_the_time_there_is(world: World, family: int) -> None:
    """RFC 3376 5.2: no burst; every group once, in packets as large as they may be."""
    querier = Querier(world, family, mtu=1280)
    for number in range(1, 401):
        querier.groups.listen("a", querier.host.nic, group(family, number), False, NONE)
    querier.heard(5 * SECOND)
    start = world.now
    querier.asks(seconds=10)
    heard = querier.heard(11 * SECOND)
    times = [message.when - start for message in heard]
    assert len(times) == (3 if family == addr.V4 else 7)
    assert all(0 < time <= 10 * SECOND for time in times)
    assert len(set(times)) == len(times)
    assert max(times) - min(times) > SECOND
    told = [row for message in heard for row in message.plain]
    assert told == [("IS_EX", group(family, n), NONE) for n in range(1, 401)]
    assert querier.hears(60 * SECOND) == []


def test_a_general_query_amid_the_answer_starts_it_again(world: World, family: int) -> None:
    querier = Querier(world, family, mtu=1280)
    for number in range(1, 401):
        querier.groups.listen("a", querier.host.nic, group(family, number), False, NONE)
    querier.heard(5 * SECOND)
    querier.asks(seconds=12)
    some: list[Row] = []
    while not some:
        some = querier.hears(50 * MS)
    assert len(some) < 400
    querier.asks(seconds=2)
    told = querier.hears(30 * SECOND)
    assert [name for _, name, _ in told] == [group(family, n) for n in range(1, 401)]


# The querier's numbers.


def test_robustness_of_the_querier_is_adopted(querier: Querier) -> None:
    """RFC 3376 4.1.6: from the last query; 0 says nothing, and the default holds again."""
    family = querier.family
    for number, (robustness, times) in enumerate(((7, 7), (1, 1), (0, 2)), 1):
        querier.asks(robustness=robustness, seconds=0)
        querier.heard(SECOND)
        querier.joins(group(family, number))
        assert len(querier.hears(20 * SECOND)) == times


# Links and listings.


def test_a_link_that_comes_up_hears_of_all_groups(querier: Querier) -> None:
    family, nic = querier.family, querier.host.nic
    settled(querier, (1, False, ""), (2, True, "12"))
    querier.asks(robustness=5, seconds=10)
    querier.host.stack.set_link(nic, False)
    querier.wants(group(family, 3), False, NONE)
    querier.wants(group(family, 4), False, NONE)
    querier.leaves(group(family, 4))
    querier.leaves(group(family, 1))
    assert querier.heard(20 * SECOND) == []
    assert querier.host.stack.timers.armed() == []
    querier.host.stack.set_link(nic, True)
    expected = [
        ("ALLOW", group(family, 2), sources(family, "12")),
        ("TO_EX", group(family, 3), NONE),
    ]
    assert querier.hears() == expected
    assert querier.hears(SECOND) == expected  # the last querier's robustness is forgotten
    assert querier.hears(20 * SECOND) == []


def test_listing_tells_what_is_due(querier: Querier) -> None:
    family, name = querier.family, group(querier.family)
    start = querier.world.now
    querier.joins(name)

    def listed() -> tuple[int, int]:
        (row,) = (g for g in querier.groups.listing(querier.host.nic.index) if g.group == name)
        return row.change_at, row.answer_at

    change, answer = listed()
    assert start < change <= start + SECOND
    assert answer == NEVER
    querier.heard(5 * SECOND)
    assert listed() == (NEVER, NEVER)
    now = querier.world.now
    querier.asks(group(family), seconds=10)
    change, answer = listed()
    assert change == NEVER
    assert now < answer <= now + 10 * SECOND


def test_counters(querier: Querier) -> None:
    family = querier.family
    before = querier.counters
    querier.joins(group(family))
    querier.heard(5 * SECOND)
    querier.asks(seconds=1)
    querier.heard(5 * SECOND)
    querier.asks(group(family), seconds=1)
    querier.heard(5 * SECOND)
    querier.asks(seconds=1, alert=False)
    own = 0 if family == addr.V4 else 1  # the solicited-node group in the general answer
    newest = querier.newest
    after = {name: n - before.get(name, 0) for name, n in querier.counters.items()}
    assert after == {
        f"in_v{newest}_queries": 2,
        f"out_v{newest}_reports": 4,
        "out_records": 4 + own,
        "in_errors": 1,
    }


@given(st.integers(1, 7), st.integers(0, 3))
def test_nothing_is_left_to_do_in_the_end(robustness: int, count: int) -> None:
    world = World()
    querier = Querier(world, addr.V4, multicast_robustness=robustness)
    for number in range(count):
        querier.joins(group(addr.V4, number + 1))
        querier.asks(seconds=3)
    world.run()
    assert querier.host.stack.timers.armed() == []
