# SPDX-License-Identifier: MIT
"""Floor 0: how long something holds, as protocols say it and as deadlines, for ever included.

Used by whatever has lifetimes: addresses, routers, name servers, leases.
"""

from __future__ import annotations

from typing import Final

from stack.base.timers import NEVER
from stack.base.units import SECOND

INFINITY: Final = 0xFFFFFFFF
"""Seconds that never end, in every protocol with a field of 32 bits for a lifetime (RFC 2131 3.3,
RFC 4861 4.6.2, RFC 8106 5, RFC 8415 7.7)."""


def lifetime(seconds: int) -> int:
    """Such a field in ns; NEVER for INFINITY."""
    return NEVER if seconds == INFINITY else seconds * SECOND


def after(now: int, span: int) -> int:
    """The deadline `span` ns after `now`; NEVER for a span of NEVER."""
    return NEVER if span >= NEVER else now + span


def left(now: int, deadline: int) -> int:
    """ns from `now` to `deadline`: 0 if that is over, NEVER if it never comes."""
    return NEVER if deadline >= NEVER else max(deadline - now, 0)


def seconds_left(now: int, deadline: int) -> int | None:
    """The same in whole seconds, for people and tools; None if it never comes."""
    return None if deadline >= NEVER else max(deadline - now, 0) // SECOND
