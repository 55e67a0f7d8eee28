# SPDX-License-Identifier: MIT
"""Many datagrams in one piece: UDP_SEND_MSG_SIZE, UDP_RECV_MAX_COALESCED_SIZE (wsk.md 4.4), and
the lists of WskSendMessages.

Sending, datagrams of one size that follow one another are a `Run`, the last one of which may be
shorter: a buffer that is to be cut, or so many elements of a list.  The transport makes of it the
fewest frames it can.  Receiving joins datagrams that follow one another, of one flow and equal in
size, up to and including the first smaller one; what came in one frame is one piece already, and
may join what came before it.
"""

from __future__ import annotations

from typing import Final

from stack.transport.datagram_seam import Received
from wsk_api.buffers import views
from wsk_api.types import WSK_BUF_LIST

MOST_PIECES: Final = 1024
"""Datagrams that one send may become."""
_MOST_MESSAGES: Final = 65_536
"""Elements of one WSK_BUF_LIST; a list that is longer may be a ring."""


class Run:
    """Datagrams that follow one another.

    views     all their data
    total     octets of it
    segment   octets of each but the last, which may have less
    """

    __slots__ = ("segment", "total", "views")

    def __init__(self, views: list[memoryview], total: int, segment: int) -> None:
        self.views = views
        self.total = total
        self.segment = segment


def runs(node: WSK_BUF_LIST | None) -> list[Run] | None:
    """The datagrams of a list, in order; None if it is empty, endless, or a buffer describes
    nothing."""
    found: list[Run] = []
    pieces: list[memoryview] = []
    begun = False
    total = segment = 0
    room = 0  # what the next datagram may have to belong to this run; 0: nothing does
    for _ in range(_MOST_MESSAGES):
        if node is None:
            break
        buffer = node.Buffer
        node = node.Next
        length = buffer.Length
        mdl = buffer.Mdl
        if mdl is not None and not buffer.Offset and 0 < room == length == len(mdl.view):
            # What nearly all of a list are: nothing below is to slow them down.
            pieces.append(mdl.view)
            total += length
            continue
        described = views(buffer)
        if described is None:
            return None
        if not 0 < length <= room:
            if begun:
                found.append(Run(pieces, total, segment))
            pieces, total, segment, room = [], 0, length, length
            begun = True
        elif length < room:
            room = 0
        total += length
        pieces += described
    if node is not None or not begun:
        return None
    found.append(Run(pieces, total, segment))
    return found


def join(batch: list[Received], most: int) -> list[Received]:
    """`batch` with what belongs together joined, up to `most` octets each."""
    pieces: list[Received] = []
    for one in batch:
        pieces += _within(one, most) if one.count > 1 else (one,)
    joined: list[Received] = []
    at = 0
    while at < len(pieces):
        end = _end(pieces, at, most)
        joined.append(pieces[at] if end == at + 1 else _merge(pieces[at:end]))
        at = end
    return joined


def _within(one: Received, most: int) -> list[Received]:
    """A super-frame in pieces of up to `most` octets."""
    if len(one.view) <= most:
        return [one]
    step = max(most // one.segment, 1)
    count = one.count
    return [one.part(at, min(at + step, count)) for at in range(0, count, step)]


def _end(pieces: list[Received], start: int, most: int) -> int:
    """The index behind the last piece that joins the one at `start`."""
    first = pieces[start]
    size = first.segment or len(first.view)
    total = len(first.view)
    end = start + 1
    # A datagram that is smaller than the others is the last.  So is a super-frame: it is joined to
    # what went before it alone, but two are not copied together.
    while not pieces[end - 1].segment and size and not total % size and end < len(pieces):
        one = pieces[end]
        length = len(one.view)
        fits = one.segment == size if one.segment else 0 < length <= size
        if not fits or total + length > most or not _same_flow(first, one):
            break
        total += length
        end += 1
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
    return Received(
        memoryview(b"".join(part.view for part in parts)),
        first.address,
        first.port,
        first.local,
        first.scope,
        first.group,
        sum(part.charge for part in parts),
        first.tos,
        first.ttl,
        sum(part.count for part in parts),
        first.segment or len(first.view),
    )
