# SPDX-License-Identifier: MIT
"""Congestion control on a bottleneck in virtual time, beside what was measured before.

The golden values are one run of `python -m tools.measure.simulate --write`; a cell fails if it
has become worse by more than the tolerance recorded with them.  Here only a few cells run.
"""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from stack.base.units import MS
from tools.measure import simulate
from tools.measure.simulate import ALGORITHMS, Bottleneck

GOLDEN: Final[dict[str, Any]] = json.loads(simulate.GOLDEN.read_text())
TOLERANCE: Final = float(GOLDEN["tolerance"])
CELLS: Final = [
    f"{algorithm} loss {where}"
    for where in ("0.0% rtt 20 ms buffer 0.5 BDP", "1.0% rtt 100 ms buffer 2.0 BDP")
    for algorithm in ALGORITHMS
] + ["cubic loss 0.0% rtt 100 ms buffer 2.0 BDP", "cubic loss 0.1% rtt 20 ms buffer 2.0 BDP"]


def least(value: float) -> float:
    """What is still as good as `value`."""
    return value * (100 - TOLERANCE) / 100


def test_every_cell_has_its_golden_value() -> None:
    named = {*simulate.cells(), *simulate.disorders(), *simulate.pairs()}
    assert set(GOLDEN["values"]) == named


def test_the_page_shows_the_golden_values() -> None:
    shown = simulate.PAGE.read_text().split(simulate.BEGIN)[1].split(simulate.END)[0]
    assert shown.strip() == simulate.tables(GOLDEN["values"])


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_goodput_has_not_become_worse(name: str) -> None:
    assert simulate.alone(*simulate.cells()[name]) >= least(GOLDEN["values"][name][0])


@pytest.mark.slow
@pytest.mark.parametrize("what", simulate.DISORDERS)
def test_disorder_costs_no_more_than_it_did(what: str) -> None:
    name = f"cubic {what}"
    assert simulate.disordered(*simulate.disorders()[name]) >= least(GOLDEN["values"][name][0])


@pytest.mark.slow
def test_two_cubics_share() -> None:
    """Jain's index of fairness, and little of the bottleneck left unused."""
    one, two = simulate.together("cubic", "cubic")
    assert (one + two) ** 2 / (2 * (one**2 + two**2)) > 0.9
    assert one + two >= least(sum(GOLDEN["values"]["cubic then cubic"]))


@pytest.mark.slow
@pytest.mark.parametrize("order", [("bbr", "cubic"), ("cubic", "bbr")], ids=" then ".join)
def test_bbr_and_cubic_leave_each_other_room(order: tuple[str, str]) -> None:
    one, two = simulate.together(*order)
    assert min(one, two) > 20
    assert one + two > 85


@pytest.mark.slow
def test_the_background_steps_aside() -> None:
    """LEDBAT++, there first, gives way to CUBIC."""
    background, foreground = simulate.together("ledbat", "cubic")
    assert background < 20
    assert foreground >= least(GOLDEN["values"]["ledbat then cubic"][1])


@pytest.mark.slow
def test_the_backgrounds_queue_stays_at_its_target() -> None:
    """60 ms, where a loss-based algorithm fills the 160 ms that there are."""
    delays = {}
    for algorithm in ("ledbat", "reno"):
        world = Bottleneck(40, 4.0, rate=4_000_000)
        world.connect(algorithm, 20)
        (tcb,) = world.sender.tcp.connections()
        most = 0
        for _ in range(40):
            world.run(0.5)
            most = max(most, tcb.rtt.srtt)
        delays[algorithm] = (most - 40 * MS) / MS
    assert delays["ledbat"] < 75
    assert delays["reno"] > 120


@pytest.mark.parametrize("algorithm", ["cubic", "bbr"])
def test_the_same_seed_gives_the_same_result(algorithm: str) -> None:
    cell = (algorithm, 0.05, 100, 0.5)
    assert simulate.alone(*cell) == simulate.alone(*cell)
