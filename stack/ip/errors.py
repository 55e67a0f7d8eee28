# SPDX-License-Identifier: MIT
"""Floor 4: when an ICMP error may be sent (RFC 1122 3.2.2, RFC 4443 2.4 e-f).

Never about an ICMP error or a redirect, a group destination (with two exceptions in IPv6), a
link-layer broadcast or multicast (likewise), a later fragment or a source that is not one host;
and never more than two token buckets allow, one per destination and one for all.  Buckets are
bounded in number.  `icmp` looks into the packet, `layer` refuses such sources, the rest is here.
"""

from __future__ import annotations

from typing import Final

from stack.base.packet import UNICAST, Packet
from stack.base.seam import Env
from stack.base.units import SECOND

_HOSTS: Final = 1024


class Bucket:
    """A token bucket: `rate` per second on average, `burst` at once."""

    __slots__ = ("_burst", "_interval", "_when")

    def __init__(self, rate: int, burst: int) -> None:
        self._interval = SECOND // max(rate, 1)
        self._burst = burst * self._interval
        self._when = 0  # theoretical arrival time (the leaky-bucket-as-meter form)

    def take(self, now: int) -> bool:
        """One token, if there is one."""
        when = max(self._when, now)
        if when - now >= self._burst:
            return False
        self._when = when + self._interval
        return True


class ErrorGate:
    """Decides for both families whether an error may be sent about a packet."""

    def __init__(self, env: Env, rate: int, burst: int, host_rate: int, host_burst: int) -> None:
        self._env = env
        self._all = Bucket(rate, burst)
        self._host_rate = host_rate
        self._host_burst = host_burst
        self._hosts: dict[bytes, Bucket] = {}
        self.suppressed = 0

    def allows(self, pkt: Packet, group_ok: bool = False) -> bool:
        """An error about `pkt` may go to its source now.

        The caller has excluded ICMP errors and sources that are not one host.  `group_ok` is
        RFC 4443 2.4 e.3's exception.
        """
        if not group_ok and (pkt.cast != UNICAST or pkt.group != UNICAST):
            return False
        if pkt.fragment is not None and pkt.fragment[1] != 0:
            return False
        now = self._env.now
        bucket = self._hosts.get(pkt.src)
        if bucket is None:
            if len(self._hosts) >= _HOSTS:
                del self._hosts[next(iter(self._hosts))]
            bucket = self._hosts[pkt.src] = Bucket(self._host_rate, self._host_burst)
        if bucket.take(now) and self._all.take(now):
            return True
        self.suppressed += 1
        return False
