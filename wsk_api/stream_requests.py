# SPDX-License-Identifier: MIT
"""What a connection keeps of requests under way (wsk.md 2.7), and how they are withdrawn.

Who calls it: `connection`.
"""

from __future__ import annotations

from collections.abc import Callable

from wsk_api.buffers import Filler
from wsk_api.irp import IRP
from wsk_api.types import WSK_INSPECT_ID


class ReceiveRequest:
    """A queued WskReceive."""

    __slots__ = ("filler", "flags", "irp")

    def __init__(self, irp: IRP, filler: Filler, flags: int) -> None:
        self.irp = irp
        self.filler = filler
        self.flags = flags


class FirstData:
    """The token of the data of WskConnectEx; `irp` until that is complete."""

    __slots__ = ("irp",)

    def __init__(self, irp: IRP) -> None:
        self.irp: IRP | None = irp

    def abandoning(self, cancel: Callable[[object], bool]) -> Callable[[IRP], bool]:
        """`cancel` for the connect, after which the data is nobody's."""

        def withdraw(irp: IRP) -> bool:
            if not cancel(irp):
                return False
            self.irp = None
            return True

        return withdraw


def never(irp: IRP) -> bool:
    """The `cancel` of a request that has gone too far to be withdrawn."""
    return False


def inspect_id_of(ticket: int) -> WSK_INSPECT_ID:
    """How a client sees what the transport inspected under `ticket`."""
    return WSK_INSPECT_ID(ticket >> 32, ticket & 0xFFFFFFFF)
