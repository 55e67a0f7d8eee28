# SPDX-License-Identifier: MIT
"""The script's sequence numbers and timestamps, and the live ones.

As in the original, a SYN has the sequence number that the script writes, and all other numbers
count from the initial ones.  The other end begins where the script says; the stack begins
anywhere: the first SYN seen gives the distance.
"""

from __future__ import annotations

from stack.base import seq
from stack.tcp.names import SYN_SENT
from stack.tcp.tcb import Tcb
from tools.drill.outcome import Failure
from tools.drill.script import Option, TcpPacket
from tools.drill.wire import Seen
from tools.drill.world import World

_SYN, _RST, _ACK = 0x02, 0x04, 0x10


class Numbers:
    """One connection as the script knows it."""

    def __init__(self, lport: int, rport: int) -> None:
        self.lport = lport
        self.rport = rport
        self.tcb: Tcb | None = None
        self.expected = 0  # what the other end would send next
        self.renewing = False  # a SYN for a new connection of these ports has come
        self._iss: int | None = None  # the stack's initial number, live
        self._offset = 0  # ... minus the script's
        self._irs = 0  # the other end's
        self._label = 0  # the stack's flow label, live
        self._syn = 0  # the number of its latest SYN, which may be refused
        self._stamps: dict[int, int] = {}  # the stack's timestamps, script to live
        self._first_stamp: tuple[int, int] | None = None

    @property
    def ports(self) -> tuple[int, int]:
        """As the other end writes them."""
        return self.rport, self.lport

    def find(self, world: World) -> Tcb | None:
        """The connection in the stack; an ended one is remembered."""
        found = world.tcb(self.lport, self.rport)
        if found is not None:
            self.tcb = found
        return self.tcb

    def begins(self) -> None:
        """A new connection of these ports: numbers start anew."""
        self.renewing = False
        self._iss = None
        self._stamps.clear()
        self._first_stamp = None

    # From the script to the wire.

    def live(self, number: int, syn: bool = False) -> int:
        """One of the stack's sequence numbers as it is on the wire, in a SYN or elsewhere."""
        return (number + (self._offset if syn else self._iss or 0)) & 0xFFFFFFFF

    def theirs(self, number: int, syn: bool) -> int:
        """One of the other end's sequence numbers as it is on the wire."""
        if not syn:
            return (number + self._irs) & 0xFFFFFFFF
        self._syn = number
        if self.tcb is not None and self.tcb.state == SYN_SENT:
            self._irs = number
        return number

    def live_options(self, spec: TcpPacket) -> tuple[Option, ...]:
        """The options of an inbound packet: SACK blocks and echoed timestamps translated."""
        return tuple(self._live_option(option, spec) for option in spec.options or ())

    def _live_option(self, option: Option, spec: TcpPacket) -> Option:
        if option.name == "sack":
            return Option("sack", tuple((self.live(a), self.live(b)) for a, b in option.value))
        if option.name == "TS" and spec.flags & _ACK:
            val, ecr = option.value
            if ecr not in self._stamps and ecr and self._first_stamp is None:
                raise Failure("unable to infer live timestamp echo: none was sent yet")
            return Option("TS", (val, self._live_stamp(ecr)))
        return option

    def _live_stamp(self, ecr: int) -> int:
        if ecr in self._stamps or self._first_stamp is None:
            return self._stamps.get(ecr, ecr)
        raise Failure(f"unable to infer live timestamp echo value from script value {ecr}")

    # From the wire to the script.

    def script(self, seen: Seen, spec: TcpPacket) -> tuple[int, int]:
        """(seq, ack) of an outbound packet as the script counts."""
        if seen.flags & spec.flags & _SYN:
            if self._iss is None or self.renewing:
                self.begins()
                self._iss = seen.seq
                self._offset = seq.sub(seen.seq, spec.seq or 0)
            if seen.flags & _ACK:
                self._irs = self._syn
        return self.told(seen)

    def told(self, seen: Seen) -> tuple[int, int]:
        """As `script`, without learning anything."""
        if seen.flags & _SYN:
            return seq.sub(seen.seq, self._offset), seen.ack
        number = seq.sub(seen.seq, self._iss or 0)
        if seen.flags & (_RST | _ACK) == _RST | _ACK and seen.seq == 0:
            number = 0  # the answer to a segment without ACK
        return number, seq.sub(seen.ack, self._irs) if seen.flags & _ACK else seen.ack

    def script_label(self, script: int | None, live: int) -> int:
        """The flow label as the script writes it, which expects `script`: our own is random, but
        it is one per connection, and none where the script says 0."""
        if script is None or not script or not live:
            return live
        self._label = self._label or live
        return script if live == self._label else live

    def script_options(self, seen: Seen) -> tuple[Option, ...]:
        """The options of an outbound packet: SACK blocks translated."""
        return tuple(
            Option("sack", tuple((self._mine(a), self._mine(b)) for a, b in option.value))
            if option.name == "sack"
            else option
            for option in seen.options
        )

    def _mine(self, number: int) -> int:
        return seq.sub(number, self._irs)

    def same_stamp(self, script: int, live: int, tick: int, tolerance: int) -> bool:
        """Is `live` what the script calls `script`?  Only with a known tick can that be false."""
        if self._first_stamp is None:
            self._first_stamp = (script, live)
        if tick:
            since_script = seq.diff(script, self._first_stamp[0])
            since_live = seq.diff(live, self._first_stamp[1])
            # Our clock's tick is a millisecond, the script's is `tick` ns.
            if abs(since_script * tick - since_live * 1_000_000) > tolerance + tick:
                return False
        self._stamps[script] = live
        return True
