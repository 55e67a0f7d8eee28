# SPDX-License-Identifier: MIT
"""Options of the transport that one socket was told (wsk.md 4.2-4.4).

A socket may be told before it has an endpoint; what was said is kept here and handed over with it.
What accepted sockets inherit is a listener's.
"""

from __future__ import annotations

from typing import Protocol

from stack.transport.options import BOTH
from wsk_api.ntstatus import STATUS_SUCCESS, ntstatus


class Settable(Protocol):
    """What `Stream`, `Listener` and `Datagram` of the seam have in common here."""

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        """Set an OPTION_*."""


class StreamOptions:
    """What one socket was told."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[tuple[int, int], int] = {}

    def set(self, option: int, value: int, endpoint: Settable | None, families: int = BOTH) -> int:
        """Remember an option, and let the endpoint have it if there is one; an NTSTATUS."""
        status = STATUS_SUCCESS
        if endpoint is not None:
            status = ntstatus(endpoint.set_option(option, value, families))
        if status == STATUS_SUCCESS:
            self._values[option, families] = value
        return status

    def has(self, option: int, families: int = BOTH) -> bool:
        """It was set."""
        return (option, families) in self._values

    def get(self, option: int, families: int = BOTH, default: int = 0) -> tuple[int, int]:
        """(STATUS_SUCCESS, what was set or `default`)."""
        return STATUS_SUCCESS, self._values.get((option, families), default)

    def inherit(self, other: StreamOptions, stream: Settable) -> None:
        """Take what a listener was told."""
        if other._values:
            self._values.update(other._values)
            self.hand_over(stream)

    def hand_over(self, endpoint: Settable) -> None:
        """The endpoint is there."""
        for (option, families), value in self._values.items():
            endpoint.set_option(option, value, families)
