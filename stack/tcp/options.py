# SPDX-License-Identifier: MIT
"""TCP: what two SYNs agree on (RFC 9293 3.2, 3.7.1; RFC 7323 2, 3; RFC 2018 2; RFC 7413 4.1.1),
and sizes.

The MSS we announce comes from the interface and is not reduced for options (MUST-67); the one
we use is the peer's or the path's, whichever is smaller, less the options every segment carries
(MUST-16).  Called by `handshake`, `listener` and `output`.
"""

from __future__ import annotations

from typing import Final

from stack.tcp import negotiation, tuning, usertimeout
from stack.tcp.accecn import AccEcn
from stack.tcp.names import HEADER
from stack.tcp.tcb import Tcb
from stack.wire import tcp
from stack.wire.tcp import AE, CWR, ECE, Segment

_MAX_FIELD: Final = 0xFFFF
_MIN_MSS: Final = 48
"""A smaller peer MSS would be an attack on the sender (compare Linux's TCP_MIN_MSS)."""
_SACK_BLOCKS: Final = 4
_SACK_BLOCKS_WITH_TS: Final = 3
_SACK_BLOCK: Final = 8
_SACK_FRAME: Final = 4  # the option's kind and length, and two NOPs before them
TIMESTAMPS: Final = 12
"""Octets that timestamps take in every segment."""


def announced_mss(tcb: Tcb) -> int:
    """The MSS option's value: what we can receive in one segment."""
    path, clamp = tcb.path, tcb.protocol.config.tcp_mss_clamp
    size = path.nic.mtu - path.overhead - HEADER
    return size if size < clamp else clamp


def window_shift(limit: int) -> int:
    """The smallest shift with which `limit` fits the window field (RFC 7323 2.3)."""
    return min(max(limit.bit_length() - 16, 0), 14)


def for_syn(tcb: Tcb, answer: bool) -> bytes:
    """The options of our SYN; in an `answer` only what the peer offered is accepted."""
    config, rcv = tcb.protocol.config, tcb.rcv
    sack = tcb.sack_ok if answer else config.tcp_sack
    stamps = tcb.ts_ok if answer else tcb.may_stamp
    scale = rcv.wscale or (not answer and config.tcp_window_scaling)
    if sack and stamps and scale:
        extra = tcp.usual_options(rcv.mss, timestamp(tcb), tcb.ts_recent, rcv.wscale)
    else:
        parts = [tcp.mss_option(rcv.mss)]
        if sack:
            parts.append(tcp.SACK_PERMITTED)
        if stamps:
            parts.append(tcp.timestamps_option(timestamp(tcb), tcb.ts_recent)[2:])
        if sack != stamps:
            parts.append(bytes((tcp.OPT_NOP, tcp.OPT_NOP)))
        if scale:
            parts.append(tcp.wscale_option(rcv.wscale))
        extra = b"".join(parts)
    if tcb.fast_open is not None:
        extra += tcb.fast_open.option
    return extra + _extras(tcb, len(extra), True) if tcb.extras else extra


def _extras(tcb: Tcb, used: int, always: bool) -> bytes:
    """Options for what room is left in a SYN or a pure ACK; `always`: though nothing is new."""
    extra = b""
    if tcb.uto is not None and (always or tcb.uto.due):
        tcb.uto.due = used + 4 > tcp.MAX_OPTIONS
        if not tcb.uto.due:
            extra = usertimeout.option(tcb)
    if isinstance(tcb.ecn, AccEcn):
        extra += tcb.ecn.option(tcp.MAX_OPTIONS - used - len(extra))
    return extra


