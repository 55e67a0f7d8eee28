# SPDX-License-Identifier: MIT
"""Floor 5: what an ICMP error means to a user (RFC 1122 3.2.2, 4.2.3.9; RFC 5461).

Whether the quoted packet is really ours is checked by the transport before it asks here.
"""

from __future__ import annotations

from typing import Final

from stack.base import status
from stack.ip import seam

STATUS: Final = {
    seam.NET_UNREACHABLE: status.NO_ROUTE,
    seam.HOST_UNREACHABLE: status.HOST_UNREACHABLE,
    seam.PROTOCOL_UNREACHABLE: status.PROTOCOL_UNREACHABLE,
    seam.PORT_UNREACHABLE: status.PORT_UNREACHABLE,
    seam.PROHIBITED: status.HOST_UNREACHABLE,
    seam.TIME_EXCEEDED: status.HOST_UNREACHABLE,
    seam.PARAMETER: status.HOST_UNREACHABLE,
    seam.UNRESOLVED: status.HOST_UNREACHABLE,
}

HARD: Final = frozenset((seam.PROTOCOL_UNREACHABLE, seam.PORT_UNREACHABLE))
"""Errors that end a connection attempt (RFC 1122 4.2.3.9).  In a synchronized state even
these are only advice (RFC 5461 4.1, RFC 5927 5.2)."""
