# SPDX-License-Identifier: MIT
"""Switching an interface's offloads off, as `ethtool -K` does (linux/ethtool.h)."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from typing import Final

_SIOCETHTOOL: Final = 0x8946
_SET: Final = {
    "rx": 0x15,
    "tx": 0x17,
    "sg": 0x19,
    "tso": 0x1F,
    "gso": 0x24,
    "gro": 0x2C,
}


def without_offloads(name: str) -> None:
    """No segmentation, coalescing or checksum by the device `name`.  Raises OSError."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for command in ("tso", "gso", "gro", "sg", "tx", "rx"):
            value = ctypes.create_string_buffer(struct.pack("=II", _SET[command], 0), 8)
            request = struct.pack("16sQ16x", name.encode(), ctypes.addressof(value))
            fcntl.ioctl(sock, _SIOCETHTOOL, request)
