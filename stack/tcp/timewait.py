# SPDX-License-Identifier: MIT
"""TCP: TIME-WAIT (RFC 9293 3.6.1, 3.10.7.4; RFC 1337; RFC 6191) as small records.

When both FINs are through, the Tcb goes and one of these stays for 2*MSL, to acknowledge a FIN
that comes again and to keep old duplicates from a new connection of the same name.  A SYN that
is provably newer takes the place over; a reset does not end the wait.
The number of records is capped; the oldest gives way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.base import fate, seq
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.units import MS
from stack.ip.path import Path
from stack.tcp.input import acceptable
from stack.tcp.tcb import Tcb
from stack.wire.tcp import ACK, FIN, RST, SYN, Segment, timestamps_option

if TYPE_CHECKING:
    from stack.tcp.protocol import TcpProtocol


class TimeWait:
    """What must be remembered of a closed connection."""

    __slots__ = (
        "answered",
        "hops",
        "key",
        "label",
        "lport",
        "path",
        "rcv_nxt",
        "rport",
        "snd_nxt",
        "tos",
        "ts_offset",
        "ts_ok",
        "ts_recent",
        "until",
        "window",
    )

    def __init__(self, tcb: Tcb, until: int) -> None:
        self.key = tcb.key
        self.path: Path = tcb.path
        self.lport = tcb.lport
        self.rport = tcb.rport
        self.snd_nxt = tcb.snd.nxt
        self.rcv_nxt = tcb.rcv.nxt
        self.window = min(-(-tcb.rcv.wnd >> tcb.rcv.wscale), 0xFFFF)
        self.ts_ok = tcb.ts_ok
        self.ts_offset = tcb.ts_offset
        self.ts_recent = tcb.ts_recent
        self.label = tcb.label
        self.tos = tcb.tos
        self.hops = tcb.hops
        self.until = until
        self.answered = 0  # when an ACK was last sent


class TimeWaitTable(TimerOwner):
    """All connections of one stack in TIME-WAIT, oldest first."""

    def __init__(self, protocol: TcpProtocol) -> None:
        self._protocol = protocol
        self._records: dict[bytes, TimeWait] = {}
        self._timer = Timer(self)

    def __len__(self) -> int:
        return len(self._records)

    def all(self) -> list[TimeWait]:
        """Every record, the oldest first."""
        return list(self._records.values())

    def add(self, tcb: Tcb) -> TimeWait:
        """`tcb` has entered TIME-WAIT."""
        config = self._protocol.config
        if len(self._records) >= config.tcp_time_wait_limit:
            self.remove(next(iter(self._records.values())))
        record = TimeWait(tcb, self._protocol.env.now + config.tcp_time_wait)
        self._records[record.key] = record
        self._rearm()
        return record

    def remove(self, record: TimeWait) -> None:
        """The wait is over, or something newer takes the name."""
        self._records.pop(record.key, None)
        self._protocol.release_key(record.key)
        if not self._records:
            self._timer.disarm()

    def fired(self, timer: Timer) -> None:
        now = self._protocol.env.now
        while self._records:
            oldest = next(iter(self._records.values()))
            if oldest.until > now:
                break
            self.remove(oldest)
        self._rearm()

    def segment_arrives(self, record: TimeWait, seg: Segment) -> bool:
        """A segment for a connection in TIME-WAIT.

        Returns True if it is a SYN that may open a new connection in the record's place; the
        record is gone then.
        """
        protocol = self._protocol
        if seg.flags & RST:
            # RFC 1337, fix 1: a reset must not cut the wait short.
            protocol.door.drop(seg.pkt, fate.TCP_TIME_WAIT)
            return False
        if seg.flags & SYN and not seg.flags & ACK and self._is_newer(record, seg):
            self.remove(record)
            return True
        if not seg.flags & (ACK | SYN) and acceptable(record.rcv_nxt, record.window, seg):
            # RFC 9293 3.10.7.4, fifth: no ACK bit, no answer.
            protocol.door.drop(seg.pkt, fate.TCP_TIME_WAIT)
            return False
        if seg.flags & FIN and seq.add(seg.seq, seg.length + 1) == record.rcv_nxt:
            # The peer did not see our ACK: tell him again and start the wait anew.
            del self._records[record.key]
            record.until = protocol.env.now + protocol.config.tcp_time_wait
            self._records[record.key] = record
            self._rearm()
            self._answer(record)
        elif seg.space or seg.seq != record.rcv_nxt or seg.ack != record.snd_nxt:
            self._answer(record)
        protocol.door.drop(seg.pkt, fate.TCP_TIME_WAIT)
        return False

    @staticmethod
    def _is_newer(record: TimeWait, seg: Segment) -> bool:
        """RFC 6191 2: by timestamp where both have one, else by sequence number (MAY-2)."""
        if record.ts_ok and seg.has_ts and seg.ts_val != record.ts_recent:
            return seq.gt(seg.ts_val, record.ts_recent)
        return seq.gt(seg.seq, record.rcv_nxt)

    def _answer(self, record: TimeWait) -> None:
        """<SEQ=SND.NXT><ACK=RCV.NXT>, at most one per millisecond and record."""
        protocol = self._protocol
        now = protocol.env.now
        if record.answered and now - record.answered < MS:
            return
        record.answered = now
        extra = b""
        if record.ts_ok:
            stamp = (now // MS + record.ts_offset) & 0xFFFFFFFF
            extra = timestamps_option(stamp, record.ts_recent)
        path = record.path
        if not path.valid:
            found = protocol.path_again(path)
            if found is None:
                return
            path = record.path = found
        protocol.counters.out_segs += 1
        protocol.bare.send(
            path,
            record.lport,
            record.rport,
            record.snd_nxt,
            record.rcv_nxt,
            ACK,
            record.window,
            extra,
            record.label,
            record.tos,
            record.hops,
        )

    def _rearm(self) -> None:
        if self._records:
            oldest = next(iter(self._records.values()))
            self._protocol.timers.arm(self._timer, oldest.until)
