# SPDX-License-Identifier: MIT
"""The interface state of groups against RFC 3376 3.2, and who is told of what changes in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from stack.base import addr, status
from stack.base.timers import NEVER
from stack.ip.groups import NOTHING, Filter, Groups, Watcher
from stack.link.nic import Nic
from stack.transport.options import BLOCK, JOIN, JOIN_SOURCE, LEAVE
from tests.harness import World, quiet
from tests.ip.querier import Querier, group, source, sources

HOLDERS = ("a", "b", "c")
filters = st.tuples(st.booleans(), st.frozensets(st.integers(1, 4), max_size=4))

Wanted = tuple[bool, frozenset[bytes]]


def merged(users: list[Wanted]) -> Wanted:
    """RFC 3376 3.2, word by word."""
    excluded = [listed for include, listed in users if not include]
    included = [listed for include, listed in users if include]
    union = frozenset().union(*included)
    if excluded:
        return False, frozenset.intersection(*excluded) - union
    return True, union


class Recorder(Watcher):
    """The router's view: the state that follows from what was told."""

    def __init__(self) -> None:
        self.filters: dict[bytes, Filter] = {}
        self.told = 0

    def changed(self, nic: Nic, group: bytes, before: Filter, after: Filter) -> None:
        assert before.same(self.filters.get(group, NOTHING))
        assert not before.same(after)
        self.filters[group] = after
        self.told += 1

    def pending(self, nic: Nic, group: bytes) -> tuple[int, int]:
        return 17, NEVER


def groups(**limits: int) -> tuple[Groups, Nic, Recorder]:
    made, seen = Groups(**limits), Recorder()
    made.watchers.update({4: seen, 16: seen})
    return made, World().host()[0].nic, seen


class Merging(RuleBasedStateMachine):
    """Any users of any filters: the merged filter is the model's, and so is what was told."""

    @initialize(family=st.sampled_from((addr.V4, addr.V6)))
    def begin(self, family: int) -> None:
        self.family = family
        self.groups, self.nic, self.seen = groups()
        self.users: dict[object, Wanted] = {}
        self.counted = 0

    @rule(holder=st.sampled_from(HOLDERS), wanted=filters)
    def listen(self, holder: str, wanted: tuple[bool, frozenset[int]]) -> None:
        include, numbers = wanted
        listed = frozenset(source(self.family, number) for number in numbers)
        result = self.groups.listen(holder, self.nic, group(self.family), include, listed)
        assert result == status.OK
        self.users[holder] = include, listed

    @rule()
    def join(self) -> None:
        self.groups.join(self.nic, group(self.family))
        self.counted += 1

    @rule()
    def leave(self) -> None:
        self.groups.leave(self.nic, group(self.family))
        self.counted = max(0, self.counted - 1)

    @invariant()
    def as_the_model(self) -> None:
        if not hasattr(self, "groups"):
            return
        everything: list[Wanted] = [(False, frozenset())] * self.counted
        include, listed = merged([*self.users.values(), *everything])
        name = group(self.family)
        found = self.groups.filter(self.nic.index, name)
        assert (found.include, found.sources) == (include, listed)
        assert self.groups.joined(self.nic.index, name) == (not include or bool(listed))
        assert self.seen.filters.get(name, NOTHING).same(found)
        users = sum(not i or bool(s) for i, s in self.users.values()) + self.counted
        rows = [(g.group, g.users) for g in self.groups.listing(self.nic.index)]
        assert rows == ([(name, users)] if users else [])


TestMerging = Merging.TestCase


@given(filters, st.integers(1, 4))
def test_a_filter_passes_what_it_says(wanted: tuple[bool, frozenset[int]], number: int) -> None:
    include, numbers = wanted
    made = Filter(include, frozenset(source(addr.V4, n) for n in numbers))
    assert made.passes(source(addr.V4, number)) == ((number in numbers) == include)
    assert made.wanted == (not include or bool(numbers))


def test_rfc_examples(family: int) -> None:
    """RFC 3376 3.2: the three examples there, and the last user's leaving."""
    made, nic, _ = groups()
    name = group(family)

    def state() -> tuple[bool, frozenset[bytes]]:
        found = made.filter(nic.index, name)
        return found.include, found.sources

    made.listen("s1", nic, name, False, sources(family, "1234"))
    made.listen("s2", nic, name, False, sources(family, "2345"))
    assert state() == (False, sources(family, "234"))
    made.listen("s3", nic, name, True, sources(family, "456"))
    assert state() == (False, sources(family, "23"))
    made.listen("s1", nic, name, True, sources(family, "123"))
    made.listen("s2", nic, name, True, sources(family, "234"))
    assert state() == (True, sources(family, "123456"))
    for holder in ("s1", "s2", "s3"):
        made.listen(holder, nic, name, True, frozenset())
    assert state() == (True, frozenset())
    assert not made.joined(nic.index, name)


def test_all_nodes_are_always_members(family: int) -> None:
    made, nic, _ = groups()
    everybody = addr.ALL_HOSTS if family == addr.V4 else addr.ALL_NODES
    assert made.joined(nic.index, everybody)
    made.join(nic, everybody)
    made.leave(nic, everybody)
    assert made.joined(nic.index, everybody)


