# SPDX-License-Identifier: MIT
"""Floor 4: what we were told about path MTUs (RFC 1191 4-6, RFC 8201 4-5).

A report only ever lowers the estimate (never below 68, or 1280 for IPv6) and is forgotten
after `Config.pmtu_age`.  Whether a report is to be believed is decided before it gets here:
the transport that sent the quoted packet must recognise it.  Transports that probe (RFC 4821,
RFC 8899: `tcp/mtu_probe`) leave here what they found: how much is too much, and how much arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base.seam import Env, TimerOwner
from stack.base.timers import Timer, TimerHeap

MIN4: Final = 68
MIN6: Final = 1280

# RFC 1191 7.1: the MTUs that links really have, for routers that report none.
PLATEAUS: Final = (65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296, 68)

_LIMIT: Final = 1024


def plateau_below(size: int) -> int:
    """The largest common MTU below `size`."""
    for mtu in PLATEAUS:
        if mtu < size:
            return mtu
    return MIN4


class PathMtu(TimerOwner):
    """Lowered path MTUs by destination, both families."""

    def __init__(
        self, env: Env, timers: TimerHeap, age: int, changed: Callable[[bytes], None]
    ) -> None:
        self._env = env
        self._timers = timers
        self._age = age
        self._changed = changed
        self._known: dict[bytes, tuple[int, int]] = {}  # destination -> (mtu, until)
        self._proven: dict[bytes, tuple[int, int]] = {}  # likewise
        self._timer = Timer(self)

    def limit(self, dst: bytes, mtu: int) -> int:
        """The MTU to `dst` over a link of `mtu`."""
        known = self._known.get(dst)
        return mtu if known is None else min(mtu, known[0])

    def lower(self, dst: bytes, mtu: int, age: int = 0) -> None:
        """`mtu` was reported for `dst` by somebody to be believed, for `age` ns or as usual."""
        mtu = max(mtu, MIN4 if len(dst) == 4 else MIN6)
        known = self._known.get(dst)
        if known is not None and known[0] <= mtu:
            return
        if known is None and len(self._known) >= _LIMIT:
            self._forget(next(iter(self._known)))
        until = self._env.now + (age or self._age)
        self._known[dst] = (mtu, until)
        if not self._timer.armed or until < self._timer.deadline:
            self._timers.arm(self._timer, until)
        self._changed(dst)

    def prove(self, dst: bytes, mtu: int) -> None:
        """A packet of `mtu` octets has arrived at `dst`."""
        if len(self._proven) >= _LIMIT and dst not in self._proven:
            del self._proven[next(iter(self._proven))]
        # Twice as long as a limit: who begins when that is forgotten need not begin at the base.
        self._proven[dst] = (mtu, self._env.now + 2 * self._age)

    def proven(self, dst: bytes) -> int:
        """The largest packet that is known to have arrived at `dst` of late, or 0."""
        mtu, until = self._proven.get(dst, (0, 0))
        return mtu if self._env.now < until else 0

    def disprove(self, dst: bytes) -> None:
        """It does not arrive any more."""
        self._proven.pop(dst, None)

    def fired(self, timer: Timer) -> None:
        """Forget what has grown old; the next segment will find out."""
        now = self._env.now
        for dst in [d for d, (_, until) in self._known.items() if until <= now]:
            self._forget(dst)
        if self._known:
            self._timers.arm(timer, min(until for _, until in self._known.values()))

    def _forget(self, dst: bytes) -> None:
        del self._known[dst]
        self._changed(dst)
