# SPDX-License-Identifier: MIT
"""A pair of hosts for each family."""

from __future__ import annotations

import pytest

from tests.facade.kit import Pair
from tests.harness import World


@pytest.fixture
def pair(world: World, family: int) -> Pair:
    return Pair(world, family)
