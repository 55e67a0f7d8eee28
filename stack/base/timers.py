# SPDX-License-Identifier: MIT
"""Floor 0: timers as values, and the heap that finds the next one.

A `Timer` is a deadline with an owner.  Moving a deadline later or disarming it, which TCP
does for every ACK, is one attribute write: the heap entry stays where it is and is healed
when it surfaces.  Only a deadline that moves *earlier* than its entry costs a push.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush
from typing import Final

from stack.base.seam import TimerOwner

NEVER: Final = 1 << 62
"""A deadline that is never reached: the value of a disarmed timer."""


class _Nobody(TimerOwner):
    """The owner of a timer that is over."""

    def fired(self, timer: Timer) -> None:
        """Somebody armed it all the same."""


_NOBODY: Final = _Nobody()


class Timer:
    """One deadline.  `kind` tells an owner of several timers which one fired."""

    __slots__ = ("deadline", "entry", "kind", "owner")

    def __init__(self, owner: TimerOwner, kind: int = 0) -> None:
        self.owner = owner
        self.kind = kind
        self.deadline = NEVER
        self.entry = NEVER  # deadline of this timer's live heap entry

    @property
    def armed(self) -> bool:
        return self.deadline != NEVER

    def retire(self) -> None:
        """Never fire again, and let go of the owner: who refers to his own timers would otherwise
        have to wait for the garbage collector."""
        self.deadline = NEVER
        self.owner = _NOBODY

    def disarm(self) -> None:
        """Forget the deadline.  Free: the heap entry is dropped when it surfaces."""
        self.deadline = NEVER


class TimerHeap:
    """All timers of one stack."""

    __slots__ = ("_count", "_heap", "_stale")

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Timer]] = []
        self._count = 0  # breaks ties in order of arming; keeps tuples comparable
        self._stale = 0

    def arm(self, timer: Timer, deadline: int) -> None:
        """Let `timer` fire at `deadline` (ns), replacing any earlier arrangement.

        At NEVER it does not fire: that is disarming.
        """
        timer.deadline = deadline
        if deadline < timer.entry:
            if timer.entry != NEVER:
                self._stale += 1
            timer.entry = deadline
            self._count += 1
            heappush(self._heap, (deadline, self._count, timer))
            if self._stale > 64 and self._stale * 2 > len(self._heap):
                self._rebuild()

    def next_deadline(self) -> int:
        """No timer fires before this.  May be early (a healed entry), never late."""
        return self._heap[0][0] if self._heap else NEVER

    def run(self, now: int) -> None:
        """Fire every timer that is due at `now`, earliest first, each once.

        What a firing timer arms at or before `now` waits for the next call, so a turn is
        bounded even when somebody re-arms in the past.
        """
        heap = self._heap
        due: list[Timer] = []
        while heap and heap[0][0] <= now:
            when, _, timer = heappop(heap)
            if timer.entry != when:
                self._stale -= 1
                continue
            timer.entry = NEVER
            if timer.deadline <= now:
                due.append(timer)
            elif timer.deadline != NEVER:
                self.arm(timer, timer.deadline)
        for timer in due:
            if timer.deadline <= now:
                timer.deadline = NEVER
                timer.owner.fired(timer)

    def armed(self) -> list[Timer]:
        """Every armed timer: for tests and diagnosis, not for the packet path."""
        return [t for when, _, t in self._heap if t.entry == when and t.deadline != NEVER]

    def _rebuild(self) -> None:
        # In place: `run` may be walking this very list.
        self._heap[:] = [e for e in self._heap if e[2].entry == e[0]]
        heapify(self._heap)
        self._stale = 0
