# SPDX-License-Identifier: MIT
"""TCP output: whether, what and how much to send (RFC 9293 3.7.4, 3.8.4, 3.8.6; RFC 5681).

The only maker of segments for live connections, called once per turn for each connection that
was marked.  Read it top to bottom as questions:

    is there a handshake to drive?      what is lost?        may it go again?
    is there new data, or a FIN?        how much of it?      is an ACK still owed?

One pass may send many super-segments; each is one header and views of the user's memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Final

from stack.base.units import View
from stack.link.seam import LARGEST
from stack.tcp import chart, mtu_probe, negotiation, options, pacing, timeouts
from stack.tcp.ecn import ECT_0
from stack.tcp.emit import emit
from stack.tcp.fastopen import Offer
from stack.tcp.keepalive import GARBAGE, KeepAlive
from stack.tcp.loss import frto, undo
from stack.tcp.loss.scoreboard import Span
from stack.tcp.mtu_probe import MtuSearch
from stack.tcp.names import (
    ACK_NOW,
    CLOSE_WAIT,
    CLOSED,
    HEADER,
    LAST_ACK,
    SENDING,
    SYN_RECEIVED,
    SYN_SENT,
)
from stack.tcp.tcb import Tcb
from stack.wire import tcp
from stack.wire.tcp import ACK, CWR, FIN, PSH, SYN

_pack_number: Final = Struct("!I").pack_into
_HEADERS: Final = 60 + 60
"""IP's and TCP's at their longest, which a super-frame's payload leaves room for."""
_LARGEST: Final = LARGEST - _HEADERS


def output(tcb: Tcb) -> None:
    """Send what is to be sent now."""
    state = tcb.state
    if state == CLOSED:
        return
    path = tcb.path
    if (not path.valid or path.mtu != tcb.snd.path_mtu) and not _find_path(tcb):
        timeouts.keep(tcb)
        return
    if state in SENDING:
        board = tcb.board
        if board.rate is not None:
            board.rate.supply(tcb)
        if tcb.frto >= frto.PROBING:
            _send_two_new(tcb)
        elif board.lost:
            _resend(tcb)
        if not board.lost:
            _send_new(tcb)
    elif state in (SYN_SENT, SYN_RECEIVED):
        _send_syn(tcb)
        if tcb.early is not None and not tcb.board.lost:
            _send_new(tcb)  # RFC 7413 4.2.2: the server need not wait for the handshake
    tcb.urge = False
    if tcb.ack == ACK_NOW:
        emit(tcb, tcb.snd.acceptable_at, (), 0, ACK)
    if tcb.keepalive is not None and tcb.keepalive.due:
        _send_keepalive(tcb, tcb.keepalive)
    if tcb.estats is not None:
        tcb.estats.settled(tcb)
    timeouts.keep(tcb)


def _find_path(tcb: Tcb) -> bool:
    """The route or its MTU changed; the local address stays (MUST-45)."""
    if not tcb.path.valid:
        path = tcb.protocol.layer_of(tcb).path(tcb.remote, tcb.local, tcb.path.nic)
        if path is None:
            return False
        tcb.path = path
    options.update_mss(tcb)
    return True


# The handshake.


def _send_syn(tcb: Tcb) -> None:
    """Our SYN, or SYN-ACK, if it has not left yet or is to be sent again."""
    snd = tcb.snd
    span = tcb.board.next_lost() if tcb.board.lost else None
    if snd.nxt_at and (span is None or span.start):
        return
    now = tcb.protocol.env.now
    flags = SYN if tcb.state == SYN_SENT else SYN | ACK
    views: Sequence[View] = ()
    size = 0
    if span is None:
        snd.sent(1)
        tcb.board.add(0, 1, now)
        tcb.progress_at = now
        if tcb.fast_open is not None and tcb.fast_open.mss:
            size = _early_size(tcb, tcb.fast_open)
    else:
        tcb.board.resend(span, 1, now)
        tcb.protocol.counters.retrans_segs += 1
        if tcb.fast_open is not None and tcb.state == SYN_SENT:
            tcb.fast_open.withdraw()
    if size:
        views = tcb.sendq.take(1, size)
        tcb.board.add(1, 1 + size, now)
        snd.sent(size)
        tcb.last_sent = now
    emit(tcb, 0, views, size, negotiation.syn_flags(tcb, flags))


