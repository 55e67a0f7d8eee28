# SPDX-License-Identifier: MIT
"""Transport options of connections, and of listeners that hand them down (wsk.md 4.2-4.4).

A socket may be told before it has a stream; what was said is kept here and handed over with it.
Of times the transport has its own default for, only those that were set can be read back.
"""

from __future__ import annotations

from typing import Final

from stack.transport.seam import (
    OPTION_FAST_OPEN,
    OPTION_KEEPALIVE,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
    OPTION_NODELAY,
    OPTION_USER_TIMEOUT,
    Stream,
)
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    ntstatus,
)

_SWITCHES: Final = frozenset((OPTION_NODELAY, OPTION_KEEPALIVE, OPTION_FAST_OPEN))
_VALUES: Final = frozenset(
    (OPTION_KEEPALIVE_TIME, OPTION_KEEPALIVE_INTERVAL, OPTION_KEEPALIVE_COUNT, OPTION_USER_TIMEOUT)
)


class StreamOptions:
    """What one socket was told."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[int, int] = {}

    def set(self, option: int, value: int, stream: Stream | None) -> int:
        """Remember an option, and let the stream have it if there is one; an NTSTATUS."""
        if option in _SWITCHES:
            value = int(bool(value))
        elif option not in _VALUES:
            return STATUS_INVALID_DEVICE_REQUEST
        status = STATUS_SUCCESS
        if stream is not None:
            status = ntstatus(stream.set_option(option, value))
        if status == STATUS_SUCCESS:
            self._values[option] = value
        return status

    def get(self, option: int) -> tuple[int, int]:
        """(NTSTATUS, value)."""
        if option in self._values:
            return STATUS_SUCCESS, self._values[option]
        if option in _SWITCHES:
            return STATUS_SUCCESS, 0
        status = STATUS_NOT_SUPPORTED if option in _VALUES else STATUS_INVALID_DEVICE_REQUEST
        return status, 0

    def inherit(self, other: StreamOptions, stream: Stream) -> None:
        """Take what a listener was told."""
        self._values.update(other._values)
        self.hand_over(stream)

    def hand_over(self, stream: Stream) -> None:
        """The stream is there."""
        for option, value in self._values.items():
            stream.set_option(option, value)
