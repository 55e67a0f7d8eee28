# SPDX-License-Identifier: MIT
"""Every rule of the fuzzer catches a stack that breaks it."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from stack.base import addr, fate
from stack.base.packet import Packet
from stack.ip.seam import ErrorReport, TransportLayer
from stack.link.seam import NetworkLayer
from stack.wire import ethernet
from tools.fuzzing.frames import ip
from tools.fuzzing.program import FRAME, Program, Step, call, wait
from tools.fuzzing.subject import Late, Subject, bounded

ODD = 200
"""An IP protocol that nobody speaks."""


class Faulty(TransportLayer, NetworkLayer):
    """Does with a packet what it was told to."""

    def __init__(self, deed: Callable[[Packet], None]) -> None:
        self._deed = deed

    def receive(self, pkt: Packet) -> None:
        self._deed(pkt)

    def on_error(self, report: ErrorReport) -> None:
        return


def outcome(subject: Subject, *more: Step) -> str:
    frame = Step(FRAME, 0, ip(4, ODD, b"odd"))
    return subject.run(Program("plain", 1, (frame, *more)))


def faulty(deed: Callable[[Subject, Packet], None]) -> Subject:
    subject = Subject("plain", 1)
    subject.stack.v4.protocols[ODD] = Faulty(lambda pkt: deed(subject, pkt))
    return subject


def test_a_sound_stack_breaks_none() -> None:
    assert outcome(Subject("plain", 1)) == ""


def test_an_exception() -> None:
    def fails(subject: Subject, pkt: Packet) -> None:
        raise KeyError("gone")

    assert outcome(faulty(fails)).startswith("KeyError in ")


def test_dropped_twice() -> None:
    def twice(subject: Subject, pkt: Packet) -> None:
        subject.stack.door.drop(pkt, fate.UDP_SHORT)
        subject.stack.door.drop(pkt, fate.UDP_LENGTH)

    assert outcome(faulty(twice)).startswith("dropped more than once: udp_short, udp_length")


def test_dropped_and_yet_a_route() -> None:
    def learns(subject: Subject, pkt: Packet) -> None:
        subject.stack.door.drop(pkt, fate.UDP_SHORT)
        subject.stack.add_route("198.51.100.0", 24, subject.nics[0], "10.77.0.9")

    assert "addresses or routes changed" in outcome(faulty(learns))


def test_dropped_and_yet_many_answers() -> None:
    def answers(subject: Subject, pkt: Packet) -> None:
        subject.stack.door.drop(pkt, fate.UDP_SHORT)
        for _ in range(2):
            subject.nics[0].send_raw(addr.MAC_BROADCAST, ethernet.TYPE_ARP, bytes(28))

    assert "2 frames in answer" in outcome(faulty(answers))


def test_a_packet_that_vanishes() -> None:
    subject = Subject("plain", 1)
    subject.nics[0].attach(ethernet.TYPE_IPV4, Faulty(lambda pkt: None))
    assert outcome(subject).startswith("a packet vanished")


def test_too_many_neighbours() -> None:
    def remembers(subject: Subject, pkt: Packet) -> None:
        cache = subject.nics[0].neighbors
        for number in range(20):
            address = bytes((10, 77, 0, number))
            cache.entries[address] = cache.fixed(address, bytes(6))

    assert outcome(faulty(remembers)).startswith("neighbours of wsk0: more than the bound")


def test_too_much_leaves() -> None:
    def floods(subject: Subject, pkt: Packet) -> None:
        for _ in range(200):
            subject.nics[0].send_raw(addr.MAC_BROADCAST, ethernet.TYPE_ARP, bytes(1400))

    assert outcome(faulty(floods)).startswith("too much leaves")


def test_a_stack_that_does_not_answer_any_more() -> None:
    def late(subject: Subject, pkt: Packet) -> None:
        for proto in (1, 58):
            layer = subject.stack.v4 if proto == 1 else subject.stack.v6
            layer.protocols[proto] = Faulty(lambda pkt: None)

    assert outcome(faulty(late), wait(1)).startswith("no answer to a ping over IPv4")


def test_no_rest_at_one_instant() -> None:
    subject = Subject("plain", 1)

    def again() -> None:
        subject.env.executor.submit(again)

    subject.stack.v4.protocols[ODD] = Faulty(lambda pkt: again())
    assert outcome(subject).startswith("it does not come to rest")


@pytest.mark.parametrize("name", ["nothing-is-called-so", ""])
def test_a_call_that_nobody_knows_does_nothing(name: str) -> None:
    assert outcome(Subject("plain", 1), call(name)) == ""


def test_a_run_that_does_not_end() -> None:
    """It is interrupted, and whoever else had set the timer still has."""
    before = signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with pytest.raises(Late), bounded(1):
            time.sleep(50)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 90 < left < 99.5
    finally:
        signal.setitimer(signal.ITIMER_REAL, *before)
    with bounded(1):
        pass