def _early_size(tcb: Tcb, offer: Offer) -> int:
    """Octets of data that go with the SYN (RFC 7413 4.2.1)."""
    snd = tcb.snd
    snd.mss = min(offer.mss, tcb.path.room - HEADER)  # until the SYN-ACK says it anew
    room = min(offer.room, snd.mss - tcp.MAX_OPTIONS)
    offer.carried = max(min(len(tcb.sendq), room), 0)
    return offer.carried


# What was lost.


def _resend(tcb: Tcb) -> None:
    """Send lost spans again, first things first, as far as the windows allow."""
    board, snd = tcb.board, tcb.snd
    while board.lost:
        span = board.next_lost()
        if span is None:
            return
        size = _resend_size(tcb, span)
        if size <= 0:
            tcb.cwnd_limited = True
            if board.rate is not None:
                board.rate.full()
            return
        if tcb.pacer is not None and not tcb.urge and not tcb.probe and tcb.pacer.holds(tcb):
            return
        now = tcb.protocol.env.now
        start = span.start
        board.resend(span, size, now)
        tcb.probe = tcb.urge = False
        tcb.protocol.counters.retrans_segs += -(-size // snd.mss)
        undo.sent_again(tcb, size)
        tcb.resent += size
        if tcb.search is not None:
            mtu_probe.sent_again(tcb, tcb.search, start)
        if tcb.prr is not None:
            tcb.prr.sent(size)
        tcb.last_sent = now
        if start == snd.una_at and tcb.rack_on:
            tcb.rexmit.disarm()  # it is this transmission that is waited for now
        _send_span(tcb, start, start + size)
        if tcb.pacer is not None:
            tcb.pacer.left(tcb, size)


def _resend_size(tcb: Tcb, span: Span) -> int:
    """How much of a lost span may go now; 0 if nothing."""
    snd = tcb.snd
    mss = snd.mss
    pipe = tcb.pipe
    room = tcb.room
    size = span.end - span.start
    if room < min(size, mss) and pipe > 0 and not tcb.urge:
        return 0
    if snd.una_at + snd.wnd <= span.start and not tcb.probe:
        # Beyond a window that shrank: only the persist machinery may (MAY-7 is declined).
        return 0
    limit = mss if tcb.probe or tcb.urge else max(room - room % mss, mss)
    largest = _largest(tcb, span.start)
    return min(size, limit, largest - largest % mss)


def _send_span(tcb: Tcb, start: int, end: int) -> None:
    """Send offsets [start, end) again: data, and our FIN if it is in there."""
    flags = ACK
    data_end = min(end, tcb.sendq.end)
    if end > tcb.sendq.end:
        flags |= FIN
    size = data_end - start
    if size > 0 and data_end == tcb.sendq.end:
        flags |= PSH
    views: Sequence[View] = tcb.sendq.take(start, size) if size > 0 else ()
    emit(tcb, start, views, max(size, 0), flags)


# What is new.


def _send_new(tcb: Tcb) -> None:
    """New data and the FIN, until something says stop."""
    snd, sendq = tcb.snd, tcb.sendq
    if snd.nxt_at == snd.una_at and sendq.end > snd.nxt_at:
        idle = tcb.protocol.env.now - tcb.last_sent
        if idle > tcb.rtt.rto or tcb.board.rate is not None:
            _after_idle(tcb, idle)
    if tcb.search is not None and not _send_probe(tcb, tcb.search):
        return
    while True:
        ready = sendq.end - snd.nxt_at
        if ready <= 0:
            if ready == 0 and tcb.fin_wanted:
                _send_fin(tcb)
            tcb.cwnd_limited = False
            if tcb.board.rate is not None:
                tcb.board.rate.drained = tcb.room > 0
            return
        pacer = tcb.pacer
        if pacer is not None and (tcb.urge or tcb.probe):
            pacer = None
        size = _how_much(tcb, ready)
        if size <= 0:
            return
        if pacer is not None and pacer.holds(tcb):
            tcb.cwnd_limited = True  # the application would have more
            return
        _send_data(tcb, size)
        if size > snd.mss and pacer is None:
            _send_run(tcb, size)


def _send_probe(tcb: Tcb, search: MtuSearch) -> bool:
    """A segment larger than others, if one is due (RFC 4821 7.4).  False if all else waits."""
    size = mtu_probe.due(tcb)
    if size > 0 and tcb.pacer is not None and tcb.pacer.holds(tcb):
        return False
    if size > 0:
        snd = tcb.snd
        search.sent(snd.nxt_at, size)
        mss, snd.mss = snd.mss, size  # for this one it is a full segment, not to be cut
        _send_data(tcb, size)
        snd.mss = mss
    tcb.cwnd_limited |= size == mtu_probe.HOLD
    return size != mtu_probe.HOLD


def _send_two_new(tcb: Tcb) -> None:
    """F-RTO: two new segments before anything is sent again (RFC 5682 2.1 step 2b)."""
    if tcb.frto == frto.JUDGING:
        return
    tcb.frto = frto.JUDGING
    snd = tcb.snd
    for _ in range(2):
        size = min(tcb.sendq.end, snd.una_at + snd.wnd, snd.nxt_at + snd.mss) - snd.nxt_at
        if size > 0:
            _send_data(tcb, size)


def _after_idle(tcb: Tcb, idle: int) -> None:
    """Data is to be sent, and for `idle` ns nothing was.  If that is longer than a time-out the
    old window proves nothing any more."""
    if tcb.last_sent and idle > tcb.rtt.timeout():
        tcb.cc.after_idle()
    rate = tcb.board.rate
    if rate is not None and rate.limited_until:
        tcb.cc.on_restart(tcb.protocol.env.now)


def _how_much(tcb: Tcb, ready: int) -> int:
    """Octets of the next segment out of `ready` ones; 0 to wait.

    RFC 9293 3.8.6.2.1 (sender's silly window avoidance) and 3.7.4 (Nagle, in Minshall's form:
    a small segment waits only while another small one is unacknowledged).
    """
    snd = tcb.snd
    mss = snd.mss
    usable = snd.una_at + snd.wnd - snd.nxt_at
    if tcb.probe:
        tcb.probe = False
        return min(ready, max(usable, 1), mss)
    if tcb.urge:
        tcb.urge = False
        return max(min(ready, usable, mss), 0)
    room = tcb.room
    tcb.cwnd_limited = room < ready and room < mss
    if tcb.cwnd_limited and tcb.board.rate is not None:
        tcb.board.rate.full()
    if room <= 0 or usable <= 0:
        return 0
    if ready < mss and ready <= usable and ready <= room:
        return ready if _small_may_go(tcb, ready) else 0
    size = min(ready, usable, room, _largest(tcb, snd.nxt_at))
    if size >= mss:
        whole = size - size % mss
        if size == ready and _small_may_go(tcb, ready):
            return size
        return whole
    if usable <= room and usable >= snd.max_wnd >> 1:
        return size  # the receiver's whole buffer is that small
    if room < usable and tcb.pipe == 0:
        return size  # never stall on a window below one segment
    return 0


def _largest(tcb: Tcb, at: int) -> int:
    """Octets that may leave from offset `at` in one go.

    The urgent pointer counts from its own segment: a device that cuts would repeat it wrongly.
    """
    snd = tcb.snd
    if snd.up_at > at:
        return snd.mss
    largest = tcb.path.largest - _HEADERS
    if largest > _LARGEST:
        # The peer acknowledges each as a whole: four to a window keep the acknowledgments coming.
        largest = min(largest, max(min(tcb.cc.window, snd.wnd) >> 2, _LARGEST))
    return largest if tcb.pacer is None else pacing.quantum(tcb, largest)


def _small_may_go(tcb: Tcb, ready: int) -> bool:
    """The last `ready` octets of the queue may leave in a segment that is not full."""
    snd = tcb.snd
    if ready % snd.mss == 0:
        return True
    return tcb.nodelay or tcb.fin_wanted or snd.nxt_at < tcb.push_all or snd.small_at <= snd.una_at


def _send_data(tcb: Tcb, size: int) -> None:
    snd, sendq = tcb.snd, tcb.sendq
    start = snd.nxt_at
    now = tcb.protocol.env.now
    if start == snd.una_at:
        tcb.progress_at = now
    flags = ACK
    ecn, ect = tcb.ecn, 0
    if ecn is not None and ecn.reduced:
        ecn.reduced = False
        size = min(size, snd.mss)  # one segment carries it
        flags |= CWR
    end = start + size
    if end == sendq.end:
        flags |= PSH
        if tcb.fin_wanted and snd.una_at + snd.wnd > end:
            flags |= FIN
    if tcb.prr is not None:
        tcb.prr.sent(size)
    if size % snd.mss and end <= snd.una_at + snd.wnd:
        snd.small_at = end  # a window probe does not count
    views = sendq.take(start, size)
    if flags & FIN:
        _note_fin(tcb)
        tcb.board.add(start, end + 1, now)
        snd.sent(size + 1)
    else:
        tcb.board.add(start, end, now)
        snd.sent(size)
    tcb.last_sent = now
    if ecn is not None and ecn.capable and end <= snd.una_at + snd.wnd:
        ect = ECT_0
    emit(tcb, start, views, size, flags, ect)
    if tcb.pacer is not None:
        tcb.pacer.left(tcb, size)


def _send_run(tcb: Tcb, size: int) -> None:
    """More super-segments like the one that has just left, as many as may go.

    In one run only the sequence number differs: acknowledgment, window, timestamp and all of the
    lower headers stay.  The queue's last octets are left to `_send_data`, which pushes them.
    """
    snd, sendq, board, head = tcb.snd, tcb.sendq, tcb.board, tcb.protocol.head
    start = snd.nxt_at
    limit = min(sendq.end - 1, snd.una_at + snd.wnd, start + tcb.room)
    count = (limit - start) // size
    single = not head.gso_size or size % snd.mss or snd.up_at > start  # or it carried CWR
    watched = board.rate is not None or tcb.prr is not None or tcb.estats is not None
    if count <= 0 or single or watched or tcb.extras:
        return
    now = tcb.protocol.env.now
    path, iss = tcb.path, snd.iss
    number_at = head.l4 + 4
    total = head.end - head.net + size
    for at in range(start, start + count * size, size):
        board.add(at, at + size, now)
        _pack_number(head.buf, number_at, (iss + at) & 0xFFFFFFFF)
        path.repeat(head, sendq.take(at, size), total)
    snd.sent(count * size)
    tcb.protocol.counters.out_segs += count * (size // snd.mss)


def _send_fin(tcb: Tcb) -> None:
    """The FIN by itself.  It needs no window: it occupies no buffer of the peer's."""
    snd = tcb.snd
    now = tcb.protocol.env.now
    if snd.flight == 0:
        tcb.progress_at = now
    start = snd.nxt_at
    _note_fin(tcb)
    tcb.board.add(start, start + 1, now)
    snd.sent(1)
    tcb.last_sent = now
    emit(tcb, start, (), 0, ACK | FIN)


def _send_keepalive(tcb: Tcb, keep: KeepAlive) -> None:
    """<SEQ=SND.NXT-1>: below the peer's window, so that he must answer (RFC 9293 3.8.4)."""
    keep.due = False
    at = tcb.snd.nxt_at - 1
    if keep.garbage:
        emit(tcb, at, (GARBAGE,), len(GARBAGE), ACK)
    else:
        emit(tcb, at, (), 0, ACK)


def _note_fin(tcb: Tcb) -> None:
    if tcb.state == CLOSE_WAIT:
        chart.enter(tcb, LAST_ACK)
