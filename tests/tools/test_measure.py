# SPDX-License-Identifier: MIT
"""The cost of a segment does not grow with how many there are.

Ten times is far more than noise, and far less than a hundred times as many would cost if somebody
walked through all of them.
"""

from __future__ import annotations

import pytest

from tools.measure.segments import in_order, out_of_order, recovering, selective


@pytest.mark.parametrize(
    ("cost", "few", "many"),
    [
        (in_order, 10, 1000),
        (out_of_order, 10, 1000),
        (recovering, 10, 1000),
        (selective, 100, 10_000),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_flat(cost, few: int, many: int) -> None:
    assert cost(many) < 10 * cost(few)
