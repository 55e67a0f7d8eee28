# SPDX-License-Identifier: MIT
"""The patch cable, between two socket pairs."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

from stack.base.head import Head
from stack.base.units import View
from tap.frames import join
from tap.impair import ImpairedPort, Impairment
from tap.patch import Patch
from tap.port import Port


class Pipe(Port):
    """A port on one end of a socket pair."""

    mac = bytes(6)
    mtu = 1500
    header = 0
    features = 0

    def __init__(self) -> None:
        self.far, self._near = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._near.setblocking(False)
        self.far.settimeout(5)

    def fileno(self) -> int:
        return self._near.fileno()

    def read(self) -> bytes | None:
        try:
            return self._near.recv(2000)
        except BlockingIOError:
            return None

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self._near.send(join(head, views, 0))
        return True

    def close(self) -> None:
        self._near.close()


def test_a_patch_cable_carries_both_ways_through_what_impairs_it() -> None:
    """Every second frame is lost on the way in, none on the way out."""
    one, other = Pipe(), Pipe()
    half = Impairment(drop=lambda number, frame: bool(number % 2))
    patch = Patch(ImpairedPort(one, time.monotonic_ns, inbound=half), other)
    patch.start()
    frames = [bytes((n,)) * (14 + 300 * n) for n in range(1, 5)]
    for frame in frames:
        one.far.send(frame)
        other.far.send(frame)
    assert [other.far.recv(2000) for _ in range(2)] == frames[::2]
    assert [one.far.recv(2000) for _ in range(4)] == frames
    patch.stop()
    assert one.far.recv(1) == b""  # both ends were closed
    assert other.far.recv(1) == b""
    one.far.close()
    other.far.close()
    assert patch.refused == 0
