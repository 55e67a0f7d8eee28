# SPDX-License-Identifier: MIT
"""`tools/bench ip`: every way is measured, and what must not grow does not.

Four times is far more than noise, and far less than a hundred times as many would cost if somebody
walked through all of them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from stack.base import addr
from tools import bench, bench_ip
from tools.fuzzing.frames import datagram
from tools.measure import ip

FLAT = (
    "routes: a new destination",
    "neighbours: echo with each in turn",
    "addresses: datagrams to each in turn",
    "groups: datagrams to each in turn",
    "destinations: datagrams to each in turn",
    "sources: datagrams from each in turn",
    "sockets: datagrams to each in turn",
    "incomplete datagrams: one more, in two fragments",
)


def of(version: int) -> int:
    return 4 if version == addr.V4 else 6


def test_every_way_can_be_gone(family: int) -> None:
    ways = dict(ip.ways(of(family)))
    assert len(ways) >= 12
    for go in ways.values():
        go()


def test_what_is_measured_is_what_it_says(family: int) -> None:
    """Datagrams arrive, and what should be dropped is."""
    version = of(family)
    bench = ip.Bench(version)
    frame = datagram(version, 9, 7, b"data")
    go = ip.each(bench, [frame])
    for _ in range(64):
        go()
    bench.stack.step()
    assert bench.taker.count == 64
    assert bench.stack.door.snapshot() == {}


@pytest.mark.parametrize("name", FLAT)
def test_flat(name: str, family: int) -> None:
    cases = [dict(ip.growth(of(family), many))[name] for many in (10, 1000)]
    best = [ip.figure(go) for go in cases]
    for _ in range(12):
        best = [min(old, ip.figure(go)) for old, go in zip(best, cases, strict=True)]
        if best[1] < 3 * best[0]:
            return
    assert best[1] < 4 * best[0]


def test_the_tables(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    place = tmp_path / "figures.json"
    assert bench.main(["ip", "--quick", "--family", "4", "--json", str(place)]) == 0
    shown = capsys.readouterr().out
    figures = json.loads(place.read_text())["IPv4"]
    assert set(FLAT) <= set(figures["growth"])
    for name in (*figures["ways"], "ratio"):
        assert name in shown
    one = figures["growth"][FLAT[0]]
    assert one["ratio"] == bench_ip.ratio(one["ns"])
    assert all(cost > 0 for costs in one["ns"].values() for cost in costs)
