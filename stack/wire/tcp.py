# SPDX-License-Identifier: MIT
"""Floor 1: the TCP header and its options (RFC 9293 3.1, 3.2; RFC 7323 2.2, 3.2; RFC 2018;
RFC 7413 4.1.1; RFC 5482 2; RFC 9768 3.2.3)::

     0                   1                   2                   3
    +-------------------------------+-------------------------------+
    |          source port          |       destination port        |
    +-------------------------------+-------------------------------+
    |                        sequence number                        |
    +---------------------------------------------------------------+
    |                    acknowledgment number                      |
    +-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
    | data  |     |A|C|E|U|A|P|R|S|F|                               |
    | offset|rsrvd|E|W|C|R|C|S|S|Y|I|            window             |
    |       |     | |R|E|G|K|H|T|N|N|                               |
    +-------+-------+-+-+-+-+-+-+-+-+-------------------------------+
    |           checksum            |        urgent pointer         |
    +-------------------------------+-------------------------------+
    |                           options ...                         |
    +---------------------------------------------------------------+

Options are parsed wherever they start and on any segment (MUST-5, MUST-64); unknown ones are
skipped by their length (MUST-6); a length that cannot be right ends the parse and leaves what
came before it (MUST-7).  Not done: authentication options (RFC 2385, RFC 5925) are skipped.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from stack.base.packet import Packet

HEADER: Final = Struct("!HHIIHHHH")
LENGTH: Final = HEADER.size  # 20
CHECKSUM_AT: Final = 16
MAX_OPTIONS: Final = 40

FIN: Final = 0x01
SYN: Final = 0x02
RST: Final = 0x04
PSH: Final = 0x08
ACK: Final = 0x10
URG: Final = 0x20
ECE: Final = 0x40
CWR: Final = 0x80
AE: Final = 0x100

OPT_END: Final = 0
OPT_NOP: Final = 1
OPT_MSS: Final = 2
OPT_WSCALE: Final = 3
OPT_SACK_PERMITTED: Final = 4
OPT_SACK: Final = 5
OPT_TIMESTAMPS: Final = 8
OPT_USER_TIMEOUT: Final = 28
OPT_FAST_OPEN: Final = 34
OPT_ACCECN_0: Final = 172
OPT_ACCECN_1: Final = 174
OPT_EXPERIMENT: Final = 254
FAST_OPEN_MAGIC: Final = b"\xf9\x89"  # RFC 7413 A: the option before it had a number

_TS_LAYOUT: Final = 0x0101080A  # NOP NOP TS 10: how everybody sends timestamps
_MSS_LAYOUT: Final = 0x0204
_SACK_TS_LAYOUT: Final = 0x0402080A
_WSCALE_LAYOUT: Final = 0x01030300  # NOP WS 3
_MAX_WSCALE: Final = 14  # RFC 7323 2.3: a larger shift is treated as 14

_FIXED: Final = Struct("!4xIIHH2xH")
_TS: Final = Struct("!III")
_PAIR: Final = Struct("!II")
_USUAL: Final = Struct("!HHIIII")

_unpack_fixed = _FIXED.unpack_from
_from_bytes = int.from_bytes
_unpack_stamped = Struct("!4xIIHH2xHIII").unpack_from  # with timestamps in the usual layout

NO_SACKS: Final[tuple[tuple[int, int], ...]] = ()


class Segment:
    """One received segment.

    seq, ack, flags, wnd, up   the header's fields; `wnd` as it stands, unscaled
    start, end                 bounds of the payload in `pkt.frame`
    length                     octets of payload (SEG.LEN also counts SYN and FIN: `space`)
    ts_val, ts_ecr             timestamps; valid if `has_ts`
    mss                        0 if absent
    wscale                     -1 if absent
    sacks                      (left, right) sequence number pairs as they came
    fast_open                  (option kind, cookie) or None; an empty cookie asks for one
    uto                        the user time-out option's sixteen bits, 0 if absent
    accecn                     the AccECN option's E0B, CEB, E1B; -1 for one that was left out
    """

    __slots__ = (
        "accecn",
        "ack",
        "end",
        "fast_open",
        "flags",
        "has_ts",
        "length",
        "mss",
        "pkt",
        "sack_permitted",
        "sacks",
        "seq",
        "start",
        "ts_ecr",
        "ts_val",
        "up",
        "uto",
        "wnd",
        "wscale",
    )

    def __init__(
        self, pkt: Packet, seq: int, ack: int, flags: int, wnd: int, up: int, start: int, end: int
    ) -> None:
        self.pkt = pkt
        self.seq = seq
        self.ack = ack
        self.flags = flags
        self.wnd = wnd
        self.up = up
        self.start = start
        self.end = end
        self.length = end - start
        self.has_ts = False
        self.ts_val = 0
        self.ts_ecr = 0
        self.mss = 0
        self.wscale = -1
        self.sack_permitted = False
        self.sacks = NO_SACKS
        self.fast_open: tuple[int, bytes] | None = None
        self.uto = 0
        self.accecn: tuple[int, int, int] | None = None

    @property
    def space(self) -> int:
        """SEG.LEN: sequence numbers the segment occupies, SYN and FIN included."""
        return self.length + (self.flags & FIN) + (self.flags >> 1 & 1)


def parse(pkt: Packet) -> Segment | None:
    """The segment at pkt.frame[pkt.l4:pkt.end], or None if its header does not fit.

    The caller has made sure of twenty octets.
    """
    frame = pkt.frame
    at = pkt.l4
    end = pkt.end
    if end - at >= 32:
        seq, ack, bits, wnd, up, layout, val, ecr = _unpack_stamped(frame, at)
    else:
        seq, ack, bits, wnd, up = _unpack_fixed(frame, at)
        layout = val = ecr = 0
    size = (bits >> 12) * 4
    start = at + size
    if size < LENGTH or start > end:
        return None
    segment = Segment(pkt, seq, ack, bits & 0x1FF, wnd, up, start, end)
    if size == 32 and layout == _TS_LAYOUT:
        segment.has_ts = True
        segment.ts_val = val
        segment.ts_ecr = ecr
        return segment
    if size == LENGTH:
        return segment
    if size == 40 and _read_usual(segment, frame, at + LENGTH):
        return segment
    _parse_options(segment, frame, at + LENGTH, start)
    return segment


def _read_usual(segment: Segment, frame: bytes, at: int) -> bool:
    """The layout of `usual_options`, as most SYNs have it."""
    first, mss, second, val, ecr, third = _USUAL.unpack_from(frame, at)
    if first != _MSS_LAYOUT or second != _SACK_TS_LAYOUT or third & ~0xFF != _WSCALE_LAYOUT:
        return False
    segment.mss = mss
    segment.sack_permitted = segment.has_ts = True
    segment.ts_val = val
    segment.ts_ecr = ecr
    shift = third & 0xFF
    segment.wscale = shift if shift < _MAX_WSCALE else _MAX_WSCALE
    return True


def _parse_options(segment: Segment, frame: bytes, at: int, end: int) -> None:
    while at < end:
        kind = frame[at]
        if kind == OPT_END:
            return
        if kind == OPT_NOP:
            at += 1
            continue
        if at + 1 >= end:
            return
        size = frame[at + 1]
        if size < 2 or at + size > end:
            return
        if kind == OPT_TIMESTAMPS and size == 10:
            segment.has_ts = True
            segment.ts_val, segment.ts_ecr = _PAIR.unpack_from(frame, at + 2)
        elif kind == OPT_SACK and size >= 10 and size % 8 == 2:
            segment.sacks = tuple(_PAIR.iter_unpack(frame[at + 2 : at + size]))
        elif kind == OPT_MSS and size == 4:
            segment.mss = frame[at + 2] << 8 | frame[at + 3]
        elif kind == OPT_WSCALE and size == 3:
            shift = frame[at + 2]
            segment.wscale = shift if shift < _MAX_WSCALE else _MAX_WSCALE
        elif kind == OPT_SACK_PERMITTED and size == 2:
            segment.sack_permitted = True
        elif kind == OPT_USER_TIMEOUT and size == 4:
            segment.uto = frame[at + 2] << 8 | frame[at + 3]
        elif kind in (OPT_ACCECN_0, OPT_ACCECN_1):
            segment.accecn = _accecn(kind, frame[at + 2 : at + size])
        elif kind in (OPT_FAST_OPEN, OPT_EXPERIMENT):
            segment.fast_open = _fast_open(kind, frame[at + 2 : at + size]) or segment.fast_open
        at += size


def _fast_open(kind: int, body: bytes) -> tuple[int, bytes] | None:
    """RFC 7413 4.1.1: an even number of octets from 4 to 16, or none."""
    if kind == OPT_EXPERIMENT:
        if body[:2] != FAST_OPEN_MAGIC:
            return None
        body = body[2:]
    size = len(body)
    return (kind, body) if size == 0 or (4 <= size <= 16 and size % 2 == 0) else None


def _accecn(kind: int, body: bytes) -> tuple[int, int, int] | None:
    """RFC 9768 3.2.3: up to three counters of 24 bits, in one order or the other."""
    if len(body) not in (0, 3, 6, 9):
        return None
    fields = [_from_bytes(body[i : i + 3], "big") for i in range(0, len(body), 3)]
    first, middle, last = (*fields, -1, -1, -1)[:3]
    return (first, middle, last) if kind == OPT_ACCECN_0 else (last, middle, first)


def mss_option(mss: int) -> bytes:
    """Maximum segment size, four octets."""
    return bytes((OPT_MSS, 4, mss >> 8, mss & 0xFF))


def wscale_option(shift: int) -> bytes:
    """Window scale with a NOP in front: four octets."""
    return bytes((OPT_NOP, OPT_WSCALE, 3, shift))


SACK_PERMITTED: Final = bytes((OPT_SACK_PERMITTED, 2))
"""SACK-permitted, two octets."""


def usual_options(mss: int, val: int, ecr: int, shift: int) -> bytes:
    """What a SYN carries of today's hosts: MSS, SACK-permitted, timestamps, NOP, window scale."""
    return _USUAL.pack(_MSS_LAYOUT, mss, _SACK_TS_LAYOUT, val, ecr, _WSCALE_LAYOUT | shift)


