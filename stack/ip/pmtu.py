# SPDX-License-Identifier: MIT
"""Floor 4: what we were told about path MTUs (RFC 1191 4-6, RFC 8201 4-5).

A report only ever lowers the estimate and is forgotten after `Config.pmtu_age`.  Reports of less
than 68, or 1280 for IPv6, end before they get here, in `icmp4` and `icmp6` (RFC 8201 4).  Whether
a report is to be believed is decided there too, or above: whoever sent the quoted packet must
recognise it (RFC 5927 7).  Transports that probe (RFC 4821,
RFC 8899: `tcp/mtu_probe`) leave here what they found: how much is too much, and how much arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stack.base.seam import Env, TimerOwner
from stack.base.timers import Timer, TimerHeap

if TYPE_CHECKING:
    from stack.ip.path import Path

MIN4: Final = 68
MIN6: Final = 1280

# RFC 1191 7.1: the MTUs that links really have, for routers that report none.
PLATEAUS: Final = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)

_LIMIT: Final = 1024


def smallest(dst: bytes) -> int:
    """What every path to an address of this family takes."""
    return MIN4 if len(dst) == 4 else MIN6


def plateau_below(size: int) -> int:
    """The largest common MTU below `size`."""
    for mtu in PLATEAUS:
        if mtu < size:
            return mtu
    return MIN4


class PathMtu(TimerOwner):
    """Lowered path MTUs, both families.

    A path, as far as one can be told from another here, is a destination and the interface by
    which it is reached: what was reported over one says nothing of another.
    """

    def __init__(
        self, env: Env, timers: TimerHeap, age: int, changed: Callable[[bytes, int], None]
    ) -> None:
        self._env = env
        self._timers = timers
        self._age = age
        self._changed = changed
        # (destination, interface index) -> (mtu, until), the oldest first
        self._known: dict[tuple[bytes, int], tuple[int, int]] = {}
        self._proven: dict[tuple[bytes, int], tuple[int, int]] = {}  # likewise
        self._timer = Timer(self)

    def limit(self, dst: bytes, index: int, mtu: int) -> int:
        """The MTU to `dst` over interface `index`, which takes `mtu`."""
        known = self._known.get((dst, index))
        return mtu if known is None else min(mtu, known[0])

    def lower(self, path: Path, mtu: int, age: int = 0) -> None:
        """`mtu` was found on `path` by somebody to be believed, for `age` ns or as usual."""
        key = (path.dst, path.nic.index)
        mtu = max(mtu, smallest(path.dst))
        known = self._known.pop(key, None)
        if known is not None and known[0] <= mtu:
            self._known[key] = known
            return
        if len(self._known) >= _LIMIT:
            self._forget(next(iter(self._known)))
        until = self._env.now + (age or self._age)
        self._known[key] = (mtu, until)
        if not self._timer.armed or until < self._timer.deadline:
            self._timers.arm(self._timer, until)
        self._changed(*key)

    def prove(self, path: Path, mtu: int) -> None:
        """A packet of `mtu` octets has arrived at the end of `path`."""
        key = (path.dst, path.nic.index)
        if len(self._proven) >= _LIMIT and key not in self._proven:
            del self._proven[next(iter(self._proven))]
        # Twice as long as a limit: who begins when that is forgotten need not begin at the base.
        self._proven[key] = (mtu, self._env.now + 2 * self._age)

    def proven(self, path: Path) -> int:
        """The largest packet that is known to have arrived of late, or 0."""
        mtu, until = self._proven.get((path.dst, path.nic.index), (0, 0))
        return mtu if self._env.now < until else 0

    def disprove(self, path: Path) -> None:
        """It does not arrive any more."""
        self._proven.pop((path.dst, path.nic.index), None)

    def fired(self, timer: Timer) -> None:
        """Forget what has grown old; the next segment will find out."""
        now = self._env.now
        for key in [k for k, (_, until) in self._known.items() if until <= now]:
            self._forget(key)
        if self._known:
            self._timers.arm(timer, min(until for _, until in self._known.values()))

    def _forget(self, key: tuple[bytes, int]) -> None:
        del self._known[key]
        self._changed(*key)
