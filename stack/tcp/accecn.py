# SPDX-License-Identifier: MIT
"""TCP: accurate ECN feedback (RFC 9768): how many packets and octets were marked, not only that.

The three flags AE, CWR and ECE of every segment after the handshake are a counter, modulo eight,
of the packets that arrived marked (the ACE field); the AccECN option beside it counts octets of
payload by their mark.  During the handshake the flags say instead how the other's SYN or SYN-ACK
arrived, which shows whether somebody on the way tampers with the field (3.2.2.3).

What the sender does about marks is up to congestion control; the algorithms here react as to the
classic signal, once per window.
Done: negotiation and fall-back to RFC 3168 (3.1), ACE (3.2.2), option in full length on SYN-ACKs
and pure ACKs with room (3.2.3), marked data acknowledged at once (3.2.2.5.1), tests for zeroing
and mangling (3.2.2.3, 3.2.2.4).
Not done: packets beyond a wrap of ACE without the option are not guessed (A.2); the option is not
withdrawn when it seems to be dropped (3.2.3.2.2).

Called by `negotiation` to begin, by `input`, `options` and `output` through `Tcb.ecn`.
"""

from __future__ import annotations

from typing import ClassVar, Final

from stack.tcp.ecn import CE, ECT_0, Ecn
from stack.tcp.names import ACK_NOW
from stack.tcp.tcb import Tcb
from stack.wire import tcp
from stack.wire.tcp import Segment

_SHIFT: Final = 6  # of the three flags in the header
_ACE: Final = 7
_OCTETS: Final = 0xFFFFFF
_FIRST: Final = 5  # the counters of packets begin there (3.2.1)
_ARRIVED: Final = (0b010, 0b011, 0b100, 0b110)  # Not-ECT, ECT(1), ECT(0), CE (3.1.2)
_NOT_ECT: Final = _ARRIVED[0]
_MARKED: Final = _ARRIVED[3]
_ECT_1: Final = 1


def is_answer(flags: int) -> bool:
    """The flags of a SYN-ACK accept AccECN (3.1.2, table 2)."""
    return flags >> _SHIFT & _ACE in _ARRIVED


class AccEcn(Ecn):
    """The counters of one connection.

    As receiver: cep packets and ceb octets that arrived marked, e0b and e1b octets that arrived
    as ECT(0) and ECT(1).  As sender: what the peer told last.

    marked    packets of ours that the peer reported marked
    """

    __slots__ = (
        "_awaits",
        "_ceb",
        "_cep",
        "_e0b",
        "_e1b",
        "_news",
        "_other",
        "_their_ceb",
        "_their_cep",
        "_third",
        "marked",
    )

    name: ClassVar[str] = "accecn"

    def __init__(self, seg: Segment, answered: bool) -> None:
        """`seg` is the peer's SYN, or, if `answered`, his SYN-ACK."""
        super().__init__()
        mark = seg.pkt.tos & 3
        self.marked = 0
        self._cep = self._their_cep = _FIRST
        self._ceb = self._their_ceb = 0
        self._e0b = self._e1b = 1
        self._news = True  # the option has something to tell
        self._other = _ARRIVED[mark]  # how the peer's SYN or SYN-ACK came
        self._third = answered  # our next segment is the third of the handshake
        self._awaits = not answered  # ... or the peer's is
        if answered:
            self._judge(seg.flags >> _SHIFT & _ACE)

    def _judge(self, ace: int) -> None:
        """How our SYN or SYN-ACK arrived, which left as Not-ECT: if otherwise, the field is not
        safe on this path (3.2.2.3); nothing at all means that it is wiped out (3.2.2.4)."""
        if ace in (0, *_ARRIVED[1:]):
            self.capable = False

    # What we tell.

    def answer(self) -> int:
        return self._other << _SHIFT

    def flags(self) -> int:
        if self._third:
            self._third = False
            return self._other << _SHIFT
        return (self._cep & _ACE) << _SHIFT

    def option(self, room: int) -> bytes:
        """The option, if there is something to tell and `room` for it."""
        if not self._news or room < tcp.ACCECN_LENGTH:
            return b""
        self._news = False
        return tcp.accecn_option(self._e0b, self._ceb, self._e1b)

    def arrived(self, tcb: Tcb, seg: Segment) -> None:
        mark = seg.pkt.tos & 3
        if not mark:
            return
        length = seg.length
        if mark == CE:
            size = seg.pkt.gso_size
            self._cep += -(-length // size) if size else 1
            self._ceb = (self._ceb + length) & _OCTETS
            if length:
                tcb.ack = ACK_NOW
        elif mark == ECT_0:
            self._e0b = (self._e0b + length) & _OCTETS
        elif mark == _ECT_1:
            self._e1b = (self._e1b + length) & _OCTETS
        self._news = True

    # What we are told.

    def acknowledged(self, tcb: Tcb, seg: Segment, acked: int) -> None:
        ace = seg.flags >> _SHIFT & _ACE
        if self._awaits:
            self._awaits = False
            self._judge(ace)
            if ace == _MARKED:
                self._their_cep += 1
            if ace != _FIRST & _ACE:
                return
        if acked <= 0:
            return  # it may be older than what was heard already
        packets = (ace - self._their_cep) & _ACE
        told = seg.accecn
        octets = 0
        if told is not None and told[1] >= 0:
            octets = (told[1] - self._their_ceb) & _OCTETS
            if octets > _OCTETS >> 1:
                octets = 0
            else:
                self._their_ceb = told[1]
        if not packets and octets:
            packets = 8  # at least: the counter went round
        if packets:
            self._their_cep += packets
            self.marked += packets
            self.reduce(tcb)