def timestamps_option(val: int, ecr: int) -> bytes:
    """Timestamps in the customary layout of twelve octets."""
    return _TS.pack(_TS_LAYOUT, val, ecr)


def user_timeout_option(field: int) -> bytes:
    """User time-out: granularity bit and fifteen bits of value, four octets."""
    return bytes((OPT_USER_TIMEOUT, 4, field >> 8, field & 0xFF))


ACCECN_LENGTH: Final = 12


def accecn_option(e0b: int, ceb: int, e1b: int) -> bytes:
    """AccECN option with all its counters, padded to `ACCECN_LENGTH`."""
    body = b"".join(count.to_bytes(3, "big") for count in (e0b, ceb, e1b))
    return bytes((OPT_NOP, OPT_ACCECN_0, 11)) + body


def fast_open_option(cookie: bytes, kind: int = OPT_FAST_OPEN) -> bytes:
    """Fast Open cookie, or the request for one, padded to a multiple of four octets."""
    body = FAST_OPEN_MAGIC + cookie if kind == OPT_EXPERIMENT else cookie
    option = bytes((kind, 2 + len(body))) + body
    return option + bytes((OPT_NOP,)) * (-len(option) % 4)


def sack_option(blocks: list[tuple[int, int]]) -> bytes:
    """SACK blocks with two NOPs in front: four octets and eight for each block."""
    head = bytes((OPT_NOP, OPT_NOP, OPT_SACK, 2 + 8 * len(blocks)))
    return head + b"".join(_PAIR.pack(left, right) for left, right in blocks)


def flag_text(flags: int) -> str:
    """Flags the way tcpdump writes them: S, F, R, P, U, E, W, e (AE), and a dot for ACK."""
    letters = "".join(
        letter
        for bit, letter in (
            (SYN, "S"),
            (FIN, "F"),
            (RST, "R"),
            (PSH, "P"),
            (URG, "U"),
            (ECE, "E"),
            (CWR, "W"),
            (AE, "e"),
            (ACK, "."),
        )
        if flags & bit
    )
    return letters or "-"


def describe(frame: bytes, start: int, end: int) -> str:
    """One line for a trace, absolute sequence numbers."""
    if end - start < LENGTH:
        return "tcp short"
    sport, dport, seq, ack, bits, wnd, _, up = HEADER.unpack_from(frame, start)
    size = (bits >> 12) * 4
    text = max(0, end - start - size)
    line = f"tcp {sport} > {dport} {flag_text(bits & 0x1FF)} seq {seq} len {text}"
    if bits & ACK:
        line += f" ack {ack}"
    if bits & URG:
        line += f" urg {up}"
    return line + f" win {wnd}"