def room_for_blocks(tcb: Tcb, size: int) -> int:
    """How many SACK blocks fit beside `size` octets of payload.

    Into a full segment none does; an ACK that was owed then stays owed, and the pure ACK at the
    end of the pass carries them.
    """
    most = _SACK_BLOCKS_WITH_TS if tcb.ts_ok else _SACK_BLOCKS
    return min(most, max(tcb.snd.mss - size - _SACK_FRAME, 0) // _SACK_BLOCK)


def of_segment(tcb: Tcb, blocks: int, size: int) -> bytes:
    """The options of a segment that is not of the everyday shape, and no SYN."""
    extra = b""
    if tcb.ts_ok:
        extra = tcp.timestamps_option(timestamp(tcb), tcb.ts_recent)
    if blocks:
        extra += tcp.sack_option(_blocks(tcb, blocks))
    if tcb.extras and not size:
        extra += _extras(tcb, len(extra), False)
    return extra


def _blocks(tcb: Tcb, count: int) -> list[tuple[int, int]]:
    """SACK blocks: first what has arrived twice (RFC 2883), then what is held (RFC 2018 4)."""
    rcv = tcb.rcv
    found = []
    if rcv.dsack is not None:
        found.append(rcv.dsack)
        rcv.dsack = None
    base, now = rcv.nxt, tcb.recvq.next
    for left, right in tcb.recvq.blocks(count - len(found)):
        found.append(((base + left - now) & 0xFFFFFFFF, (base + right - now) & 0xFFFFFFFF))
    return found


def prepare(tcb: Tcb) -> None:
    """Before the first SYN: what we are going to offer."""
    config = tcb.protocol.config
    rcv = tcb.rcv
    rcv.mss = announced_mss(tcb)
    rcv.most = tuning.most(config)
    if rcv.limit > rcv.most:
        rcv.limit = rcv.most
    if tcb.wishes is not None and tcb.wishes.buffer:
        rcv.limit = rcv.most = tcb.wishes.buffer
    rcv.wscale = window_shift(rcv.most) if config.tcp_window_scaling else 0
    tcb.snd.peer_mss = tcb.protocol.layer_of(tcb).default_mss
    if config.tcp_user_timeout_option:
        usertimeout.enable(tcb, True)


def learn(tcb: Tcb, seg: Segment) -> None:
    """The peer's SYN arrived: settle every option."""
    config = tcb.protocol.config
    snd, rcv = tcb.snd, tcb.rcv
    if seg.mss:
        snd.peer_mss = seg.mss if seg.mss > _MIN_MSS else _MIN_MSS
    if seg.wscale >= 0 and config.tcp_window_scaling:
        snd.wscale = seg.wscale
    else:
        snd.wscale = 0
        rcv.wscale = 0
    # What the window field cannot say need not be held ready.
    if rcv.most > _MAX_FIELD << rcv.wscale:
        rcv.most = _MAX_FIELD << rcv.wscale
    if rcv.limit > rcv.most:
        rcv.limit = rcv.most
    tcb.sack_ok = seg.sack_permitted and config.tcp_sack
    tcb.rack_on = tcb.sack_ok and config.tcp_rack
    tcb.ecn = None
    if seg.flags & (AE | CWR | ECE):
        negotiation.settle(tcb, seg)
    if seg.uto and tcb.uto is not None:
        usertimeout.heard(tcb, tcb.uto, seg.uto)
    tcb.ts_ok = seg.has_ts and tcb.may_stamp
    if tcb.ts_ok:
        tcb.ts_recent = seg.ts_val
        tcb.ts_recent_at = seg.pkt.arrived
    update_mss(tcb)


def update_mss(tcb: Tcb) -> None:
    """SND.MSS from the peer's MSS and the path's room (MUST-16), or what is proven of it."""
    snd, path = tcb.snd, tcb.path
    size = path.room - HEADER
    if size > snd.peer_mss:
        size = snd.peer_mss
    if size > tcb.protocol.config.tcp_mss_clamp:
        size = tcb.protocol.config.tcp_mss_clamp
    if tcb.search is not None:
        headers = path.overhead + HEADER
        size = tcb.search.settle(size + headers) - headers
    if tcb.ts_ok:
        size -= TIMESTAMPS
    snd.path_mtu = path.mtu
    if size != snd.mss:
        if snd.mss and tcb.cc.window:
            tcb.cc.resize(size)
        snd.mss = size
        snd.mss_at = snd.nxt_at


def timestamp(tcb: Tcb) -> int:
    """TSval now: a millisecond clock with this connection's own offset (RFC 7323 5.4)."""
    return tcb.stamp(tcb.protocol.env.now)
