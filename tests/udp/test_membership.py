# SPDX-License-Identifier: MIT
"""Groups of one endpoint against a model of them (RFC 3376 3.2)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr, status
from stack.ip.groups import Groups
from stack.transport.options import BLOCK, JOIN, JOIN_SOURCE, LEAVE, LEAVE_SOURCE, UNBLOCK
from stack.udp.membership import Memberships
from tests.harness import World

GROUP = addr.parse("239.1.1.1")
SOURCES = [addr.parse(f"10.0.0.{n}") for n in range(3)]
STEPS = st.lists(
    st.tuples(
        st.sampled_from((JOIN, LEAVE, BLOCK, UNBLOCK, JOIN_SOURCE, LEAVE_SOURCE)),
        st.sampled_from(SOURCES),
    ),
    max_size=20,
)


def model(steps: list[tuple[int, bytes]]) -> set[bytes]:
    """The sources heard in the end."""
    mode, listed = "", set[bytes]()
    for action, source in steps:
        if action == JOIN and not mode:
            mode, listed = "exclude", set()
        elif action == LEAVE:
            mode = ""
        elif action == JOIN_SOURCE and mode in ("", "include"):
            listed = listed | {source} if mode else {source}
            mode = "include"
        elif (action, mode) == (LEAVE_SOURCE, "include"):
            listed = listed - {source}
            mode = mode if listed else ""
        elif (action, mode) == (BLOCK, "exclude"):
            listed = listed | {source}
        elif (action, mode) == (UNBLOCK, "exclude"):
            listed = listed - {source}
    heard = {"": set(), "include": listed, "exclude": set(SOURCES) - listed}
    return heard[mode]


@given(STEPS)
def test_any_steps(steps: list[tuple[int, bytes]]) -> None:
    nic = World().host()[0].nic
    groups = Groups()
    own = Memberships(groups)
    for action, source in steps:
        named = b"" if action in (JOIN, LEAVE) else source
        own.change(action, nic, GROUP, named)
    heard = {s for s in SOURCES if own.hears(nic.index, GROUP, s)}
    assert heard == model(steps)
    assert not heard or groups.joined(nic.index, GROUP)
    own.leave_all()
    assert not groups.joined(nic.index, GROUP)


def test_sources_are_bounded(world: World) -> None:
    nic = world.host()[0].nic
    own = Memberships(Groups())
    answers = [own.change(JOIN_SOURCE, nic, GROUP, n.to_bytes(4, "big")) for n in range(1, 258)]
    assert answers == [status.OK] * 256 + [status.NO_MEMORY]
