# SPDX-License-Identifier: MIT
"""Opening and naming a TAP (Linux tun driver, Documentation/networking/tuntap).

python-pytun opens the device where it has a wheel (x86-64); elsewhere the same two ioctls are
made here.  Afterwards there is only a descriptor: non-blocking, close-on-exec, with as much
offload as the kernel grants.
"""

from __future__ import annotations

import array
import fcntl
import os
import re
import socket
import struct
from collections.abc import Callable
from typing import Final

from stack.link.seam import CSUM, TSO4, TSO6, USO
from stack.wire import vnet

NODE: Final = "/dev/net/tun"

IFF_TAP: Final = 0x0002
IFF_MULTI_QUEUE: Final = 0x0100
IFF_NO_PI: Final = 0x1000
IFF_VNET_HDR: Final = 0x4000

_TUNSETIFF: Final = 0x400454CA
_TUNSETOFFLOAD: Final = 0x400454D0
_TUNGETIFF: Final = 0x800454D2
_TUNSETVNETHDRSZ: Final = 0x400454D8

_F_CSUM: Final = 0x01
_F_TSO4: Final = 0x02
_F_TSO6: Final = 0x04
_F_TSO_ECN: Final = 0x08
_F_USO4: Final = 0x20
_F_USO6: Final = 0x40
_ANY_KERNEL: Final = _F_CSUM | _F_TSO4 | _F_TSO6 | _F_TSO_ECN
_SINCE_6_2: Final = _ANY_KERNEL | _F_USO4 | _F_USO6

_SIOCGIFMTU: Final = 0x8921
_SIOCGIFHWADDR: Final = 0x8927
_SIOCETHTOOL: Final = 0x8946
_ETHTOOL_SRXCSUM: Final = 0x15
_ETHTOOL_STXCSUM: Final = 0x17
_ETHTOOL_SSG: Final = 0x19
_ETHTOOL_STSO: Final = 0x1F
_ETHTOOL_SGSO: Final = 0x24
_ETHTOOL_SGRO: Final = 0x2C
_SENDING: Final = (_ETHTOOL_STSO, _ETHTOOL_SGSO, _ETHTOOL_STXCSUM)
_ALL: Final = (*_SENDING, _ETHTOOL_SGRO, _ETHTOOL_SSG, _ETHTOOL_SRXCSUM)
_IFREQ: Final = struct.Struct("16sH22x")


class OpenTap:
    """An open TAP.

    header     octets of virtio-net header on every frame, 0 if the kernel offers none
    features   what it finishes for us on sending (`link/seam` bits)
    """

    def __init__(self, fd: int, name: str, header: int, features: int) -> None:
        self.fd = fd
        self.name = name
        self.header = header
        self.features = features


def open_tap(
    name: str = "wsk%d", node: str = NODE, offload: bool = True, multi: bool = False
) -> OpenTap:
    """Open the TAP `name` (a pattern like ``wsk%d`` takes the first free one); with `multi` it may
    be opened again, and every time is a further queue.

    Raises OSError: ENOENT or EACCES for the node, EPERM without the right to make an interface,
    EBUSY if somebody else has it.
    """
    flags = IFF_TAP | IFF_NO_PI
    if offload:
        flags |= IFF_VNET_HDR
    if multi:
        flags |= IFF_MULTI_QUEUE
    fd, actual = _open(name, flags, node)
    os.set_blocking(fd, False)
    if not offload:
        return OpenTap(fd, actual, 0, 0)
    fcntl.ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", vnet.LENGTH))
    features = ask_for_offload(lambda wanted: fcntl.ioctl(fd, _TUNSETOFFLOAD, wanted))
    return OpenTap(fd, actual, vnet.LENGTH, features)


def ask_for_offload(ask: Callable[[int], object]) -> int:
    """Let the kernel send us as much as it is able to: what `ask` accepts first, most wanted
    first; OSError refuses.  Returns what it takes from us (`link/seam` bits)."""
    features = CSUM | TSO4 | TSO6
    for wanted in (_SINCE_6_2, _ANY_KERNEL, _F_CSUM, 0):
        try:
            ask(wanted)
        except OSError:
            continue
        # What *we* send may always carry a checksum to finish and a segment size; UDP's only
        # where the kernel knows of it at all.
        return features | USO if wanted & _F_USO4 else features
    return features


