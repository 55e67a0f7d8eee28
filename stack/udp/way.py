# SPDX-License-Identifier: MIT
"""Floor 6: how a UDP endpoint sends in one family, as its options have it.

Used by `endpoint`.
"""

from __future__ import annotations

from typing import Final

from stack.transport.options import (
    OPTION_GROUP_HOPS,
    OPTION_GROUP_INTERFACE,
    OPTION_GROUP_LOOP,
    OPTION_INTERFACE,
    OPTION_LARGEST_PACKET,
    OPTION_NO_CHECKSUM,
    OPTION_PATH_MTU,
    PATH_MTU_DEFAULT,
    PATH_MTU_DO,
    PATH_MTU_DONT,
    PATH_MTU_PROBE,
)
from stack.transport.seam import OPTION_HOP_LIMIT, OPTION_TRAFFIC_CLASS

MOST: Final = {
    OPTION_TRAFFIC_CLASS: 0xFF,
    OPTION_HOP_LIMIT: 0xFF,
    OPTION_GROUP_HOPS: 0xFF,
    OPTION_GROUP_INTERFACE: 0xFFFF,
    OPTION_GROUP_LOOP: 1,
    OPTION_INTERFACE: 0xFFFF,
    OPTION_PATH_MTU: PATH_MTU_PROBE,
    OPTION_LARGEST_PACKET: 0xFFFFFFFF,
    OPTION_NO_CHECKSUM: 1,
}
"""What is kept per family, and its largest value."""


class Way:
    """How an endpoint sends in one family."""

    __slots__ = (
        "bare",
        "df",
        "group_hops",
        "group_interface",
        "groups",
        "hops",
        "interface",
        "largest",
        "loop",
        "mode",
        "narrow",
        "tos",
    )

    def __init__(self, groups: int) -> None:
        self.groups = groups  # the first octet from which on an address may be a group's
        self.hops = 0  # 0: as configured
        self.tos = 0  # without the ECN bits
        self.group_hops = 1
        self.group_interface = 0
        self.interface = 0
        self.loop = True
        self.mode = PATH_MTU_DEFAULT
        self.largest = 0  # bound of the path MTU; 0: none
        self.bare = False  # no checksum
        self.df = False
        self.narrow = False  # it is not the path's MTU that counts

    def set(self, option: int, value: int) -> None:
        """An option within its bounds."""
        if option == OPTION_TRAFFIC_CLASS:
            self.tos = value & 0xFC  # the other two bits are ECN's
        elif option == OPTION_HOP_LIMIT:
            self.hops = value
        elif option == OPTION_GROUP_HOPS:
            self.group_hops = value
        elif option == OPTION_GROUP_INTERFACE:
            self.group_interface = value
        elif option == OPTION_INTERFACE:
            self.interface = value
        elif option == OPTION_GROUP_LOOP:
            self.loop = bool(value)
        elif option == OPTION_NO_CHECKSUM:
            self.bare = bool(value)
        elif option == OPTION_LARGEST_PACKET:
            self.largest = value
        else:
            self.mode = value
        self.df = self.mode in (PATH_MTU_DO, PATH_MTU_PROBE)
        self.narrow = self.largest > 0 or self.mode in (PATH_MTU_DONT, PATH_MTU_PROBE)


_GROUPS4: Final = 0xE0
_GROUPS6: Final = 0xFF
PLAIN4: Final = Way(_GROUPS4)
PLAIN6: Final = Way(_GROUPS6)
"""Shared by endpoints of which nothing was asked; never set."""


def fresh(family_size: int) -> Way:
    """One that may be set, for addresses of so many octets."""
    return Way(_GROUPS4 if family_size == 4 else _GROUPS6)
