# SPDX-License-Identifier: MIT
"""Floor 6: one message of a DHCPv6 client, said again until it is answered (RFC 8415 15, 16.1).

Everything is sent from a timer: whoever begins an exchange, in whatever phase, sends nothing yet.
Used by `dhcp6_client`, which several exchanges may run for at a time.
"""

from __future__ import annotations

from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.services.dhcp6_means import Means
from stack.services.dhcp6_retransmit import Retransmission, Schedule
from stack.wire import dhcp6_codec
from stack.wire.dhcp6 import Message


class ExchangeOwner:
    """Whose exchange it is."""

    __slots__ = ()

    def waited(self, exchange: Exchange) -> bool:
        """A time-out of `exchange` is over.  True: so is the exchange."""
        raise NotImplementedError

    def failed(self, exchange: Exchange) -> None:
        """Nobody answered, and nothing more is sent."""
        raise NotImplementedError


class Exchange(TimerOwner):
    """A message and its retransmissions."""

    __slots__ = ("_held", "_means", "_owner", "_schedule", "_timer", "message", "retry", "rounds")

    def __init__(
        self, owner: ExchangeOwner, means: Means, message: Message, schedule: Schedule, mrt: int = 0
    ) -> None:
        self._owner = owner
        self._means = means
        self._schedule = schedule
        self._timer = Timer(self)
        self._held = False  # the rate limit has kept the next message back
        self.message = message
        self.retry = Retransmission(means.env, schedule, mrt)
        self.rounds = 0  # time-outs that are over

    def start(self, delay: int = 0) -> None:
        """Send the message after `delay` ns."""
        self._means.timers.arm(self._timer, self._means.env.now + delay)

    def start_after(self, longest: int) -> None:
        """Send it after a random delay."""
        self.start(self._means.env.random_below(longest + 1))

    def stop(self) -> None:
        """It is over."""
        self._timer.disarm()

    @property
    def running(self) -> bool:
        return self._timer.armed

    def fired(self, timer: Timer) -> None:
        if self.retry.count and not self._held:
            self.rounds += 1
            if self._owner.waited(self):
                return
            if self.retry.exhausted():
                self._means.counters.failures += 1
                self._owner.failed(self)
                return
        wait = self._means.limit.wait()
        self._held = wait > 0
        if self._held:
            self._means.counters.held_back += 1
            self.start(wait)
        else:
            self._transmit()

    def _transmit(self) -> None:
        means = self._means
        self.message.elapsed = self.retry.elapsed()
        deadline = self.retry.sent()
        means.counters.count_sent(self.message.kind)
        if means.send(means.nic, dhcp6_codec.build(self.message)):
            means.counters.send_failures += 1  # as if the link had lost it
        means.timers.arm(self._timer, deadline)
