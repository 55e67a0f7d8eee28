# SPDX-License-Identifier: MIT
"""Floor 0: results of user calls, in words no interface owns.

`wsk_api/ntstatus` turns them into NTSTATUS.  Packets never carry a status: they have a
fate (`fate.py`).
"""

from __future__ import annotations

from typing import Final

OK: Final = 0
PENDING: Final = 1  # the answer comes later, through the sink
CANCELLED: Final = 2
INVALID: Final = 3  # the arguments make no sense
STATE: Final = 4  # not in this state of the endpoint
NOT_SUPPORTED: Final = 5
IN_USE: Final = 6  # address and port are taken
ACCESS: Final = 7  # taken, and sharing is refused
NOT_LOCAL: Final = 8  # not an address of this host
NO_PORTS: Final = 9  # no ephemeral port is free
NO_ROUTE: Final = 10
HOST_UNREACHABLE: Final = 11
PROTOCOL_UNREACHABLE: Final = 12
PORT_UNREACHABLE: Final = 13
REFUSED: Final = 14  # RST answered our SYN
RESET: Final = 15  # RST ended an established connection
ABORTED: Final = 16  # ended by this side
TIMED_OUT: Final = 17
TOO_BIG: Final = 18  # a datagram that cannot be sent in one piece
NO_MEMORY: Final = 19  # a configured limit is reached
NOT_CONNECTED: Final = 20
CLOSED: Final = 21  # the transport is gone
NO_NAME: Final = 22  # there is no such name, or nothing of the kind asked for
SERVER_FAILED: Final = 23  # every name server refused or failed

_NAMES: Final = {
    value: name
    for name, value in list(globals().items())
    if name.isupper() and isinstance(value, int)
}


def name(status: int) -> str:
    """The constant's name, for messages."""
    return _NAMES.get(status, f"status {status}")
