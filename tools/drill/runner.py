# SPDX-License-Identifier: MIT
"""One script, one run: events in order, each at its time.

As in the original, a relative time counts from when the event before really happened, packets
the stack sends wait in order for the next `>`, and what nobody asked for is not an error.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from stack.base.units import SECOND
from tools.drill import compare, sysctl
from tools.drill.calls import Pending
from tools.drill.constants import BSD_STATES
from tools.drill.cookies import Cookies
from tools.drill.info import SOCKSTAT, Info, count_states
from tools.drill.numbers import Numbers
from tools.drill.outcome import FAIL, PASS, UNSUPPORTED, Failure, Result, ScriptError, Unsupported
from tools.drill.parser import options_of, parse
from tools.drill.script import (
    ANY,
    RELATIVE,
    Code,
    Command,
    Event,
    IcmpPacket,
    Option,
    Script,
    SystemCall,
    TcpPacket,
    UdpPacket,
    When,
)
from tools.drill.settings import Settings
from tools.drill.sockets import TcpSocket
from tools.drill.syscalls import Calls
from tools.drill.wire import COOKIES, TCP, UDP, Seen, icmp_numbers, write_options
from tools.drill.world import World

_PATIENCE: Final = 2 * SECOND
_ANY_PATIENCE: Final = 3600 * SECOND
_LARGEST: Final = 65000
_SYN, _FIN, _PSH, _ACK = 0x02, 0x01, 0x08, 0x10


class Run:
    """A script that is running."""

    def __init__(self, settings: Settings, script: Script, capture: Path | None = None) -> None:
        self.settings = settings
        self.script = script
        self.world = World(settings, sysctl.foresee(settings, script), capture)
        self.calls = Calls(self.world, self._opened)
        self.cookies = Cookies(self.world, settings.symbols().get("TFO_COOKIE", ""))
        self.line = 0
        self._base = self.world.start  # when the event before happened
        self._chained = False  # ... and it was an inbound packet
        self._connections: dict[tuple[int, int], Numbers] = {}
        self._current: Numbers | None = None
        self._listening = 0  # a port that waits for the script's SYN
        self._remote_port = settings.connect_port + 32768
        self._udp_port = 0
        self._pending: Pending | None = None
        self.world.watch = self._watch

    def run(self) -> None:
        """All events.  Raises Failure or Unsupported; `line` says where."""
        for event in self.script.events:
            self.line = event.line
            self._event(event)
        self._finish_call()

    def close(self) -> None:
        self.world.close()

    def _event(self, event: Event) -> None:
        action = event.action
        if isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and not action.inbound:
            self._expect(event, action)
            return
        if event.when.kind == ANY:
            raise Failure("only an outbound packet may come at any time")
        due = self._due(event.when)[0]
        end = due
        if isinstance(action, SystemCall) and action.end is not None:
            end = self._due(action.end)[0]
        if due > self.world.now:
            self.world.run(due)
        self._base = max(due, self.world.now)
        if isinstance(action, TcpPacket):
            self._inject_tcp(action)
        elif isinstance(action, UdpPacket):
            ports = action.ports or (self.settings.connect_port, self._udp_local())
            self.world.inject(UDP, self.world.builder.udp(ports, action.length), action.ip)
        elif isinstance(action, IcmpPacket):
            self._inject_icmp(action)
        elif isinstance(action, SystemCall):
            self._call(action, end)
        elif isinstance(action, Code):
            self._code(action)
        else:
            self._command(action)

    # Time.

    def _due(self, when: When) -> tuple[int, int]:
        base = self._base if when.kind == RELATIVE else self.world.start
        return base + when.start, base + when.end

    def _tolerance(self, at: int) -> int:
        """Longer waits may be less exact."""
        share = int((at - self._base) * self.settings.tolerance_percent / 100)
        return max(self.settings.tolerance, share)

    def _seconds(self, when: int) -> str:
        return f"{(when - self.world.start) / SECOND:.6f}"

    def _check_time(self, what: str, first: int, last: int, actual: int) -> None:
        slack = self._tolerance(first)
        if first - slack <= actual <= last + slack:
            return
        expected = self._seconds(first)
        if last != first:
            expected += " ~ " + self._seconds(last)
        raise Failure(
            f"timing error: expected {what} at {expected} sec but happened at "
            f"{self._seconds(actual)} sec; tolerance {slack / SECOND:.6f} sec"
        )

    # Packets to the stack.

    def _inject_tcp(self, spec: TcpPacket) -> None:
        numbers = self._for_inbound(spec)
        alive = self.world.tcb(numbers.lport, numbers.rport) is not None
        if spec.flags & (_SYN | _ACK) == _SYN and not alive:
            numbers.renewing = True
        if spec.length > _LARGEST:
            raise Failure(f"a packet of {spec.length} octets cannot be sent in one piece")
        options = write_options(self._live_options(numbers, spec))
        syn = spec.flags & _SYN != 0
        ack = numbers.live(spec.ack, syn) if spec.ack is not None else 0
        win = 0 if spec.win is None else spec.win
        number = numbers.expected if spec.seq is None else spec.seq
        urg = spec.urg or 0
        live = number if spec.absolute else numbers.theirs(number, syn)
        segment = self.world.builder.tcp(
            numbers.ports, live, ack, spec.flags, win, urg, options, spec.length
        )
        first = 0 if syn else number
        numbers.expected = first + spec.length + (spec.flags & _FIN) + (spec.flags >> 1 & 1)
        self.world.inject(TCP, segment, spec.ip)
        numbers.find(self.world)

    def _live_options(self, numbers: Numbers, spec: TcpPacket) -> tuple[Option, ...]:
        options = numbers.live_options(spec)
        if spec.flags & (_SYN | _ACK) != _SYN:
            return options
        return tuple(
            Option(o.name, self.cookies.live(o.value)) if o.name in COOKIES else o for o in options
        )

    def _script_options(self, numbers: Numbers, spec: TcpPacket, seen: Seen) -> tuple[Option, ...]:
        """The options of an outbound packet as the script writes them."""
        options = numbers.script_options(seen)
        if seen.flags & (_SYN | _ACK) != _SYN | _ACK:
            return options
        wanted = {o.name: o.value for o in spec.options or () if o.name in COOKIES}
        return tuple(
            Option(o.name, self.cookies.script(wanted[o.name], o.value)) if o.name in wanted else o
            for o in options
        )

    def _for_inbound(self, spec: TcpPacket) -> Numbers:
        """The connection a packet of the script belongs to."""
        if spec.ports is not None:
            rport, lport = spec.ports
            return self._enter(lport, rport)
        if spec.flags & (_SYN | _ACK) == _SYN and self._listening:
            lport, self._listening = self._listening, 0
            self._remote_port += 1
            return self._enter(lport, self._remote_port)
        if self._listening and self._current is None:
            return self._enter(self._listening, self._remote_port + 1)
        if self._current is None:
            return self._enter(self.settings.bind_port, self._remote_port)
        return self._current

    def _enter(self, lport: int, rport: int) -> Numbers:
        """The connection of these ports, which is the one under test from now on."""
        self._current = self._connections.setdefault((lport, rport), Numbers(lport, rport))
        return self._current

    def _opened(self, how: str, socket: TcpSocket, lport: int, rport: int) -> None:
        """A call made a connection or a place for one."""
        if how == "listen":
            self._listening = lport
        elif how == "connect":
            self._enter(lport, rport).begins()
        elif (lport, rport) in self._connections:
            self._connections[lport, rport].find(self.world)

    def _udp_local(self) -> int:
        for socket in self.calls.sockets.values():
            if socket.bound is not None and not isinstance(socket, TcpSocket):
                self._udp_port = socket.bound[1]
        return self._udp_port or self.settings.bind_port

    def _inject_icmp(self, spec: IcmpPacket) -> None:
        builder = self.world.builder
        kind, code = icmp_numbers(spec, builder.v6)
        rest = spec.mtu or spec.ident << 16
        body = bytes(spec.length)
        if spec.quoted is not None:
            proto, start, length = spec.quoted
            if proto == "udp":
                ports = (self._udp_local(), self.settings.connect_port)
                body = builder.quoted(UDP, ports, 0, length)
            else:
                current = self._current or Numbers(self.settings.bind_port, self._remote_port)
                ports = (current.lport, current.rport)
                body = builder.quoted(TCP, ports, current.live(start), length)
        proto_number, message = builder.icmp(kind, code, rest, body)
        self.world.inject(proto_number, message, spec.ip)

    # Packets from the stack.

    def _expect(self, event: Event, spec: TcpPacket | UdpPacket | IcmpPacket) -> None:
        world = self.world
        first, last = self._due(event.when)
        limit = world.now + _ANY_PATIENCE if event.when.kind == ANY else last + _PATIENCE
        seen = self._next(spec, max(limit, world.now))
        if isinstance(spec, TcpPacket) and seen.kind == "tcp":
            seen = self._merged(spec, seen)
        actual = ""
        try:
            if isinstance(spec, TcpPacket):
                numbers = self._for_outbound(spec, seen)
                actual = compare.describe(
                    seen, self._seconds(seen.when), *numbers.script(seen, spec)
                )
                self._compare_tcp(spec, seen, numbers)
            else:
                actual = compare.describe(seen, self._seconds(seen.when), 0, 0)
                self._compare_other(spec, seen)
            if event.when.kind != ANY:
                self._check_time("outbound packet", first, last, seen.when)
        except Failure as failure:
            if not actual:
                actual = compare.describe(seen, self._seconds(seen.when), seen.seq, seen.ack)
            raise Failure(
                f"error handling packet: {failure}\n"
                f"script packet: {event.text}\nactual packet: {actual}"
            ) from None
        self._base = seen.when

    def _next(self, spec: TcpPacket | UdpPacket | IcmpPacket, limit: int) -> Seen:
        """The next packet of the connection under test; what others send is passed over."""
        world = self.world
        while world.inbox or world.run(limit, lambda: bool(world.inbox)):
            seen = world.inbox.popleft()
            known = self._connections.get((seen.sport, seen.dport), self._current)
            if known is self._current or not isinstance(spec, TcpPacket) or spec.ports:
                return seen
        raise Failure("timed out waiting for packet")

    def _for_outbound(self, spec: TcpPacket, seen: Seen) -> Numbers:
        if seen.kind != "tcp":
            raise Failure(f"live packet protocol: expected: tcp vs actual: {seen.kind}")
        numbers = self._connections.get((seen.sport, seen.dport))
        if numbers is None:
            raise Failure(f"live packet ports: {seen.sport} > {seen.dport} is no connection here")
        if spec.ports is not None and spec.ports != (seen.sport, seen.dport):
            raise compare.differs("ports", spec.ports, (seen.sport, seen.dport))
        return numbers

    def _compare_tcp(self, spec: TcpPacket, seen: Seen, numbers: Numbers) -> None:
        settings = self.settings
        number, ack = numbers.script(seen, spec)

        def same_stamp(script: int, live: int) -> bool:
            slack = self._tolerance(seen.when)
            return numbers.same_stamp(script, live, settings.ts_tick, slack)

        seen.options = self._script_options(numbers, spec, seen)
        seen.label = numbers.script_label(spec.ip.label, seen.label)
        compare.segment(settings, spec, seen, number, ack, same_stamp)
        numbers.find(self.world)

    def _compare_other(self, spec: UdpPacket | IcmpPacket, seen: Seen) -> None:
        want = "udp" if isinstance(spec, UdpPacket) else "icmp"
        if seen.kind != want:
            raise Failure(f"live packet protocol: expected: {want} vs actual: {seen.kind}")
        compare.ip_header(spec.ip, seen)
        if not seen.checksum_good:
            raise Failure("live packet checksum is wrong")
        if isinstance(spec, UdpPacket):
            if spec.length != seen.length:
                raise compare.differs("udp_payload_length", spec.length, seen.length)
            if spec.ports is not None and spec.ports != (seen.sport, seen.dport):
                raise compare.differs("ports", spec.ports, (seen.sport, seen.dport))
            return
        kind, code = icmp_numbers(spec, seen.v6)
        if (kind, code) != seen.icmp[:2]:
            raise compare.differs("icmp type and code", (kind, code), seen.icmp[:2])
        if spec.mtu and spec.mtu != seen.icmp[2] & 0xFFFF:
            raise compare.differs("icmp_mtu", spec.mtu, seen.icmp[2] & 0xFFFF)
        if spec.ident and spec.ident != seen.icmp[2] >> 16:
            raise compare.differs("icmp_id", spec.ident, seen.icmp[2] >> 16)

    def _merged(self, spec: TcpPacket, seen: Seen) -> Seen:
        """Segments put together up to the length that a script for offload expects."""
        inbox = self.world.inbox
        while (
            not self.settings.strict_segments
            and 0 < seen.length < spec.length
            and inbox
            and inbox[0].kind == "tcp"
            and inbox[0].seq == (seen.seq + seen.length) & 0xFFFFFFFF
            and (inbox[0].ack, inbox[0].win) == (seen.ack, seen.win)
            and (inbox[0].sport, inbox[0].dport) == (seen.sport, seen.dport)
            and 0 < inbox[0].length <= spec.length - seen.length
            and not seen.flags & _FIN
        ):
            other = inbox.popleft()
            seen.length += other.length
            seen.data += other.data
            seen.flags |= other.flags
        return seen

    # Everything else.

    def _call(self, call: SystemCall, end: int) -> None:
        self._finish_call()
        finder: Callable[..., Any] = self.calls.find(call.name)
        self.calls.wanted = call.result if isinstance(call.result, int) else 0
        self._pending = Pending(call, self.world.now)
        self._pending.start(finder)
        self.world.settle()
        self._pending.expected = self.world.now if call.end is None else end
        if self._pending.done or call.end is None:
            self._finish_call()

    def _watch(self) -> None:
        if self._pending is not None:
            self._pending.poll(self.world.now)

    def _finish_call(self) -> None:
        """The call in progress must come to its end, and be on time."""
        pending = self._pending
        if pending is None:
            return
        if not pending.done:
            limit = max(pending.expected, self.world.now) + _PATIENCE
            self.world.run(limit, lambda: pending.done)
        self._pending = None
        pending.check()
        slack = max(
            self.settings.tolerance,
            int((pending.expected - pending.began) * self.settings.tolerance_percent / 100),
        )
        if abs(pending.ended - pending.expected) > slack:
            raise Failure(
                f"timing error in {pending.call.name} call: expected to end at "
                f"{self._seconds(pending.expected)} sec but ended at "
                f"{self._seconds(pending.ended)} sec; tolerance {slack / SECOND:.6f} sec"
            )

    def _code(self, code: Code) -> None:
        numbers = self._current
        tcb = None if numbers is None else numbers.find(self.world)
        try:
            exec(compile(code.text, "code", "exec"), {}, Info(tcb, bool(self._listening)))
        except Unsupported:
            raise
        except AssertionError as error:
            raise Failure(f"code: assertion failed: {error} in: {code.text.strip()}") from None
        except Exception as error:  # noqa: BLE001 - it is the script's code
            raise Failure(f"code: {type(error).__name__}: {error}") from None

    def _command(self, command: Command) -> None:
        counted = SOCKSTAT.fullmatch(command.text.strip())
        if counted is not None and counted[2] in BSD_STATES and counted[2] != "LISTEN":
            count = count_states(self.world.stack, int(counted[1] or 0), counted[2])
            if counted[3] not in str(count):
                raise Failure(f"{count} connections in {counted[2]}, expected {counted[3]}")
            return
        config = self.world.config
        if sysctl.apply(config, command.text) != config:
            first = next(e for e in self.script.events if not isinstance(e.action, Command))
            if self.line > first.line:
                raise Unsupported("changing a setting while the script runs")


def run_text(name: str, text: str, settings: Settings, capture: Path | None = None) -> Result:
    """What comes of a script."""
    run: Run | None = None
    try:
        settings = settings.told(options_of(text))
        script = parse(text, settings.symbols())
        run = Run(settings, script, capture)
        run.run()
    except ScriptError as error:
        return Result(name, FAIL, error.line, f"syntax error: {error}")
    except Unsupported as error:
        return Result(name, UNSUPPORTED, error.line or (run.line if run else 0), str(error))
    except Failure as failure:
        return Result(name, FAIL, run.line if run else 0, str(failure))
    except Exception as error:  # noqa: BLE001 - one bad script must not end the others
        text = f"cannot be run: {type(error).__name__}: {error}"
        return Result(name, FAIL, run.line if run else 0, text)
    finally:
        if run is not None:
            run.close()
    return Result(name, PASS)
