# SPDX-License-Identifier: MIT
"""The receive window grows with the path and its reader, and only then."""

from __future__ import annotations

import pytest

from stack.base.config import Config
from stack.base.config_transport import AUTOTUNING
from stack.base.units import KIB, MIB, MS, SECOND
from tap.impair import Impairment
from tests.harness import World, quiet
from tests.tcp.users import joined

LONG = Impairment(delay=60 * MS)


def limit_after(
    world: World, family: int, wire: Impairment, slow: bool = False, **more: object
) -> int:
    """The receiver's window after ten seconds of as much as it takes."""
    config = quiet(tcp_receive_buffer=256 * KIB, **more)
    a, b = world.pair(config, config, there=wire, back=wire)
    client, server = joined(world, a, b, family)
    client.send(bytes(100 * MIB))
    if slow:
        server.limit = 0
        for _ in range(50):
            server.limit = 10_000
            server.stream.resume()
            world.run(100 * MS)
    else:
        world.run(5 * SECOND)
    (info,) = b.stack.tcp.info()
    (tcb,) = b.stack.tcp.connections()
    assert info.bytes_received > 0
    return tcb.rcv.limit


def test_a_long_path_and_a_quick_reader(world: World, family: int) -> None:
    assert limit_after(world, family, LONG) == AUTOTUNING["normal"]


def test_a_slow_reader_does_not(world: World, family: int) -> None:
    assert limit_after(world, family, LONG, slow=True) == 256 * KIB


def test_a_slow_path_does_not(world: World, family: int) -> None:
    slow = Impairment(delay=10 * MS, rate=10_000_000)
    assert limit_after(world, family, slow) == 256 * KIB


@pytest.mark.parametrize("level", list(AUTOTUNING))
def test_levels(world: World, family: int, level: str) -> None:
    config = quiet(tcp_receive_buffer=300_000, tcp_autotuning=level)
    a, b = world.pair(config, config)
    joined(world, a, b, family)
    (tcb,) = b.stack.tcp.connections()
    assert tcb.rcv.most == AUTOTUNING[level] or (level == "disabled" and tcb.rcv.most == 300_000)
    assert tcb.rcv.limit == min(300_000, tcb.rcv.most)
    assert tcb.rcv.most <= 0xFFFF << tcb.rcv.wscale


def test_disabled_it_stays(world: World, family: int) -> None:
    assert limit_after(world, family, LONG, tcp_autotuning="disabled") == 256 * KIB


def test_without_scaling_it_stays_what_the_field_can_say(world: World, family: int) -> None:
    assert limit_after(world, family, LONG, tcp_window_scaling=False) == 0xFFFF


def test_an_unknown_level() -> None:
    with pytest.raises(ValueError, match="highlyrestricted"):
        Config(tcp_autotuning="somewhat")
