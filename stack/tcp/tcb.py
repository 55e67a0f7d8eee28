# SPDX-License-Identifier: MIT
"""TCP: the transmission control block (RFC 9293 3.3.1).  Variables and trivial invariants.

`tcb.snd` and `tcb.rcv` are the RFC's SND.* and RCV.*.  Beside the 32-bit sequence numbers the
sending side keeps *offsets*: the distance from ISS without wrapping, so that SYN is at 0, data
starts at 1, and queues and scoreboard can use ordinary integers for streams of any length.
The pair moves together, in `Send.acked` and `Send.sent` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stack.base import addr, seq
from stack.base.seam import TimerOwner
from stack.base.timers import Timer
from stack.base.worklist import Workable
from stack.ip.path import Path
from stack.tcp.congestion.seam import CongestionControl
from stack.tcp.loss.scoreboard import Scoreboard
from stack.tcp.names import ACK_NONE, CLOSED, REORDER, REXMIT
from stack.tcp.recvq import ReceiveQueue
from stack.tcp.rtt import RttEstimator
from stack.tcp.sendq import SendQueue

if TYPE_CHECKING:
    from stack.tcp.ecn import Ecn
    from stack.tcp.endpoint import TcpStream
    from stack.tcp.episodes import Episodes
    from stack.tcp.estats import Estats
    from stack.tcp.fastopen import Offer, Pending
    from stack.tcp.keepalive import KeepAlive
    from stack.tcp.listener import TcpListener
    from stack.tcp.loss.prr import Prr
    from stack.tcp.loss.rack import Rack
    from stack.tcp.loss.undo import Undo
    from stack.tcp.mtu_probe import MtuSearch
    from stack.tcp.pacing import Pacer
    from stack.tcp.protocol import TcpProtocol
    from stack.tcp.usertimeout import UserTimeout
    from stack.tcp.wishes import Wishes
    from stack.wire.tcp import Segment

NO_RECOVERY: Final = -1
NO_PROBE: Final = -1


class Send:
    """The sending half."""

    __slots__ = (
        "doubt",
        "doubt_at",
        "iss",
        "max_wnd",
        "mss",
        "mss_at",
        "nxt",
        "nxt_at",
        "path_mtu",
        "peer_mss",
        "proven",
        "small_at",
        "una",
        "una_at",
        "up_at",
        "wl1",
        "wl2",
        "wnd",
        "wscale",
    )

    def __init__(self, iss: int) -> None:
        self.iss = iss
        self.una = iss  # oldest unacknowledged
        self.nxt = iss  # next to be sent
        self.una_at = 0
        self.nxt_at = 0
        self.wnd = 0  # octets the peer accepts beyond una
        self.wl1 = 0  # segment sequence number of the last window update
        self.wl2 = 0  # its acknowledgment number
        self.max_wnd = 0  # the largest window ever offered (RFC 5961 5, SWS avoidance)
        self.wscale = 0  # how far the peer's window field is shifted
        self.peer_mss = 0  # the peer's MSS option, or the default
        self.mss = 0  # payload octets of a full segment now
        self.path_mtu = 0  # the path MTU `mss` was computed from
        self.mss_at = 0  # SND.NXT when `mss` last changed
        self.proven = 0  # payload of the largest segment acknowledged since the path shrank
        self.doubt = 0  # a path MTU that was reported for offset `doubt_at`, and not believed yet
        self.doubt_at = 0
        self.up_at = 0  # offset behind the last urgent octet
        self.small_at = 0  # offset behind the last segment smaller than mss (Minshall)

    def acked(self, count: int) -> None:
        """SND.UNA advances."""
        self.una = (self.una + count) & seq.MASK
        self.una_at += count

    def sent(self, count: int) -> None:
        """SND.NXT advances."""
        self.nxt = (self.nxt + count) & seq.MASK
        self.nxt_at += count

    @property
    def acceptable_at(self) -> int:
        """Where a segment without data is sure to be accepted: SND.NXT, or the right edge of the
        window where that has been overrun by a probe or has shrunk below it."""
        return min(self.nxt_at, max(self.una_at, 1) + self.wnd)

    def at(self, number: int) -> int:
        """The offset of a sequence number near SND.UNA."""
        return self.una_at + seq.diff(number, self.una)

    def number(self, offset: int) -> int:
        """The sequence number at an offset."""
        return seq.add(self.iss, offset)

    @property
    def flight(self) -> int:
        """Sequence numbers sent and not cumulatively acknowledged."""
        return self.nxt_at - self.una_at


class Receive:
    """The receiving half."""

    __slots__ = (
        "acked",
        "dsack",
        "every",
        "fin",
        "has_fin",
        "irs",
        "limit",
        "most",
        "mss",
        "nxt",
        "owed",
        "pushed",
        "seen",
        "taken",
        "taken_at",
        "ungranted",
        "up",
        "up_new",
        "urgent",
        "wnd",
        "wscale",
    )

    def __init__(self, limit: int) -> None:
        self.irs = 0
        self.nxt = 0  # next expected
        self.wnd = 0  # what we promised to accept beyond nxt; never taken back
        self.wscale = 0  # how far our window field is shifted
        self.up = 0  # receive urgent pointer
        self.urgent = False  # up is ahead of what the user has taken
        self.up_new = False  # up moved, and the user has not been told
        self.limit = limit  # octets we are ready to hold
        self.most = limit  # what `limit` may grow to (see `tuning`)
        self.taken = 0  # octets the user took since `taken_at`
        self.taken_at = 0
        self.mss = 0  # the MSS we announced
        self.acked = 0  # Last.ACK.sent (RFC 7323 4.3)
        self.every = 2  # full-sized segments that are acknowledged together
        self.owed = 0  # full-sized segments not yet acknowledged
        self.seen = 0  # size of a full segment as this peer sends them
        self.pushed = False  # PSH since the last indication
        self.has_fin = False  # a FIN was seen, at sequence number `fin`
        self.fin = 0
        self.ungranted = 0  # octets taken by the user and not granted back
        self.dsack: tuple[int, int] | None = None  # sequence numbers of what arrived twice


class Tcb(Workable, TimerOwner):
    """One connection."""

    __slots__ = (
        "ack",
        "backlog_told",
        "board",
        "born",
        "cc",
        "challenge_when",
        "connect_token",
        "cwnd_limited",
        "delack",
        "done",
        "dup_nxt",
        "dupacks",
        "early",
        "ecn",
        "endpoint",
        "episodes",
        "estats",
        "extras",
        "fast",
        "fast_open",
        "fin_taken",
        "fin_token",
        "fin_told",
        "fin_wanted",
        "final",
        "frto",
        "held",
        "held_acks",
        "held_octets",
        "hops",
        "keepalive",
        "key",
        "label",
        "last_sent",
        "listener",
        "local",
        "lport",
        "nodelay",
        "opened",
        "pacer",
        "partials",
        "path",
        "paused",
        "persist",
        "probe",
        "progress_at",
        "protocol",
        "prr",
        "push_all",
        "rack",
        "rack_on",
        "rcv",
        "recover",
        "recvq",
        "remote",
        "reorder",
        "reports",
        "resent",
        "retries",
        "rexmit",
        "rport",
        "rtt",
        "sack_ok",
        "search",
        "sendq",
        "snd",
        "soft_error",
        "state",
        "syn_data",
        "tlp_end",
        "tlp_new",
        "told",
        "tos",
        "trouble",
        "ts_offset",
        "ts_ok",
        "ts_recent",
        "ts_recent_at",
        "undo",
        "urge",
        "user_timeout",
        "uto",
        "wishes",
    )

    def __init__(
        self,
        protocol: TcpProtocol,
        path: Path,
        key: bytes,
        lport: int,
        rport: int,
        cc: CongestionControl,
        secrets: tuple[int, int, int],
    ) -> None:
        """`key` is what frames of the peer have as addresses and ports; `secrets` is (ISS,
        timestamp offset, flow label) from `isn`."""
        self.marked = False
        iss, self.ts_offset, self.label = secrets
        config = protocol.config
        self.protocol = protocol
        self.path = path
        self.local = path.src
        self.remote = path.dst
        self.lport = lport
        self.rport = rport
        self.key = key
        self.state = CLOSED
        self.snd = Send(iss)
        self.rcv = Receive(config.tcp_receive_buffer)
        self.sendq = SendQueue()
        self.recvq = ReceiveQueue(config.tcp_reorder_limit, protocol.reorder_budget)
        self.board = Scoreboard()
        self.rtt = RttEstimator(config.tcp_rto_initial, config.tcp_rto_min, config.tcp_rto_max)
        self.cc = cc

        # Who uses it.
        self.listener: TcpListener | None = None  # while not accepted
        self.endpoint: TcpStream | None = None
        self.connect_token: object = None
        self.fin_token: object = None
        self.done: list[tuple[object, int, int]] = []  # answers waiting for the indicate phase
        self.opened = False  # the user is still to be told that it is established
        self.paused = False  # the user took less than was there
        self.fin_told = False  # the user knows of the peer's FIN
        self.fin_taken = False  # the peer's FIN was processed
        self.fin_wanted = False  # the user closed
        self.final = -1  # status of an ended connection, until ...
        self.told = False  # ... the user knows
        self.soft_error = 0  # the latest since the peer acknowledged something
        self.trouble = 0  # one the user has not been told of

        self.born = protocol.env.now
        self._nothing_yet()

        self.rexmit = Timer(self, REXMIT)
        self.delack: Timer | None = None  # made when an ACK is delayed beyond a turn
        self.persist: Timer | None = None  # made when the peer's window closes
        self.reorder = Timer(self, REORDER)

    def _nothing_yet(self) -> None:
        """The variables whose beginning does not depend on anything."""
        # What the SYNs agreed on.
        self.ts_ok = False
        self.sack_ok = False
        self.ecn: Ecn | None = None
        self.fast_open: Offer | None = None  # what our SYN or SYN-ACK says of it
        self.early: Pending | None = None  # opened by a cookie, and not confirmed: who counts it
        self.syn_data = False  # the SYN brought data that was taken
        self.ts_recent = 0
        self.ts_recent_at = 0

        # Marks and policy.
        self.ack = ACK_NONE
        self.nodelay = False
        self.reports = True  # the user wants to hear of soft errors
        self.user_timeout = 0  # R2 as the user set it, ns; 0: as configured
        self.uto: UserTimeout | None = None  # while the option is switched on
        self.extras = False  # segments may carry more options than timestamps and SACK
        self.tos = 0  # traffic class of what is sent, without the ECN bits
        self.hops = 0  # hop limit of what is sent; 0: as configured
        self.keepalive: KeepAlive | None = None  # while switched on
        self.push_all = 0  # offset up to which Nagle is overruled
        self.urge = False  # the next retransmission ignores the congestion window
        self.probe = False  # the next segment ignores the peer's window
        self.cwnd_limited = False
        self.last_sent = 0
        self.progress_at = 0  # when the peer last acknowledged something new, or nothing was out
        self.retries = 0  # time-outs in a row
        self.resent = 0  # octets sent again so far
        self.held: Segment | None = None  # acknowledges new data, and waits for the end of the turn
        self.held_octets = 0  # what it acknowledges
        self.held_acks = 0  # acknowledgments it stands for
        self.dupacks = 0
        self.dup_nxt = 0  # SND.NXT when the first duplicate came (RFC 5681 3.2: FlightSize)
        self.fast = False  # in fast recovery
        self.partials = 0  # partial acknowledgments in it
        self.recover = NO_RECOVERY  # RecoveryPoint (RFC 6675), recover (RFC 6582)
        self.rack: Rack | None = None  # made at the first sign of loss
        self.rack_on = False  # loss detection by time (RFC 8985), which needs SACK
        self.frto = 0  # a time-out that may be spurious: how far that is known (see `loss.frto`)
        self.prr: Prr | None = None  # in fast recovery, with RACK
        self.undo: Undo | None = None  # what there was before the last reduction
        self.tlp_end = NO_PROBE  # SND.NXT behind a tail loss probe that is out
        self.tlp_new = False  # the probe is new data
        self.pacer: Pacer | None = None  # while what is sent is paced
        self.challenge_when = 0
        self.episodes: Episodes | None = None  # what went wrong, once something has
        self.wishes: Wishes | None = None  # what the handshake does otherwise than configured
        self.estats: Estats | None = None  # while somebody counts
        self.backlog_told = -1  # the ideal backlog as the user knows it, while he wants to
        self.search: MtuSearch | None = None  # while the path MTU is found by probing

    def fired(self, timer: Timer) -> None:
        self.protocol.timer_fired(self, timer.kind)

    def describe(self) -> str:
        """The flow, for people."""
        return f"[{addr.text(self.local)}]:{self.lport}-[{addr.text(self.remote)}]:{self.rport}"

    @property
    def initial_window(self) -> int:
        """Segments that congestion control begins with."""
        wished = 0 if self.wishes is None else self.wishes.initial_window
        return wished or self.protocol.config.tcp_initial_window

    @property
    def may_stamp(self) -> bool:
        """Timestamps are offered and accepted."""
        wished = self.wishes is None or self.wishes.timestamps
        return wished and self.protocol.config.tcp_timestamps

    @property
    def fin_at(self) -> int:
        """The offset our FIN has, or will have."""
        return self.sendq.end

    @property
    def fin_sent(self) -> bool:
        """Our FIN has left at least once."""
        return self.snd.nxt_at > self.sendq.end

    def stamp(self, when: int) -> int:
        """TSval at `when` (ns): a millisecond clock with an offset of its own (RFC 7323 5.4)."""
        return (when // 1_000_000 + self.ts_offset) & 0xFFFFFFFF

    @property
    def room(self) -> int:
        """Octets that congestion control lets into the network now."""
        prr = self.prr
        return self.cc.window - self.pipe if prr is None else prr.allowance

    @property
    def urgent_left(self) -> int:
        """Octets up to the end of the peer's urgent data that the user has not taken."""
        rcv = self.rcv
        if not rcv.urgent:
            return 0
        return max(seq.diff(rcv.up, rcv.nxt) + self.fin_taken + self.recvq.size, 0)

    @property
    def pipe(self) -> int:
        """Octets we believe to be in the network (RFC 6675 4)."""
        board = self.board
        return self.snd.nxt_at - self.snd.una_at - board.sacked - board.lost - board.credit
