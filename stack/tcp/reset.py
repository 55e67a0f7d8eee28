# SPDX-License-Identifier: MIT
"""TCP: resets (RFC 9293 3.5.2-3) and other segments that need no send queue.

These go out at once: they answer a segment that has no connection, or end one that will not
see another output phase.
"""

from __future__ import annotations

from typing import Final

from stack.base.head import Head
from stack.ip.path import Path
from stack.tcp import options
from stack.tcp.names import HEADER, PROTO
from stack.tcp.tcb import Tcb
from stack.wire import tcp
from stack.wire.tcp import ACK, RST, Segment

_pack: Final = tcp.HEADER.pack_into


class Bare:
    """Sends segments without data for a protocol."""

    def __init__(self) -> None:
        self._head = Head()

    def send(
        self,
        path: Path,
        lport: int,
        rport: int,
        number: int,
        ack: int,
        flags: int,
        window: int = 0,
        extra: bytes = b"",
        label: int = 0,
        tos: int = 0,
        hops: int = 0,
    ) -> None:
        """One segment; `extra` are options, padded to four octets by the caller."""
        head = self._head
        head.reset()
        head.push(extra)
        size = HEADER + len(extra)
        start = head.start - HEADER
        check = path.pseudo(PROTO, size)
        _pack(head.buf, start, lport, rport, number, ack, size << 10 | flags, window, check, 0)
        head.start = head.l4 = start
        head.csum = tcp.CHECKSUM_AT
        path.send(head, (), size, PROTO, tos, hops, label)


def refuse(bare: Bare, path: Path | None, seg: Segment) -> bool:
    """Answer a segment for which there is no connection (RFC 9293 3.10.7.1).

    Returns False if it was a reset itself, which is never answered.
    """
    if seg.flags & RST:
        return False
    if path is None:
        return True
    frame, l4 = seg.pkt.frame, seg.pkt.l4
    rport = frame[l4] << 8 | frame[l4 + 1]
    lport = frame[l4 + 2] << 8 | frame[l4 + 3]
    if seg.flags & ACK:
        bare.send(path, lport, rport, seg.ack, 0, RST)
    else:
        ack = (seg.seq + seg.space) & 0xFFFFFFFF
        bare.send(path, lport, rport, 0, ack, RST | ACK)
    return True


def abort(tcb: Tcb) -> None:
    """<SEQ=SND.NXT><CTL=RST,ACK> (RFC 9293 3.10.5), with timestamps if agreed (RFC 7323 3.2).

    Behind an unaccepted window probe SND.NXT is not what the peer expects next, and a reset
    must be exactly that (RFC 5961 3.2).
    """
    extra = b""
    if tcb.ts_ok:
        extra = tcp.timestamps_option(options.timestamp(tcb), tcb.ts_recent)
    protocol = tcb.protocol
    protocol.counters.out_segs += 1
    protocol.counters.out_rsts += 1
    number = tcb.snd.number(tcb.snd.acceptable_at)
    protocol.bare.send(
        tcb.path,
        tcb.lport,
        tcb.rport,
        number,
        tcb.rcv.nxt,
        RST | ACK,
        0,
        extra,
        tcb.label,
        tcb.tos,
        tcb.hops,
    )
