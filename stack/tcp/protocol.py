# SPDX-License-Identifier: MIT
"""TCP: receiving, lookup and settling; the `TransportLayer` and `Provider` of TCP.

A segment is checked, its connection found by the bytes of the frame itself, and handed to the
file that answers for the connection's state.  Once per turn `settle` indicates to users and
then lets every marked connection send.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, fate, seq, status
from stack.base.checksum import data_sum
from stack.base.counters import Counters
from stack.base.head import Head
from stack.base.packet import UNICAST, Packet, Taker
from stack.base.worklist import Worklist
from stack.ip.host import IpHost
from stack.ip.layer import IpLayer
from stack.ip.path import Path
from stack.ip.seam import TOO_BIG, UNRESOLVED, ErrorReport, TransportLayer
from stack.tcp import (
    acking,
    ending,
    estats,
    handshake,
    info,
    input,
    path_mtu,
    reset,
    timeouts,
    train,
)
from stack.tcp.congestion import algorithm
from stack.tcp.endpoint import TcpStream
from stack.tcp.estats import Estats
from stack.tcp.fastopen import FastOpen, Offer
from stack.tcp.indicate import indicate, untold
from stack.tcp.info import TcpInfo
from stack.tcp.isn import IsnGenerator
from stack.tcp.listener import TcpListener
from stack.tcp.names import PROTO, SYN_RECEIVED, SYN_SENT
from stack.tcp.output import output
from stack.tcp.recvq import Budget
from stack.tcp.syncookies import SynCookies
from stack.tcp.tcb import Tcb
from stack.tcp.timewait import TimeWait, TimeWaitTable
from stack.transport.demux import Demux
from stack.transport.hosting import HostProvider
from stack.transport.options import OPTION_RECEIVE_BUFFER, OPTION_TIMESTAMPS
from stack.transport.ports import PortTable
from stack.transport.seam import (
    OPTION_HOP_LIMIT,
    OPTION_KEEPALIVE_COUNT,
    OPTION_KEEPALIVE_INTERVAL,
    OPTION_KEEPALIVE_TIME,
    OPTION_USER_TIMEOUT,
    SOCK_STREAM,
)
from stack.transport.soft_errors import HARD, STATUS
from stack.wire import tcp
from stack.wire.tcp import Segment

_from_bytes = int.from_bytes
_MIN_HEADER: Final = 20


class TcpCounters(Counters):
    """RFC 4022 names, and a few of our own at the end."""

    __slots__ = (
        "active_opens",
        "attempt_fails",
        "challenge_acks",
        "challenge_limited",
        "curr_estab",
        "estab_resets",
        "fast_open_active",
        "fast_open_active_fails",
        "fast_open_overflows",
        "fast_open_passive",
        "in_errs",
        "in_segs",
        "out_rsts",
        "out_segs",
        "passive_opens",
        "retrans_segs",
    )
    active_opens: int
    attempt_fails: int
    challenge_acks: int
    challenge_limited: int
    curr_estab: int
    estab_resets: int
    fast_open_active: int
    fast_open_active_fails: int
    fast_open_overflows: int
    fast_open_passive: int
    in_errs: int
    in_segs: int
    out_rsts: int
    out_segs: int
    passive_opens: int
    retrans_segs: int


class Silence:
    """Holds the place of a connection whose user wants no more segments, either way."""


_SILENCE: Final = Silence()


class TcpProtocol(TransportLayer, HostProvider, Taker):
    """TCP of one stack."""

    socket_type = SOCK_STREAM
    protocol = PROTO

    def __init__(self, host: IpHost) -> None:
        self.env = host.env
        self.timers = host.timers
        self.door = host.door
        self.config = host.config
        self.congestion = algorithm(host.config.tcp_congestion)
        self.fast_path = host.config.tcp_fast_path
        self.joint_acks = host.config.tcp_joint_acks
        self.counters = TcpCounters()
        self.head = Head()
        self.bare = reset.Bare()
        self.ports = PortTable.of(host.env, host.config)
        self.listeners: Demux[TcpListener] = Demux()
        self.work: Worklist[Tcb] = Worklist(host.env.executor)
        self.holding: list[Tcb] = []  # whose acknowledgments are taken together
        self.accepting: Worklist[TcpListener] = Worklist(host.env.executor)
        self.time_wait = TimeWaitTable(self)
        self.pmtu = host.pmtu
        self.reorder_budget = Budget(host.config.tcp_reorder_memory)
        self._host = host
        self.isn: IsnGenerator = IsnGenerator(host.env)
        self.cookies = SynCookies(host.env)
        self.fast_open = FastOpen(host.env, host.config.tcp_fast_open_cache)
        self._table: dict[bytes, Tcb | TimeWait | Silence] = {}
        self._tickets = 0

    # Provider.

    def open_stream(self, families: int) -> TcpStream:
        return TcpStream(self, families)

    def open_listener(self, families: int) -> TcpListener:
        return TcpListener(self, families)

    def default(self, option: int) -> int:
        config = self.config
        defaults = {
            OPTION_HOP_LIMIT: config.hop_limit,
            OPTION_KEEPALIVE_COUNT: config.tcp_keepalive_count,
            OPTION_KEEPALIVE_INTERVAL: config.tcp_keepalive_interval,
            OPTION_KEEPALIVE_TIME: config.tcp_keepalive_time,
            OPTION_RECEIVE_BUFFER: config.tcp_receive_buffer,
            OPTION_TIMESTAMPS: int(config.tcp_timestamps),
            OPTION_USER_TIMEOUT: config.tcp_user_timeout,
        }
        return defaults.get(option, 0)

    # Receiving.

    def receive(self, pkt: Packet) -> None:
        frame = pkt.frame
        l4 = pkt.l4
        counters = self.counters
        counters.in_segs += 1
        if pkt.end - l4 < _MIN_HEADER:
            counters.in_errs += 1
            self.door.drop(pkt, fate.TCP_SHORT)
            return
        if not pkt.csum_ok and not self._checksum_good(pkt):
            return
        seg = tcp.parse(pkt)
        if seg is None:
            counters.in_errs += 1
            self.door.drop(pkt, fate.TCP_HEADER_LENGTH)
            return
        if pkt.group != UNICAST:
            self.door.drop(pkt, fate.TCP_GROUP)  # MUST-57
            return
        key = pkt.src + pkt.dst + frame[l4 : l4 + 4]
        found = self._table.get(key)
        if found is None:
            self._no_connection(pkt, seg)
        elif isinstance(found, Tcb):
            if found.estats is not None:
                found.estats.arrived(found, seg)
            if found.state != SYN_SENT:
                input.segment_arrives(found, seg)
            else:
                handshake.syn_sent(found, seg)
        elif isinstance(found, Silence):
            self.door.drop(pkt, fate.TCP_SILENT)
        elif self.time_wait.segment_arrives(found, seg):
            self._no_connection(pkt, seg)

    def more(self, what: tuple[Tcb, Segment], frames: list[bytes]) -> None:
        train.more(*what, frames)

    def _no_connection(self, pkt: Packet, seg: Segment) -> None:
        """LISTEN, or CLOSED (RFC 9293 3.10.7.1)."""
        ports = pkt.frame[pkt.l4 : pkt.l4 + 4]
        if ports[:2] == b"\0\0" or ports[2:] == b"\0\0":
            self.door.drop(pkt, fate.TCP_PORT_ZERO)
            return
        listener = self.listeners.find(pkt.dst, ports[2:])
        if listener is not None:
            listener.segment_arrives(pkt, seg)
        elif not self.elsewhere(pkt):
            self.refuse(seg)
            self.door.drop(pkt, fate.TCP_NO_PORT)

    def elsewhere(self, pkt: Packet) -> bool:
        """Another stack of this host has been asked to take `pkt`, whose connection is not here."""
        siblings = self._host.siblings
        return siblings is not None and siblings.took(pkt)

    def _checksum_good(self, pkt: Packet) -> bool:
        length = pkt.end - pkt.l4
        total = data_sum(memoryview(pkt.frame)[pkt.l4 : pkt.end])
        if (total + _from_bytes(pkt.src + pkt.dst, "big") + PROTO + length) % 0xFFFF:
            self.counters.in_errs += 1
            self.door.drop(pkt, fate.TCP_CHECKSUM)
            return False
        return True

    def refuse(self, seg: Segment) -> None:
        """Answer `seg` with a reset, unless it is one."""
        if reset.refuse(self.bare, self.reply_path(seg.pkt), seg):
            self.counters.out_segs += 1
            self.counters.out_rsts += 1

    def on_error(self, report: ErrorReport) -> None:
        """RFC 9293 3.9.2.2, RFC 5927: believed if it quotes data that is in flight."""
        quoted, kind = report.quoted, report.kind
        tcb = self._table.get(report.dst + report.src + quoted[2:4] + quoted[:2])
        if not isinstance(tcb, Tcb):
            return
        number = _from_bytes(quoted[4:8], "big")
        ahead = seq.sub(number, tcb.snd.una)
        if ahead >= max(tcb.snd.flight, 1):
            return
        if kind == TOO_BIG:
            path_mtu.reported(tcb, tcb.snd.una_at + ahead, report.mtu)
            return
        result = STATUS.get(kind, status.HOST_UNREACHABLE)
        opening = tcb.state in (SYN_SENT, SYN_RECEIVED)
        wished = tcb.wishes is not None and tcb.wishes.errors
        if opening and (kind == UNRESOLVED or wished or self._ends_attempt(kind)):
            self.counters.attempt_fails += 1
            ending.finish(tcb, result)
        else:
            # Told now, and again if the connection times out (MUST-47, MUST-56, SHLD-25).
            tcb.soft_error = tcb.trouble = result
            if tcb.estats is not None:
                tcb.estats.soft_errors += 1
            self.work.mark(tcb)

    def address_lost(self, address: bytes, farewell: bool) -> None:
        """RFC 5227 2.4: connections from `address` are reset before it is given up."""
        for tcb in self.connections():
            if tcb.local == address:
                if farewell:
                    ending.abort(tcb)
                else:
                    ending.finish(tcb, status.ABORTED)

    def _ends_attempt(self, kind: int) -> bool:
        """RFC 1122 4.2.3.9, or as RFC 5461 4.1 and RFC 5927 5.2 allow to have it."""
        fatal = self.config.tcp_connect_errors
        return fatal == "all" or (fatal == "hard" and kind in HARD)

    def timer_fired(self, tcb: Tcb, kind: int) -> None:
        """A timer of `tcb` expired."""
        timeouts.fired(tcb, kind)

    # Settling.

    def catch_up(self) -> None:
        """Take the acknowledgments that were held: the frames of this turn are through."""
        holding = self.holding
        if holding:
            self.holding = []
            for tcb in holding:
                acking.release(tcb)

    def settle(self) -> None:
        """Indicate, then let everybody who was marked send; each once.

        What users ask for while they are told leaves with the rest.  Only who is then still to be
        told something waits for the next turn.
        """
        if self.holding:
            self.catch_up()
        if self.accepting.items:
            for listener in self.accepting.take():
                listener.indicate()
        batch = self.work.begin()
        for tcb in batch:
            indicate(tcb)
        for tcb in batch:
            tcb.marked = False
            output(tcb)
            if untold(tcb):
                self.work.mark(tcb)

    # Connections.

    def connect(
        self, address: bytes, port: int, scope: int, own: bytes, lport: int
    ) -> tuple[int, Tcb | None]:
        """A new Tcb towards `address`, or the status that says why not (RFC 9293 3.10.1)."""
        layer = self._host.layers[len(address)]
        if addr.is_multicast(address) or layer.is_broadcast_anywhere(address):
            return status.INVALID, None  # MUST-46
        path = self.find_path(address, own, scope)
        if path is None:
            return status.NO_ROUTE, None
        if self.full():
            return status.NO_MEMORY, None
        ports = port.to_bytes(2, "big") + lport.to_bytes(2, "big")
        old = self._table.get(path.dst + path.src + ports)
        if isinstance(old, Tcb | Silence):
            return status.IN_USE, None
        if old is not None:
            # RFC 6191 is the peer's side of it; a fresh ISN is ahead of the old one (RFC 6528).
            self.time_wait.remove(old)
        return status.OK, self.new_tcb(path, lport, port)

    def arrives(self, tcb: Tcb, seg: Segment) -> None:
        """`seg` turned out to be for `tcb`."""
        input.segment_arrives(tcb, seg)

    def new_tcb(self, path: Path, lport: int, rport: int, keep: bool = True) -> Tcb:
        """A Tcb in CLOSED, entered into the table if it is to be kept."""
        key = path.dst + path.src + (rport << 16 | lport).to_bytes(4, "big")
        tcb = Tcb(self, path, key, lport, rport, self.congestion(), self.isn.secrets(key))
        if self.config.tcp_estats:
            tcb.estats = Estats(self.env.now)
        if keep:
            self._table[key] = tcb
        return tcb

    def occupied(self, key: bytes) -> bool:
        """There is a connection with these addresses and ports."""
        return key in self._table

    def next_ticket(self) -> int:
        """A number that no other connection of this stack was inspected under."""
        self._tickets += 1
        return self._tickets

    def offer_fast_open(self, tcb: Tcb) -> Offer | None:
        """What the SYN of `tcb`, whose user wants Fast Open, is to say of it."""
        if not self.config.tcp_fast_open:
            return None
        return self.fast_open.offer(tcb.local + tcb.remote)

    def forget(self, tcb: Tcb) -> None:
        """`tcb` leaves the table."""
        if tcb.state > SYN_RECEIVED:
            self.counters.curr_estab -= 1
        if self._table.get(tcb.key) is tcb:
            del self._table[tcb.key]

    def rest(self, tcb: Tcb) -> None:
        """`tcb` enters TIME-WAIT: a record takes its place."""
        self.counters.curr_estab -= 1
        self._table[tcb.key] = self.time_wait.add(tcb)

    def hush(self, tcb: Tcb) -> None:
        """`tcb` falls silent: its place in the table stays taken."""
        self.counters.curr_estab -= 1
        self._table[tcb.key] = _SILENCE

    def unhush(self, tcb: Tcb) -> None:
        """A silent connection is closed."""
        if self._table.get(tcb.key) is _SILENCE:
            del self._table[tcb.key]

    def release_key(self, key: bytes) -> None:
        """A TIME-WAIT record is gone."""
        if isinstance(self._table.get(key), TimeWait):
            del self._table[key]

    def connections(self) -> list[Tcb]:
        """Every connection, for those who look."""
        return [entry for entry in self._table.values() if isinstance(entry, Tcb)]

    def info(self) -> list[TcpInfo]:
        """A snapshot of every connection."""
        return [info.snapshot(tcb) for tcb in self.connections()]

    def estats(self) -> list[dict[str, estats.Group]]:
        """RFC 4898's objects of every connection, by group."""
        return [estats.snapshot(tcb) for tcb in self.connections()]

    def full(self) -> bool:
        """The table holds as many connections as the configuration allows."""
        limit = self.config.tcp_connection_limit
        return len(self._table) >= limit and len(self._table) - len(self.time_wait) >= limit

    # Addresses and paths.

    def layer_of(self, tcb: Tcb) -> IpLayer:
        return self._host.layers[len(tcb.remote)]

    def reply_path(self, pkt: Packet) -> Path | None:
        """The way back to whoever sent `pkt`."""
        return self._host.layers[len(pkt.src)].reply_path(pkt)

    def path_again(self, path: Path) -> Path | None:
        """The successor of a path that is no longer valid."""
        return self._host.layers[len(path.dst)].path(path.dst, path.src, path.nic)
