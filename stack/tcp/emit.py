# SPDX-License-Identifier: MIT
"""TCP output: building one segment and handing it to IP (RFC 9293 3.1, 3.8.6; RFC 7323 2.3, 3).

A super-segment is one too: the device, or `link/offload`, cuts it at `head.gso_size` octets.
Called by `output` for everything a live connection sends.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from stack.base.units import View
from stack.tcp import options
from stack.tcp.names import ACK_NONE, HEADER, PROTO
from stack.tcp.tcb import Receive, Tcb
from stack.wire import tcp
from stack.wire.tcp import ACK, SYN, URG

_pack: Final = tcp.HEADER.pack_into
_pack_ts: Final = Struct("!HHIIHHHHIII").pack_into
_TS_LAYOUT: Final = 0x0101080A
_CHECKSUM_AT: Final = tcp.CHECKSUM_AT


def emit(tcb: Tcb, at: int, views: Sequence[View], size: int, flags: int, ect: int = 0) -> None:
    """Build and send one segment: offsets from `at` on, `size` octets of payload, `ect` as ECN
    field of the IP header.

    Every segment carries the latest acknowledgment and window, so an ACK that was owed is
    paid by it.
    """
    snd, rcv, protocol = tcb.snd, tcb.rcv, tcb.protocol
    head = protocol.head
    buf = head.buf
    end = head.end
    field = _window_field(rcv, tcb.recvq.size, flags & SYN != 0)
    urgent = 0
    if snd.up_at > at and snd.up_at > snd.una_at:
        flags |= URG
        urgent = min(snd.up_at - at, 0xFFFF)
    if tcb.ecn is not None and flags & (ACK | SYN) == ACK:
        flags |= tcb.ecn.flags()
    path = tcb.path
    number = (snd.iss + at) & 0xFFFFFFFF
    ack = rcv.nxt if flags & ACK else 0
    reordered = (tcb.recvq.ahead or rcv.dsack is not None) and tcb.sack_ok
    blocks = options.room_for_blocks(tcb, size) if reordered else 0
    if tcb.ts_ok and not flags & SYN and not blocks and not tcb.extras:
        start = head.begin(32, _CHECKSUM_AT)
        length = size + 32
        stamp = tcb.stamp(protocol.env.now)
        check = (path.address_sum + PROTO + length) % 0xFFFF
        _pack_ts(
            buf,
            start,
            tcb.lport,
            tcb.rport,
            number,
            ack,
            0x8000 | flags,
            field,
            check,
            urgent,
            _TS_LAYOUT,
            stamp,
            tcb.ts_recent,
        )
    else:
        head.reset()
        if flags & SYN:
            head.push(options.for_syn(tcb, answer=flags & ACK != 0))
        else:
            head.push(options.of_segment(tcb, blocks, size))
        start = head.start - HEADER
        length = size + end - start
        check = (path.address_sum + PROTO + length) % 0xFFFF
        _pack(
            buf,
            start,
            tcb.lport,
            tcb.rport,
            number,
            ack,
            (end - start) << 10 | flags,
            field,
            check,
            urgent,
        )
        head.start = head.l4 = start
        head.csum = _CHECKSUM_AT
    if size > snd.mss:
        head.gso_size = snd.mss
        protocol.counters.out_segs += -(-size // snd.mss)
    else:
        protocol.counters.out_segs += 1
    if tcb.estats is not None:
        tcb.estats.sent(at, size, snd.mss, rcv.wnd)
    if flags & ACK:
        rcv.acked = rcv.nxt
        rcv.owed = 0
        if blocks or not reordered:
            tcb.ack = ACK_NONE
    path.send(head, views, length, PROTO, tcb.tos | ect, tcb.hops, tcb.label)


def _window_field(rcv: Receive, queued: int, syn: bool) -> int:
    """The window field, and what it promises (RFC 9293 3.8.6.2.2; RFC 7323 2.3).

    `queued` octets wait for the user.  What was promised is never taken back (SHLD-14), which with
    scaling means rounding a promise up; the promise grows only by worthwhile steps (MUST-39).
    """
    shift = 0 if syn else rcv.wscale
    wnd = rcv.wnd
    field = -(-wnd >> shift)
    free = rcv.limit - queued - rcv.ungranted
    growth = free - wnd
    if (growth >= rcv.mss or growth >= rcv.limit >> 1) and free >> shift > field:
        field = free >> shift
    if field > 0xFFFF:
        field = 0xFFFF
    rcv.wnd = field << shift
    return field
