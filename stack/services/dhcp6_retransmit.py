# SPDX-License-Identifier: MIT
"""Floor 6: when a DHCPv6 client says it again, and when it gives up (RFC 8415 7.6, 14.1, 15).

Used by `dhcp6_exchange`; the schedules are named by `dhcp6_client`.
"""

from __future__ import annotations

from typing import Final

from stack.base.seam import Env
from stack.base.units import MS, SECOND

SOL_MAX_RT: Final = 3600 * SECOND
INF_MAX_RT: Final = 3600 * SECOND
MAX_RT_LOW: Final = 60
"""A server may set the two to so many seconds at least (21.24, 21.25)."""
MAX_RT_HIGH: Final = 86400

RATE_COUNT: Final = 20
"""Messages of one interface in RATE_TIME (14.1)."""
RATE_TIME: Final = 20 * SECOND

_MILLION: Final = 1_000_000
_SPREAD: Final = _MILLION // 10  # RAND is within -0.1 .. +0.1


class Schedule:
    """One row of the table in 7.6; ns, zero where there is no bound."""

    __slots__ = ("delay", "first_longer", "irt", "mrc", "mrd", "mrt")

    def __init__(
        self,
        irt: int,
        mrt: int = 0,
        mrc: int = 0,
        mrd: int = 0,
        delay: int = 0,
        first_longer: bool = False,
    ) -> None:
        self.irt = irt  # the first time-out
        self.mrt = mrt  # the longest
        self.mrc = mrc  # transmissions
        self.mrd = mrd  # how long the exchange may take
        self.delay = delay  # longest random delay before the first message
        self.first_longer = first_longer  # the first RAND is above zero (18.2.1)


# The duration of Renew is T2's, of Rebind that of the addresses (18.2.4, 18.2.5): the client has
# timers for both.
SOLICIT: Final = Schedule(SECOND, SOL_MAX_RT, delay=SECOND, first_longer=True)
REQUEST: Final = Schedule(SECOND, 30 * SECOND, mrc=10)
CONFIRM: Final = Schedule(SECOND, 4 * SECOND, mrd=10 * SECOND, delay=SECOND)
RENEW: Final = Schedule(10 * SECOND, 600 * SECOND)
REBIND: Final = Schedule(10 * SECOND, 600 * SECOND)
INFORMATION_REQUEST: Final = Schedule(SECOND, INF_MAX_RT, delay=SECOND)
RELEASE: Final = Schedule(SECOND, mrc=4)
DECLINE: Final = Schedule(SECOND, mrc=4)


class Retransmission:
    """How far one exchange has come.  `mrt` may be changed on the way."""

    __slots__ = ("_env", "_schedule", "began", "count", "mrt", "rt")

    def __init__(self, env: Env, schedule: Schedule, mrt: int = 0) -> None:
        self._env = env
        self._schedule = schedule
        self.mrt = mrt or schedule.mrt
        self.began = 0  # when the first message went out
        self.count = 0  # messages sent
        self.rt = 0  # the current time-out

    def sent(self) -> int:
        """The message goes out now: when to do something about silence."""
        now = self._env.now
        if self.count == 0:
            self.began = now
            self.rt = self._spread(self._schedule.irt, self._schedule.first_longer)
        else:
            self.rt += self._spread(self.rt)
        if self.mrt and self.rt > self.mrt:
            self.rt = self._spread(self.mrt)
        self.count += 1
        mrd = self._schedule.mrd
        return min(now + self.rt, self.began + mrd) if mrd else now + self.rt

    def exhausted(self) -> bool:
        """The time-out is over, and nothing more is to be sent: the exchange has failed."""
        schedule = self._schedule
        if schedule.mrc and self.count >= schedule.mrc:
            return True
        return bool(schedule.mrd) and self._env.now >= self.began + schedule.mrd

    def elapsed(self) -> int:
        """Hundredths of a second since the first message, as the option has them (21.9)."""
        return min((self._env.now - self.began) // (10 * MS), 0xFFFF) if self.count else 0

    def _spread(self, time: int, longer: bool = False) -> int:
        """`time` + RAND * `time`."""
        if longer:
            parts = 1 + self._env.random_below(_SPREAD)
        else:
            parts = self._env.random_below(2 * _SPREAD + 1) - _SPREAD
        return time + time * parts // _MILLION


class RateLimit:
    """A bucket of tokens: what keeps a client from flooding its link, whatever servers say."""

    __slots__ = ("_env", "_room", "_since")

    def __init__(self, env: Env) -> None:
        self._env = env
        self._room = RATE_COUNT
        self._since = env.now

    def wait(self) -> int:
        """ns until a message may be sent; 0 takes the permission."""
        step = RATE_TIME // RATE_COUNT
        now = self._env.now
        gained = (now - self._since) // step
        self._since += gained * step
        self._room = min(RATE_COUNT, self._room + gained)
        if self._room == 0:
            return self._since + step - now
        self._room -= 1
        return 0
