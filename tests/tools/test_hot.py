# SPDX-License-Identifier: MIT
"""`tools/bench --profile` measures what it says: every path runs, and nothing is dropped on it."""

from __future__ import annotations

import pytest

from tools.measure import hot


@pytest.mark.parametrize("name", hot.PATHS)
def test_every_path_runs(name: str) -> None:
    scene = hot.Scene()
    go = hot.PATHS[name](scene)
    scene.spent = 0.0
    assert sum(go() for _ in range(10)) >= 40
    assert scene.spent > 0
    assert not any(scene.stack.snapshot()["drops"].values())


def test_the_shares_are_those_of_the_stack() -> None:
    go = hot.connecting(hot.Scene())
    found = hot.shares(go)
    assert sum(found.values()) == pytest.approx(1)
    assert max(found, key=lambda package: found[package]) == "stack/tcp"
