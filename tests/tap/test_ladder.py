# SPDX-License-Identifier: MIT
"""The ladder's answers: reasons with cures, and a TAP that is none."""

from __future__ import annotations

import errno
import os

import pytest

from tap.ladder import RUNGS, Refused, Wish, attach, namespace_reason
from tap.netns import StepError


def test_memory_always_works() -> None:
    attachment = attach(Wish(wire="memory"))
    assert attachment.peer is not None
    assert attachment.line == "wire: in memory, between two stacks"
    attachment.close()


def test_a_rung_that_does_not_exist() -> None:
    with pytest.raises(Refused, match=", ".join(RUNGS)):
        attach(Wish(wire="carrier-pigeon"))


def test_nothing_was_given() -> None:
    with pytest.raises(Refused, match="no TAP was given"):
        attach(Wish(wire="given", tap="", fd=-1))


def test_a_descriptor_that_is_no_tap() -> None:
    read, write = os.pipe()
    try:
        with pytest.raises(Refused, match=f"descriptor {read} is no usable TAP"):
            attach(Wish(wire="given", fd=read))
    finally:
        os.close(read)
        os.close(write)


@pytest.mark.parametrize("rung", ["veth", "memory"])
def test_a_wire_with_one_queue(rung: str) -> None:
    with pytest.raises(Refused, match="it has one queue"):
        attach(Wish(wire=rung, queues=2))


@pytest.mark.parametrize("queues", [0, -1, 65])
def test_a_number_of_queues_that_cannot_be(queues: int) -> None:
    with pytest.raises(Refused, match="1 to 64"):
        attach(Wish(wire="memory", queues=queues))


def test_nowhere_are_several_queues() -> None:
    """Every rung says why not; there is no falling back to one queue."""
    with pytest.raises(Refused, match=r"several queues(?s:.*)not userns(?s:.*)not memory"):
        attach(Wish(queues=2, node="/nowhere/net/tun"))


def test_no_device_node() -> None:
    with pytest.raises(Refused, match="does not exist"):
        attach(Wish(wire="userns", node="/nowhere/net/tun"))


@pytest.mark.parametrize(
    ("step", "number", "words"),
    [
        ("user namespace", errno.ENOSPC, "max_user_namespaces"),
        ("network namespace", errno.EPERM, "seccomp"),
        ("veth pair", errno.EOPNOTSUPP, "failed at veth pair"),
    ],
)
def test_reasons_name_the_cure(step: str, number: int, words: str) -> None:
    assert words in namespace_reason(StepError(step, number, "text"))
