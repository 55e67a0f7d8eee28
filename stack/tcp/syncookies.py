# SPDX-License-Identifier: MIT
"""TCP: SYN cookies (RFC 4987 3.6): a SYN-ACK that remembers for us.

When a listener has as many connections in handshake as it may, it answers a SYN without keeping
anything: the initial sequence number it sends is a keyed hash of the flow, the peer's sequence
number and the minute, with the peer's MSS, rounded down, in three bits of it.  An ACK that brings
the number back proves that its sender is where he says.  Window scale and SACK come back in the
low bits of the timestamp, for a peer that has timestamps; without them they are lost.

Called by `listener`.  Not done: ECN over a cookie.
"""

from __future__ import annotations

from hashlib import blake2s
from typing import Final

from stack.base import seq
from stack.base.seam import Env
from stack.base.units import SECOND
from stack.tcp import options
from stack.tcp.tcb import Tcb
from stack.wire import tcp
from stack.wire.tcp import Segment

_PERIOD: Final = 64 * SECOND
VALID: Final = 2 * _PERIOD
"""An ACK that comes later than this after the last cookie need not be looked at."""
_MSS: Final = (48, 216, 536, 1220, 1300, 1440, 1460, 8960)
_COUNT_BITS: Final = 5
_HASH_MASK: Final = (1 << 24) - 1
_NO_SCALE: Final = 15
_STAMP_BITS: Final = 6
_SACK: Final = 1 << 4


class SynCookies:
    """The cookies of one stack."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self._key = env.random(32)

    def make(self, key: bytes, seg: Segment, default_mss: int) -> int:
        """The initial sequence number that answers the SYN `seg` of the flow `key`."""
        mss = seg.mss or default_mss
        index = max(i for i, size in enumerate(_MSS) if size <= max(mss, _MSS[0]))
        return self._number(key, seg.seq, index, self._env.now // _PERIOD)

    def check(self, key: bytes, seg: Segment) -> int:
        """The peer's MSS, if the ACK `seg` brings back a cookie of ours; else 0."""
        number = seq.add(seg.ack, -1)
        irs = seq.add(seg.seq, -1)
        index = number >> 24 & 7
        now = self._env.now // _PERIOD
        for count in (now, now - 1):
            if self._number(key, irs, index, count) == number:
                return _MSS[index]
        return 0

    def _number(self, key: bytes, irs: int, index: int, count: int) -> int:
        text = b"%b%d %d %d" % (key, irs, index, count)
        digest = blake2s(text, key=self._key, digest_size=3).digest()
        top = (count & (1 << _COUNT_BITS) - 1) << 27 | index << 24
        return top | int.from_bytes(digest, "big") & _HASH_MASK


def answer_options(tcb: Tcb, seg: Segment) -> bytes:
    """The options of a SYN-ACK with a cookie; what must be remembered is in the timestamp.

    `tcb` is there to say what we would offer, and is forgotten afterwards.
    """
    config = tcb.protocol.config
    parts = [tcp.mss_option(tcb.rcv.mss)]
    if not (seg.has_ts and config.tcp_timestamps):
        return parts[0]
    scale = seg.wscale if seg.wscale >= 0 and config.tcp_window_scaling else _NO_SCALE
    memory = min(scale, _NO_SCALE)
    if seg.sack_permitted and config.tcp_sack:
        memory |= _SACK
        parts.append(tcp.SACK_PERMITTED)
    else:
        parts.append(bytes((tcp.OPT_NOP, tcp.OPT_NOP)))
    # Not later than now, so that time does not run backwards for the peer.
    whole = 1 << _STAMP_BITS
    stamp = (options.timestamp(tcb) - whole & ~(whole - 1) | memory) & 0xFFFFFFFF
    parts.append(tcp.timestamps_option(stamp, seg.ts_val)[2:])
    if scale != _NO_SCALE:
        parts.append(tcp.wscale_option(tcb.rcv.wscale))
    return b"".join(parts)


def restore(tcb: Tcb, seg: Segment, mss: int) -> None:
    """Make `tcb` what it would have been: SYN-RECEIVED, our SYN-ACK sent, `seg` about to be
    processed as the third segment of the handshake."""
    snd, rcv = tcb.snd, tcb.rcv
    snd.iss = snd.una = snd.nxt = seq.add(seg.ack, -1)
    rcv.irs = seq.add(seg.seq, -1)
    rcv.nxt = rcv.acked = seg.seq
    seg.mss = mss
    seg.wscale = -1
    if seg.has_ts and tcb.protocol.config.tcp_timestamps:
        memory = seg.ts_ecr
        seg.sack_permitted = bool(memory & _SACK)
        scale = memory & _NO_SCALE
        seg.wscale = scale if scale != _NO_SCALE else -1
    options.learn(tcb, seg)
    tcb.ecn = None
    snd.wnd = snd.max_wnd = seg.wnd
    rcv.wnd = min(rcv.limit, 0xFFFF)
    now = tcb.protocol.env.now
    tcb.board.add(0, 1, now)
    snd.sent(1)
    # When it was sent is not known: as with something sent twice, only a timestamp can tell.
    tcb.board.mark_all_lost()
    span = tcb.board.next_lost()
    assert span is not None
    tcb.board.resend(span, 1, now)
    tcb.progress_at = now
