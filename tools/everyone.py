# SPDX-License-Identifier: MIT
"""Asking a running demo that may be several processes: sockets of all, counters summed.

Everything else (addresses, routes, neighbours, groups, links) is the leader's, whom the others
follow.  `-N shard1` asks one of them alone; the leader is `shard0`.  Called by `tools/wsk`.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Any

from tools.control import Client, Trouble
from tools.state import Running


class Everyone:
    """Clients of all shards of a demo, the leader's first."""

    def __init__(self, clients: list[Client]) -> None:
        self._clients = clients

    def ask(self, what: str, **more: Any) -> Any:
        """As `Client.ask`, of all whom it concerns."""
        leader, *followers = self._clients
        answer = leader.ask(what, **more)
        if what == "sockets":
            for one in followers:
                answer = answer + one.ask(what, **more)
        elif what == "counters":
            for one in followers:
                answer = _sum(answer, one.ask(what, **more))
        return answer


@contextlib.contextmanager
def asking(running: Running, name: str) -> Iterator[Everyone]:
    """While the block runs: whoever is meant by `-N name`; everybody if it is empty."""
    controls = running.controls
    shard = re.fullmatch(r"shard(\d+)", name)
    if shard is not None:
        number = int(shard[1])
        if number >= len(controls):
            raise Trouble(f"there is no {name}: this demo has {len(controls)} of them")
        controls, name = [controls[number]], ""
    elif name:
        controls = controls[:1]
    with contextlib.ExitStack() as stack:
        yield Everyone([stack.enter_context(Client(path, name)) for path in controls])


def _sum(one: Any, other: Any) -> Any:
    """Figure by figure, whatever blocks they are in."""
    if isinstance(one, dict):
        return one | {key: _sum(one[key], other[key]) for key in one if key in other}
    return one + other
