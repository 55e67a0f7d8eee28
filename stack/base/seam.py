# SPDX-License-Identifier: MIT
"""Floor 0 seam: what the core needs from the world, stated as base classes.

The core has no clock, no randomness, no thread and no log.  Whoever runs a stack hands it
an `Env`; the runtimes in `tap/` and the virtual `World` of the tests are the implementers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stack.base.counters import Counters
    from stack.base.packet import Packet
    from stack.base.timers import Timer


class Executor:
    """Runs work on the one thread that owns a stack.

    Everything under `stack/` is single-threaded.  A call that arrives on another thread is
    handed over with `submit`; a thread that wants to block for a result uses `wait`.
    """

    def inside(self) -> bool:
        """True when the calling thread is the one that turns this stack."""
        raise NotImplementedError

    def submit(self, task: Callable[[], None]) -> None:
        """Run `task` soon on the stack's thread, in order of submission.  Any thread."""
        raise NotImplementedError

    def wanted(self) -> None:
        """Work appeared outside a turn: make sure a turn follows.  Stack thread only."""
        raise NotImplementedError

    def wait(self, done: Callable[[], bool], timeout: int | None) -> bool:
        """Block the calling thread until `done()` holds, or `timeout` ns have passed.

        Returns the last value of `done()`.  Called on the stack's own thread it cannot
        block, since nobody else would make progress: there it answers `done()` at once.
        """
        raise NotImplementedError

    def may_wait(self) -> bool:
        """Whether `wait` can do more than look: on any thread but the stack's own."""
        return not self.inside()


class Trace:
    """What happened, told in plain values.  Every method does nothing by default.

    A stack holds one `Trace` or `None`; a recorder in the tests and the log writer of
    `tap/` implement it.  Methods may not call back into the stack.
    """

    def dropped(self, reason: int, frame: bytes, offset: int) -> None:
        """A received frame (or an outgoing packet) was discarded at the drop door."""

    def address(self, nic: str, address: bytes, state: str) -> None:
        """A local address is in another state now, or `state` says what befell it: that another
        station claims it, say."""

    def name(self, nic: str, name: str, state: str) -> None:
        """A name of this host on a link is being verified, is its own, or is another's."""

    def tcp_state(self, flow: str, old: int, new: int) -> None:
        """A TCP connection moved along an arrow of the state chart."""


class Siblings:
    """The other stacks that are this host together with ours: several processes may share one
    interface, and a packet may arrive at one that knows nothing of its connection.

    A stack has one in `IpHost.siblings`, or None; `tap/shards` implements it.

    counters   of what passed between them, shown with the stack's own as "mesh"
    """

    counters: Counters

    def took(self, pkt: Packet) -> bool:
        """Nobody here has the connection or the port that `pkt` is for.  True if a sibling has
        been given it: then it is no matter of ours any more, and gets no answer from us."""
        raise NotImplementedError


class TimerOwner:
    """Somebody whose timers can expire."""

    __slots__ = ()

    def fired(self, timer: Timer) -> None:
        """`timer` reached its deadline and is disarmed.  Called once per expiry."""
        raise NotImplementedError


class Env:
    """The world as one stack sees it.

    `now` is nanoseconds on a clock that never goes back; the runtime sets it once per turn
    so that everything in one turn happens at one instant.
    """

    now: int = 0
    executor: Executor
    trace: Trace | None = None

    def random(self, count: int) -> bytes:
        """`count` bytes nobody can predict (a seeded generator in the tests)."""
        raise NotImplementedError

    def random_below(self, limit: int) -> int:
        """A uniform integer in [0, limit).  `limit` at most 2**32."""
        return int.from_bytes(self.random(8), "big") % limit