def open_queues(name: str, node: str, offload: bool, count: int) -> list[OpenTap]:
    """The TAP `name` with `count` queues, each of them a descriptor; a frame from the kernel is in
    one of them.  Raises OSError as `open_tap` does, and EINVAL for a TAP made for one queue."""
    queues = [open_tap(name, node, offload, count > 1)]
    try:
        while len(queues) < count:
            queues.append(open_tap(queues[0].name, node, offload, True))
    except OSError:
        for queue in queues:
            os.close(queue.fd)
        raise
    return queues


def adopt_tap(fd: int) -> OpenTap:
    """Take over a TAP that somebody opened and passed as a descriptor.

    Raises OSError if it is none (EBADFD, ENOTTY), ValueError if it is not an Ethernet TAP
    without packet information.
    """
    raw = fcntl.ioctl(fd, _TUNGETIFF, _IFREQ.pack(b"", 0))
    name_bytes, flags = _IFREQ.unpack(raw)
    name = name_bytes.rstrip(b"\0").decode()
    if not flags & IFF_TAP or not flags & IFF_NO_PI:
        raise ValueError(f"{name}: open it with IFF_TAP | IFF_NO_PI (this one is 0x{flags:x})")
    os.set_blocking(fd, False)
    os.set_inheritable(fd, False)
    if not flags & IFF_VNET_HDR:
        return OpenTap(fd, name, 0, 0)
    fcntl.ioctl(fd, _TUNSETVNETHDRSZ, struct.pack("i", vnet.LENGTH))
    return OpenTap(fd, name, vnet.LENGTH, finished_by_kernel())


def finished_by_kernel(release: str = "") -> int:
    """What a kernel does to frames with a virtio-net header that are written to it (`link/seam`
    bits): UDP's super-frames it takes since 6.2.  `release` is this machine's if it is empty."""
    return CSUM | TSO4 | TSO6 | (USO if _version(release) >= (6, 2) else 0)


def big_peer(tap: OpenTap, release: str = "") -> bytes:
    """The MAC address of the kernel behind a TAP if it takes TCP super-frames beyond 64 KiB, as it
    does since 6.3; empty otherwise, and for a packet socket, whose frames leave by an interface
    that has them cut."""
    if not tap.features & TSO4 or _version(release) < (6, 3):
        return b""
    try:
        raw = fcntl.ioctl(tap.fd, _SIOCGIFHWADDR, bytes(40))
    except OSError:
        return b""
    return raw[18:24]


def _version(release: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", release or os.uname().release)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def interface_mtu(name: str) -> int:
    """The MTU of an interface in this namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        raw = fcntl.ioctl(probe.fileno(), _SIOCGIFMTU, struct.pack("16si20x", name.encode(), 0))
    return int(struct.unpack("16si20x", raw)[1])


def without_offload(name: str, receiving: bool = False) -> None:
    """Let the kernel finish checksums and cut super-frames before they reach `name` (ethtool); with
    `receiving` it also hands up what comes in frame by frame, and sums it itself.

    Raises OSError.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        for setting in _ALL if receiving else _SENDING:
            value = array.array("I", (setting, 0))
            request = struct.pack("16sP16x", name.encode(), value.buffer_info()[0])
            fcntl.ioctl(probe.fileno(), _SIOCETHTOOL, request)


def _open(name: str, flags: int, node: str) -> tuple[int, str]:
    try:
        import pytun
    except ImportError:
        return _open_without_pytun(name, flags, node)
    try:
        device = pytun.TunTapDevice(name=name, flags=flags, dev=node)
    except pytun.Error as error:
        raise OSError(*error.args) from None
    # The descriptor is all we keep; a duplicate is close-on-exec, pytun's own is not.
    fd = os.dup(device.fileno())
    actual = device.name
    device.close()
    return fd, actual


def _open_without_pytun(name: str, flags: int, node: str) -> tuple[int, str]:
    fd = os.open(node, os.O_RDWR | os.O_CLOEXEC)
    try:
        raw = fcntl.ioctl(fd, _TUNSETIFF, _IFREQ.pack(name.encode(), flags))
    except OSError:
        os.close(fd)
        raise
    return fd, _IFREQ.unpack(raw)[0].rstrip(b"\0").decode()
