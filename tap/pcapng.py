# SPDX-License-Identifier: MIT
"""A capture of everything that crosses a port, as a pcapng file that Wireshark reads.

Format: draft-ietf-opsawg-pcapng (section header, interface description, enhanced packet blocks)
with nanosecond times and the direction of every packet.  Frames are written as they cross the
port, so a super-frame is one packet and a checksum left to the device is not final: Wireshark
calls both by name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import BinaryIO, Final

from stack.base.head import Head
from stack.base.units import View
from tap.frames import join
from tap.port import Port, Wrapper

_BLOCK: Final = Struct("<II")
_LENGTH: Final = Struct("<I")
_SECTION: Final = Struct("<IHHq")
_INTERFACE: Final = Struct("<HHI")
_PACKET: Final = Struct("<IIIII")
_OPTION: Final = Struct("<HH")

_SECTION_BLOCK: Final = 0x0A0D0D0A
_INTERFACE_BLOCK: Final = 1
_PACKET_BLOCK: Final = 6
_ETHERNET: Final = 1

_OPT_NAME: Final = 2
_OPT_RESOLUTION: Final = 9
_OPT_FLAGS: Final = 2
INBOUND: Final = 1
OUTBOUND: Final = 2


def _pad(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)


def _option(code: int, value: bytes) -> bytes:
    return _OPTION.pack(code, len(value)) + _pad(value)


def _block(kind: int, body: bytes) -> bytes:
    size = 12 + len(body)
    return _BLOCK.pack(kind, size) + body + _LENGTH.pack(size)


class Capture:
    """Writes packets to an open binary file."""

    def __init__(self, file: BinaryIO, name: str = "wsk0") -> None:
        self._file = file
        file.write(_block(_SECTION_BLOCK, _SECTION.pack(0x1A2B3C4D, 1, 0, -1)))
        options = _option(_OPT_NAME, name.encode()) + _option(_OPT_RESOLUTION, b"\x09")
        options += _OPTION.pack(0, 0)
        file.write(_block(_INTERFACE_BLOCK, _INTERFACE.pack(_ETHERNET, 0, 0) + options))

    def packet(self, frame: bytes, when: int, direction: int) -> None:
        """One frame at `when` (ns since 1970)."""
        body = _PACKET.pack(0, when >> 32, when & 0xFFFFFFFF, len(frame), len(frame))
        options = _option(_OPT_FLAGS, _LENGTH.pack(direction)) + _OPTION.pack(0, 0)
        self._file.write(_block(_PACKET_BLOCK, body + _pad(frame) + options))

    def close(self) -> None:
        """Flush and close the file."""
        self._file.close()


class CapturingPort(Wrapper):
    """A port whose traffic is captured.

    `when` tells the time of a packet in ns since 1970.  The capture is closed with the port.
    """

    def __init__(self, inner: Port, capture: Capture, when: Callable[[], int]) -> None:
        super().__init__(inner)
        self._capture = capture
        self._when = when

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self._capture.packet(join(head, views, 0), self._when(), OUTBOUND)
        return self.inner.transmit(head, views)

    def read(self) -> bytes | None:
        frame = self.inner.read()
        if frame is not None:
            self._capture.packet(frame[self.header :], self._when(), INBOUND)
        return frame

    def close(self) -> None:
        self._capture.close()
        self.inner.close()
