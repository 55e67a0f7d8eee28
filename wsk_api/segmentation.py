# SPDX-License-Identifier: MIT
"""UDP_SEND_MSG_SIZE and UDP_RECV_MAX_COALESCED_SIZE: many datagrams in one buffer (wsk.md 4.4).

Sending cuts a buffer into datagrams of one size, the last one may be shorter.  Receiving joins
datagrams that follow one another, of one flow and equal in size, up to and including the first
smaller one.
"""

from __future__ import annotations

from typing import Final

from stack.transport.datagram_seam import Received

MOST_PIECES: Final = 1024
"""Datagrams that one send may become."""


def cut(pieces: list[memoryview], total: int, size: int) -> list[list[memoryview]]:
    """The views of each datagram of `size` octets, out of `total` ones."""
    whole = pieces[0] if len(pieces) == 1 else memoryview(b"".join(pieces))
    return [[whole[at : at + size]] for at in range(0, total, size)]


def join(batch: list[Received], most: int) -> list[Received]:
    """`batch` with what belongs together joined, up to `most` octets each."""
    joined: list[Received] = []
    at = 0
    while at < len(batch):
        end = _end(batch, at, most)
        joined.append(batch[at] if end == at + 1 else _merge(batch[at:end]))
        at = end
    return joined


def _end(batch: list[Received], start: int, most: int) -> int:
    """The index behind the last datagram that joins the one at `start`."""
    first = batch[start]
    size = len(first.view)
    total = size
    end = start + 1
    while size and end < len(batch) and _same_flow(first, batch[end]):
        length = len(batch[end].view)
        if length > size or not length or total + length > most:
            break
        total += length
        end += 1
        if length < size:
            break
    return end


def _same_flow(a: Received, b: Received) -> bool:
    return (a.address, a.port, a.local, a.scope, a.group, a.tos, a.ttl) == (
        b.address,
        b.port,
        b.local,
        b.scope,
        b.group,
        b.tos,
        b.ttl,
    )


def _merge(parts: list[Received]) -> Received:
    first = parts[0]
    view = memoryview(b"".join(part.view for part in parts))
    charge = sum(part.charge for part in parts)
    one = Received(view, first.address, first.port, first.local, first.scope, first.group, charge)
    one.tos, one.ttl = first.tos, first.ttl
    one.count = len(parts)
    one.segment = len(first.view)
    return one
