# SPDX-License-Identifier: MIT
"""Floor 7: `Stack`, the floors put together, and the verbs by which it is driven.

    receive(nic, frame)     a frame arrived
    step()                  timers that are due, then indicate and output; True if not done yet
    next_deadline()         when to come back if nothing else happens

`Env.now` is set by whoever drives it.  A stack never waits, never reads a clock, and touches
nothing but what it was given.  It is its first compartment; `add_compartment` makes more.
"""

from __future__ import annotations

from stack.base.config import Config
from stack.base.fate import DropDoor
from stack.base.seam import Env
from stack.base.timers import TimerHeap
from stack.compartment import Compartment
from stack.link.nic import Nic


class Stack(Compartment):
    """One host's TCP/IP."""

    def __init__(self, env: Env, config: Config | None = None) -> None:
        self.timers = TimerHeap()
        self.door = DropDoor(env)
        self.compartments: list[Compartment] = [self]
        super().__init__(1, env, self.timers, self.door, config or Config())

    def add_compartment(self) -> Compartment:
        """A further compartment, with nothing but a loopback interface.

        Its `providers` and `names` are attached to a WSK subsystem of their own.
        """
        made = Compartment(
            len(self.compartments) + 1, self.env, self.timers, self.door, self.config
        )
        self.compartments.append(made)
        return made

    # Being driven.

    def receive(self, nic: Nic, frame: bytes) -> None:
        """One frame from `nic`'s device.  Never raises, whatever is in it."""
        nic.receive(frame)
        nic.pause()

    def step(self) -> bool:
        """Fire what is due and settle once.  True if there is more to do at this instant."""
        for compartment in self.compartments:
            if compartment.tcp.holding:
                compartment.tcp.catch_up()  # what has arrived in time stops a timer
        now = self.env.now
        if self.timers.next_deadline() <= now:
            self.timers.run(now)
        more = False
        for compartment in self.compartments:
            if compartment.settle():
                more = True
        return more

    def busy(self) -> bool:
        """Something waits for the next step."""
        for compartment in self.compartments:  # noqa: SIM110 - every turn asks, and there is one
            if compartment.waiting():
                return True
        return False

    def next_deadline(self) -> int:
        """Nanoseconds on `Env.now`'s clock; no timer fires before.  May be early."""
        return self.timers.next_deadline()

    # Looking.

    def snapshot(self) -> dict[str, dict[str, int]]:
        """Every counter, by block; those of further compartments with their number in front."""
        shot = super().snapshot()
        for compartment in self.compartments[1:]:
            for name, block in compartment.snapshot().items():
                shot[f"{compartment.number}:{name}"] = block
        shot["drops"] = self.door.snapshot()
        return shot
