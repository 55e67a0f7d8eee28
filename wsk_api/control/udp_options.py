# SPDX-License-Identifier: MIT
"""Options of level IPPROTO_UDP (wsk.md 4.4).  Splitting and joining are `segmentation`'s."""

from __future__ import annotations

from typing import Final

from stack.transport.options import OPTION_NO_CHECKSUM
from wsk_api.constants import IPPROTO_UDP
from wsk_api.control.rows import BOOL_KIND, DATAGRAM, KEPT, Option, Refused, transport
from wsk_api.option_constants import (
    UDP_CHECKSUM_COVERAGE,
    UDP_NOCHECKSUM,
    UDP_RECV_MAX_COALESCED_SIZE,
    UDP_SEND_MSG_SIZE,
)

_LARGEST: Final = 65535

ROWS: Final = (
    Option(
        "UDP_NOCHECKSUM",
        IPPROTO_UDP,
        UDP_NOCHECKSUM,
        DATAGRAM,
        transport(OPTION_NO_CHECKSUM),
        BOOL_KIND,
    ),
    Option("UDP_SEND_MSG_SIZE", IPPROTO_UDP, UDP_SEND_MSG_SIZE, DATAGRAM, KEPT, high=_LARGEST),
    Option(
        "UDP_RECV_MAX_COALESCED_SIZE",
        IPPROTO_UDP,
        UDP_RECV_MAX_COALESCED_SIZE,
        DATAGRAM,
        KEPT,
        high=_LARGEST,
    ),
)

REFUSED: Final = (
    Refused(
        "UDP_CHECKSUM_COVERAGE",
        IPPROTO_UDP,
        UDP_CHECKSUM_COVERAGE,
        "that is UDP-Lite (RFC 3828)",
    ),
)
