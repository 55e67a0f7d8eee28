# SPDX-License-Identifier: MIT
"""Options that only raw sockets have: IP_HDRINCL, IPV6_HDRINCL, IPV6_CHECKSUM (RFC 3542 3.1).

They may be set before there is an endpoint; what was said is kept here and handed over by bind.
Used by `datagram`.
"""

from __future__ import annotations

from typing import Final

from stack.transport.datagram_seam import Datagram
from stack.transport.seam import OPTION_CHECKSUM_AT, OPTION_HEADER_INCLUDED
from wsk_api.constants import IPPROTO_ICMPV6, IPPROTO_RAW
from wsk_api.ntstatus import STATUS_INVALID_PARAMETER, STATUS_SUCCESS

RAW_OPTIONS: Final = frozenset((OPTION_HEADER_INCLUDED, OPTION_CHECKSUM_AT))
_NOWHERE: Final = 0xFFFFFFFF  # -1
_ICMPV6_AT: Final = 2


class RawOptions:
    """What one raw socket was told."""

    __slots__ = ("_protocol", "_values")

    def __init__(self, protocol: int) -> None:
        self._protocol = protocol
        self._values = {
            OPTION_HEADER_INCLUDED: int(protocol == IPPROTO_RAW),
            OPTION_CHECKSUM_AT: _ICMPV6_AT if protocol == IPPROTO_ICMPV6 else _NOWHERE,
        }

    def set(self, option: int, value: int, endpoint: Datagram | None) -> int:
        """Remember an option, and let the endpoint have it; an NTSTATUS.

        ICMPv6's checksum is where it is, and others are at even offsets (RFC 3542 3.1).
        """
        if option == OPTION_HEADER_INCLUDED:
            value = int(bool(value))
        elif not self._may_be_at(value):
            return STATUS_INVALID_PARAMETER
        self._values[option] = value
        if endpoint is not None:
            self._hand(option, endpoint)
        return STATUS_SUCCESS

    def _may_be_at(self, value: int) -> bool:
        fitting = value == _NOWHERE or (value % 2 == 0 and value <= 0xFFFF)
        return fitting and self._protocol != IPPROTO_ICMPV6

    def get(self, option: int) -> tuple[int, int]:
        """(NTSTATUS, value)."""
        return STATUS_SUCCESS, self._values[option]

    def hand_over(self, endpoint: Datagram) -> None:
        """The endpoint is there."""
        for option in self._values:
            self._hand(option, endpoint)

    def _hand(self, option: int, endpoint: Datagram) -> None:
        value = self._values[option]
        endpoint.set_option(option, -1 if value == _NOWHERE else value)
