# SPDX-License-Identifier: MIT
"""The state chart: RFC 9293 figure 5, and nothing goes beside it."""

from __future__ import annotations

import pytest

from stack.tcp import chart
from stack.tcp.names import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    STATE_NAMES,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from tests.harness import World
from tests.tcp.scenes import Scene

FIGURE_5 = {
    (CLOSED, LISTEN),
    (CLOSED, SYN_SENT),
    (LISTEN, SYN_RECEIVED),
    (LISTEN, CLOSED),
    (SYN_SENT, SYN_RECEIVED),
    (SYN_SENT, ESTABLISHED),
    (SYN_SENT, CLOSED),
    (SYN_RECEIVED, ESTABLISHED),
    (SYN_RECEIVED, FIN_WAIT_1),
    (ESTABLISHED, FIN_WAIT_1),
    (ESTABLISHED, CLOSE_WAIT),
    (FIN_WAIT_1, FIN_WAIT_2),
    (FIN_WAIT_1, CLOSING),
    (FIN_WAIT_1, TIME_WAIT),
    (FIN_WAIT_2, TIME_WAIT),
    (CLOSE_WAIT, LAST_ACK),
    (CLOSING, TIME_WAIT),
    (LAST_ACK, CLOSED),
    (TIME_WAIT, CLOSED),
}


def test_the_table_has_the_figures_arrows() -> None:
    arrows = {(old, new) for old, news in chart.ARROWS.items() for new in news}
    assert arrows >= FIGURE_5
    # Beyond the figure: the end by reset, abort or time-out, and SYN-RECEIVED with a FIN.
    assert all(new == CLOSED for _, new in arrows - FIGURE_5 - {(SYN_RECEIVED, CLOSE_WAIT)})


def test_every_state_has_a_name_and_a_row() -> None:
    assert set(chart.ARROWS) == set(range(len(STATE_NAMES)))


def test_other_moves_are_bugs(world: World) -> None:
    scene = Scene(world, 1)
    with pytest.raises(AssertionError, match="ESTABLISHED -> SYN-SENT"):
        chart.enter(scene.tcb, SYN_SENT)
