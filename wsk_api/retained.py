# SPDX-License-Identifier: MIT
"""Indications that a client keeps until WskRelease (wsk.md 2.5, 2.7, 3.4).

A list is known by its head, the object itself, and is given back exactly once: the second
WskRelease of the same head, and one of a node further down, are STATUS_INVALID_PARAMETER.  What is
kept stays charged to the transport's receive window or buffer.

Closing a socket releases nothing, and the documents forbid it: the close is done all the same,
since a close cannot fail, and an error is logged.  The memory stays good for as long as the client
holds the list, and may still be given back.

Used by `connection` and `datagram`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from wsk_api.ntstatus import STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from wsk_api.requests import Engine

log = logging.getLogger("wskstack.wsk")


class Retained:
    """What one socket's client keeps: heads of lists, and what each is charged."""

    __slots__ = ("_charges", "_engine")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._charges: dict[Any, int] = {}

    def __len__(self) -> int:
        return len(self._charges)

    @property
    def charge(self) -> int:
        """Octets that are kept."""
        return sum(self._charges.values())

    def keep(self, head: object, charge: int) -> None:
        """`head` is about to be indicated: the client may release it inside the callback."""
        self._charges[head] = charge

    def forgo(self, head: object) -> bool:
        """The callback did not retain `head`.  False if it has given it back by itself."""
        return self._charges.pop(head, None) is not None

    def release(self, head: object, grant: Callable[[int], None]) -> int:
        """WskRelease, on any thread.

        `grant` gives a charge back to the transport, on the stack's thread.  It is not kept: a
        socket that its own parts refer to would have to wait for the garbage collector.
        """
        try:
            charge = self._charges.pop(head, None)
        except TypeError:  # not hashable: certainly not one of ours
            charge = None
        if charge is None:
            return STATUS_INVALID_PARAMETER
        if self._engine.executor.inside():
            grant(charge)
        else:
            self._engine.later(lambda: grant(charge))
        return STATUS_SUCCESS

    def closing(self) -> None:
        """The socket is being closed."""
        if self._charges:
            log.error(
                "a socket was closed while %d indications (%d octets) are retained; "
                "WskRelease comes before WskCloseSocket",
                len(self._charges),
                self.charge,
            )
