# SPDX-License-Identifier: MIT
"""Received datagrams as the list that a WskReceiveFromEvent gets (wsk.md 3.4, 4.9).

Every buffer is a view of the frame the datagram came in.  Used by `datagram`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stack.transport.datagram_seam import Received
from wsk_api import ancillary
from wsk_api.types import MDL, SOCKADDR, WSK_BUF, WSK_DATAGRAM_INDICATION

Shown = Callable[[bytes, int, int], SOCKADDR]
"""The SOCKADDR of an address, port and scope."""


def same_group(batch: list[Received], start: int) -> list[Received]:
    """The flags of an event hold for its whole list: unicast, broadcast or multicast."""
    end = start + 1
    while end < len(batch) and batch[end].group == batch[start].group:
        end += 1
    return batch[start:end] if start or end < len(batch) else batch


def listed(
    group: list[Received], shown: Shown, settings: Mapping[tuple[int, int], Any], joined: bool
) -> tuple[WSK_DATAGRAM_INDICATION, int]:
    """`group`, which is not empty, as a list, and what it is charged.

    With `joined` the datagrams of a super-frame are one indication; otherwise each has its own,
    and they share the source and the ancillary data.
    """
    head: WSK_DATAGRAM_INDICATION | None = None
    charge = 0
    before: tuple[bytes, int, int] | None = None
    for datagram in reversed(group):
        source = (datagram.address, datagram.port, datagram.scope)
        if source != before:
            remote, before = shown(*source), source
        view = datagram.view
        charge += datagram.charge
        several = datagram.count > 1
        octets = ancillary.packed(datagram, settings, several and joined) if settings else b""
        if several and not joined:
            head = _each(view, datagram.segment, remote, octets, head)
            continue
        node = WSK_DATAGRAM_INDICATION(WSK_BUF(MDL(view), 0, len(view)), remote)
        if octets:
            node.ControlInfo = octets
            node.ControlInfoLength = len(octets)
        node.Next = head
        head = node
    assert head is not None
    return head, charge


def _each(
    view: memoryview,
    size: int,
    remote: SOCKADDR,
    octets: bytes,
    head: WSK_DATAGRAM_INDICATION | None,
) -> WSK_DATAGRAM_INDICATION | None:
    """The datagrams of a super-frame in front of the list that `head` begins."""
    end = len(view)
    for at in range((end - 1) // size * size, -1, -size):
        node = WSK_DATAGRAM_INDICATION(WSK_BUF(MDL(view[at:end]), 0, end - at), remote)
        if octets:
            node.ControlInfo = octets
            node.ControlInfoLength = len(octets)
        node.Next = head
        head = node
        end = at
    return head
