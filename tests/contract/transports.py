# SPDX-License-Identifier: MIT
"""The transports that the contract is tried on.

A transport is a function that makes two hosts on one wire in a virtual world.  Of a host the suite
uses `stack.providers` (the seam), `stack.names` and `address(family)`; nothing of what is below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tap.impair import Impairment
from tests.harness import Host, World

Transport = Callable[[World], tuple[Host, Host]]


def native(world: World) -> tuple[Host, Host]:
    """The stack's own TCP and UDP, on a wire that does no harm."""
    return world.pair()


def native_far(world: World) -> tuple[Host, Host]:
    """The same, 40 ms away, with losses, duplicates and disorder."""
    bad = Impairment(delay=20_000_000, jitter=5_000_000, loss=0.03, duplicate=0.02)
    return world.pair(there=bad, back=bad)


CONNECTIONS: Final[dict[str, Transport]] = {"native": native, "native-far": native_far}
"""Reliable streams."""
DATAGRAMS: Final[dict[str, Transport]] = {"native": native}
"""Datagrams, in order and without loss, for the suite to be able to count."""
