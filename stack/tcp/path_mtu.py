# SPDX-License-Identifier: MIT
"""TCP: when a path MTU is smaller than thought (RFC 1191 6.5, RFC 8201 5.4; RFC 5927 7).

A report is acted upon at once while segments of the size in question have yet to prove themselves.
Once one of them was acknowledged a report to the contrary may be forged: it waits until the
quoted data has timed out, and is forgotten if that was acknowledged instead (RFC 5927 7.2, with
a MAXSEGRTO of 1).  A report that names no less than what we have sent can only be forged.

A black hole (RFC 4821 7.7) is a path that takes small packets and swallows large ones without a
word: after some time-outs smaller ones are tried, and `mtu_probe` finds the way back up if it is
allowed to.  That the quote is in flight was checked by `protocol`, which calls this, as do
`timeouts` and `acking`.
"""

from __future__ import annotations

from typing import Final

from stack.tcp import mtu_probe, options
from stack.tcp.names import HEADER, SENDING
from stack.tcp.tcb import Tcb

_SUSPECT: Final = {3: 1280, 5: 576}
"""After so many time-outs in a row, try this path MTU."""


def reported(tcb: Tcb, at: int, mtu: int) -> None:
    """A router says that the segment at offset `at` does not fit through `mtu`."""
    search, snd = tcb.search, tcb.snd
    if search is not None and mtu_probe.too_big(tcb, search, at, mtu):
        return
    if mtu >= _packet(tcb, snd.mss):
        return
    if snd.proven and mtu < _packet(tcb, snd.proven):
        snd.doubt, snd.doubt_at = mtu, at
        return
    _shrank(tcb, mtu)


def timed_out(tcb: Tcb) -> None:
    """The retransmission timer expired: was somebody right, or is it worse?"""
    snd = tcb.snd
    config = tcb.protocol.config
    if snd.doubt:
        mtu, snd.doubt = snd.doubt, 0
        if snd.una_at <= snd.doubt_at:
            _shrank(tcb, mtu)
    if tcb.search is not None:
        mtu_probe.timed_out(tcb, tcb.search)
    if tcb.retries not in _SUSPECT or tcb.state not in SENDING or snd.flight < snd.mss:
        return
    if config.tcp_mtu_probing != mtu_probe.OFF:
        if mtu_probe.black_hole(tcb, tcb.retries > min(_SUSPECT)):
            snd.proven = 0
            tcb.board.mark_all_lost()
    elif config.tcp_black_hole_detection and _SUSPECT[tcb.retries] < tcb.path.mtu:
        # For all connections to this destination; forgotten as any report is.
        _shrank(tcb, _SUSPECT[tcb.retries])


def prove(tcb: Tcb, acked: int) -> None:
    """`acked` octets at SND.UNA were acknowledged: how large a segment has arrived?"""
    snd = tcb.snd
    first = tcb.board.first()
    if first is not None and first.start >= snd.mss_at:
        size = min(first.end - first.start, acked, snd.mss)
        if size > snd.proven:
            snd.proven = size


def _shrank(tcb: Tcb, mtu: int) -> None:
    """RFC 1191 6.5: send again in smaller pieces; it was not congestion."""
    before = tcb.path.mtu
    tcb.protocol.pmtu.lower(tcb.path, mtu)
    if tcb.path.mtu < before:
        tcb.snd.proven = 0
        tcb.board.mark_all_lost()
        tcb.protocol.work.mark(tcb)


def _packet(tcb: Tcb, payload: int) -> int:
    """The IP packet of a segment with so much payload."""
    size = payload + HEADER + tcb.path.overhead
    return size + options.TIMESTAMPS if tcb.ts_ok else size
