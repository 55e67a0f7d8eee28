# SPDX-License-Identifier: MIT
"""A packet socket on an interface, as a descriptor that behaves like a TAP (packet(7)).

With PACKET_VNET_HDR every frame carries the virtio-net header: the checksums that the sending
kernel left unfinished are announced as such, and super-frames cross whole.  Without offload it
carries plain frames, and the other end must be kept from sending anything else
(`ioctls.without_offload`).
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Final

from stack.wire import vnet
from tap.ioctls import OpenTap, finished_by_kernel

_SOL_PACKET: Final = 263
_PACKET_VNET_HDR: Final = 15
_PACKET_IGNORE_OUTGOING: Final = 23
_ETH_P_ALL: Final = 3
_BUFFER: Final = 8 * 1024 * 1024


def open_packet(name: str, offload: bool = True) -> OpenTap:
    """Open a packet socket on interface `name`.  Raises OSError (EPERM without CAP_NET_RAW)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0) as sock:
        if offload:
            sock.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        with contextlib.suppress(OSError):
            sock.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            sock.setsockopt(socket.SOL_SOCKET, option, _BUFFER)
        sock.bind((name, _ETH_P_ALL))
        sock.setblocking(False)
        fd = os.dup(sock.fileno())
    if not offload:
        return OpenTap(fd, name, 0, 0)
    return OpenTap(fd, name, vnet.LENGTH, finished_by_kernel())
