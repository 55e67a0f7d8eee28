# SPDX-License-Identifier: MIT
"""Floor 6: the states of a DHCP client: those of RFC 2131 figure 5, and four more.

STOPPED before `start`; CHECKING while RFC 5227 asks whether somebody has the address; DECLINING
and RELEASING while what these send is on its way.
"""

from __future__ import annotations

from typing import Final

STOPPED: Final = 0
INIT: Final = 1
SELECTING: Final = 2
REQUESTING: Final = 3
CHECKING: Final = 4
BOUND: Final = 5
RENEWING: Final = 6
REBINDING: Final = 7
INIT_REBOOT: Final = 8
REBOOTING: Final = 9
DECLINING: Final = 10
RELEASING: Final = 11

STATE_NAMES: Final = (
    "stopped",
    "init",
    "selecting",
    "requesting",
    "checking",
    "bound",
    "renewing",
    "rebinding",
    "init-reboot",
    "rebooting",
    "declining",
    "releasing",
)
HOLDING: Final = frozenset((BOUND, RENEWING, REBINDING))
"""States in which there is an address to be used for everything."""

WAITING: Final = frozenset((REQUESTING, REBOOTING, RENEWING, REBINDING))
"""States in which a request is out."""
