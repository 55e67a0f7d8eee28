# SPDX-License-Identifier: MIT
"""Fixtures for every floor."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

from stack.base.addr import V4, V6
from tests.harness import World

# Deterministic by default; HYPOTHESIS_PROFILE=thorough looks further, and elsewhere each time.
settings.register_profile(
    "default",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

JUDGED = frozenset(("ip", "link", "services", "udp"))
"""Where scapy judges every frame that is sent: the folders about them."""


def pytest_runtest_setup(item: pytest.Item) -> None:
    World.judging = item.path.parent.name in JUDGED


@pytest.fixture(params=[V4, V6], ids=["ipv4", "ipv6"])
def family(request: pytest.FixtureRequest) -> int:
    """Every test that takes this runs for both families."""
    value: int = request.param
    return value


@pytest.fixture
def world() -> World:
    """A virtual world from a fixed seed."""
    return World(seed=1)