def test_nothing_is_told_where_nothing_changes(family: int) -> None:
    made, nic, seen = groups()
    made.leave(nic, group(family))
    made.listen("a", nic, group(family), True, frozenset())
    assert seen.told == 0
    made.join(nic, group(family))
    made.listen("a", nic, group(family), False, frozenset())
    made.listen("b", nic, group(family), True, sources(family, "12"))
    made.leave(nic, group(family))
    assert seen.told == 1


def test_groups_of_endpoints_are_bounded_per_interface_and_family(family: int) -> None:
    """The host's own memberships do not count: without them it would not be reachable."""
    made, nic, _ = groups(group_limit=2)
    other = addr.V6 if family == addr.V4 else addr.V4
    for number in (1, 2):
        assert made.listen("a", nic, group(family, number), False, frozenset()) == status.OK
    assert made.listen("a", nic, group(family, 3), False, frozenset()) == status.NO_MEMORY
    assert not made.joined(nic.index, group(family, 3))
    assert made.listen("b", nic, group(family, 2), False, frozenset()) == status.OK
    assert made.listen("a", nic, group(other), False, frozenset()) == status.OK
    made.join(nic, group(family, 4))
    assert made.joined(nic.index, group(family, 4))
    assert made.listen("a", nic, group(family, 4), False, frozenset()) == status.NO_MEMORY
    made.listen("a", nic, group(family, 1), True, frozenset())
    assert made.listen("a", nic, group(family, 4), False, frozenset()) == status.OK
    assert made.listen("a", nic, group(family, 3), False, frozenset()) == status.NO_MEMORY
    made.listen("a", nic, group(family, 2), True, frozenset())
    made.listen("b", nic, group(family, 2), True, frozenset())
    assert made.listen("a", nic, group(family, 3), False, frozenset()) == status.OK


@pytest.mark.parametrize("include", [True, False])
def test_too_many_sources_make_everything_wanted(family: int, include: bool) -> None:
    made, nic, _ = groups(source_limit=3)
    name = group(family)
    made.listen("a", nic, name, include, sources(family, "123"))
    assert made.filter(nic.index, name).sources == sources(family, "123")
    made.listen("a", nic, name, include, sources(family, "1234"))
    found = made.filter(nic.index, name)
    assert (found.include, found.sources) == (False, frozenset())
    made.listen("a", nic, name, include, sources(family, "12"))
    found = made.filter(nic.index, name)
    assert (found.include, found.sources) == (include, sources(family, "12"))


def test_listing_is_in_order_and_of_one_interface(family: int) -> None:
    made, nic, _ = groups()
    other = World().host()[0].nic
    other.index = 77
    made.listen("a", nic, group(family, 2), True, sources(family, "21"))
    made.listen("b", nic, group(family, 1), False, frozenset())
    made.join(nic, group(family, 1))
    made.join(other, group(family, 3))
    rows = made.listing(nic.index)
    assert [(r.group, r.users, r.include) for r in rows] == [
        (group(family, 1), 2, False),
        (group(family, 2), 1, True),
    ]
    assert rows[1].sources == (source(family, 1), source(family, 2))
    assert (rows[0].change_at, rows[0].answer_at) == (17, NEVER)
    assert [r.group for r in made.listing(77)] == [group(family, 3)]


def test_endpoints_reach_the_interface_state(world: World, family: int) -> None:
    """Sockets' filters merge; closing one takes its part away."""
    querier = Querier(world, family)
    name, index = group(family), querier.host.nic.index
    one, two = querier.host.datagram(), querier.host.datagram()
    for number, endpoint in enumerate((one, two)):
        endpoint.bind(b"", 5000 + number, 0)
    for number in (1, 2):
        assert one.membership(JOIN_SOURCE, name, index, source(family, number)) == status.OK
    found = querier.groups.filter(index, name)
    assert (found.include, found.sources) == (True, sources(family, "12"))
    assert two.membership(JOIN, name, index, b"") == status.OK
    assert two.membership(BLOCK, name, index, source(family, 2)) == status.OK
    assert two.membership(BLOCK, name, index, source(family, 3)) == status.OK
    found = querier.groups.filter(index, name)
    assert (found.include, found.sources) == (False, sources(family, "3"))
    one.close()
    found = querier.groups.filter(index, name)
    assert (found.include, found.sources) == (False, sources(family, "23"))
    assert two.membership(LEAVE, name, index, b"") == status.OK
    assert not querier.groups.joined(index, name)


def test_an_endpoint_hears_when_the_interface_is_full(world: World, family: int) -> None:
    host, _ = world.host(quiet(multicast_group_limit=1))
    endpoint = host.datagram()
    endpoint.bind(b"", 5000, 0)
    index = host.nic.index
    assert endpoint.membership(JOIN, group(family), index, b"") == status.OK
    assert endpoint.membership(JOIN, group(family, 2), index, b"") == status.NO_MEMORY
    assert endpoint.membership(LEAVE, group(family, 2), index, b"") == status.NOT_LOCAL


def test_a_source_is_of_the_groups_family_and_one_hosts(world: World, family: int) -> None:
    host, _ = world.host()
    endpoint = host.datagram()
    endpoint.bind(b"", 5000, 0)
    other = addr.V6 if family == addr.V4 else addr.V4
    for wrong in (source(other), group(family, 9)):
        result = endpoint.membership(JOIN_SOURCE, group(family), host.nic.index, wrong)
        assert result == status.INVALID
