# SPDX-License-Identifier: MIT
"""`World`: everything a test needs around a stack, in virtual time and from one seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

from stack import Config, Stack, Trace
from stack.base import addr, fate
from stack.base.head import Head
from stack.base.status import OK
from stack.base.timers import Timer
from stack.base.units import View
from stack.link.nic import Nic
from stack.tcp.names import STATE_NAMES
from stack.tcp.tcb import Tcb
from stack.transport.datagram_seam import Datagram, DatagramSink
from stack.transport.seam import Listener, Stream
from stack.wire import describe
from tap.clock import VirtualEnv
from tap.frames import join
from tap.impair import PERFECT, ImpairedPort, Impairment
from tap.memory import wire
from tap.port import Port, Wrapper
from tests.harness.hub import Hub
from tests.harness.peer import Peer

QUIET = Config(dad=False, router_solicitations=False, multicast_reports=False)


class Recorder(Trace):
    """Keeps what happened, readable."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.arrows: list[tuple[int, int]] = []

    def dropped(self, reason: int, frame: bytes, offset: int) -> None:
        self.lines.append(f"drop {fate.NAMES[reason]}")

    def address(self, nic: str, address: bytes, state: str) -> None:
        self.lines.append(f"{nic} {addr.text(address)} {state}")

    def name(self, nic: str, name: str, state: str) -> None:
        self.lines.append(f"{nic} {name} {state}")

    def tcp_state(self, flow: str, old: int, new: int) -> None:
        self.arrows.append((old, new))
        self.lines.append(f"{flow} {STATE_NAMES[old]} -> {STATE_NAMES[new]}")


class RecordingPort(Wrapper):
    """Keeps a copy of every frame that leaves through it."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.frames: list[bytes] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.frames.append(join(head, views, 0))
        return super().transmit(head, views)


class Host:
    """A stack on one end of a wire."""

    def __init__(self, stack: Stack, nic: Nic, port: Port) -> None:
        self.stack = stack
        self.nic = nic
        self.port = port
        self.v4 = b""
        self.v6 = b""

    def address(self, family: int) -> bytes:
        """This host's address of a family."""
        return self.v4 if family == addr.V4 else self.v6

    def hears_frames(
        self, frames: Sequence[bytes], together: bool = True, cuts: Sequence[int] = ()
    ) -> None:
        """`frames` arrive in one turn: one by one, or together, but for gaps before those whose
        numbers are in `cuts`."""
        if together:
            for start, end in pairwise((0, *cuts, len(frames))):
                self.nic.receive_all(list(frames[start:end]))
        else:
            for frame in frames:
                self.nic.receive(frame)
        self.nic.pause()

    def drops(self) -> dict[str, int]:
        """What was dropped, by reason."""
        return self.stack.door.snapshot()

    def tcp_timers(self) -> list[Timer]:
        """The armed timers of connections."""
        return [t for t in self.stack.timers.armed() if isinstance(t.owner, Tcb)]

    def stream(self) -> Stream:
        return self.stack.tcp.open_stream(addr.V4 | addr.V6)

    def listener(self) -> Listener:
        return self.stack.tcp.open_listener(addr.V4 | addr.V6)

    def datagram(self) -> Datagram:
        return self.stack.udp.open_datagram(addr.V4 | addr.V6)

    def hears(self, sink: DatagramSink, port: int = 7, share: int = 0) -> Datagram:
        """A socket on `port` for both families; `sink` gets what comes."""
        endpoint = self.datagram()
        endpoint.attach(sink)
        assert endpoint.bind(b"", port, share) == OK
        return endpoint

    def raw(self, protocol: int) -> Datagram:
        endpoint = self.stack.raw.open_raw(addr.V4 | addr.V6, protocol)
        assert endpoint is not None
        return endpoint


class World:
    """A clock, a seed, and what lives by them."""

    judging = False
    """Let `judge` look at every frame that a stack of this world sends."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self.env = VirtualEnv(seed)
        self.trace = Recorder()
        self.env.trace = self.trace
        self.loop = self.env.loop
        self._hosts = 0

    @property
    def now(self) -> int:
        return self.env.now

    def run(self, span: int | None = None) -> None:
        """Run to idleness, or for `span` ns."""
        if span is None:
            self.loop.run()
        else:
            self.loop.run(self.env.now + span)

    def pair(
        self,
        config: Config | None = None,
        config_b: Config | None = None,
        mtu: int = 1500,
        offload: bool = True,
        there: Impairment | None = None,
        back: Impairment | None = None,
        wrap: Callable[[Port], Port] | None = None,
        big: bool = False,
    ) -> tuple[Host, Host]:
        """Two stacks on one wire; `there` impairs a to b, `back` b to a; `wrap` wraps both ends;
        `big` lets super-frames be longer than an IP packet."""
        config = config or QUIET
        port_a, port_b = self._wire(mtu, offload, there, back, big)
        if wrap is not None:
            port_a, port_b = wrap(port_a), wrap(port_b)
        a = self._host(port_a, config, 1)
        b = self._host(port_b, config_b or config, 2)
        return a, b

    def stack_on(self, port: Port, number: int, config: Config | None = None) -> Host:
        """A stack on an end of a wire that the test made."""
        return self._host(port, config or QUIET, number)

    def host(
        self,
        config: Config | None = None,
        mtu: int = 1500,
        offload: bool = False,
        wrap: Callable[[Port], Port] | None = None,
    ) -> tuple[Host, Peer]:
        """One stack, and a peer made of nothing but frames at the other end of the wire; `wrap`
        wraps the stack's end."""
        port_a, port_b = self._wire(mtu, offload, None, None)
        host = self._host(port_a if wrap is None else wrap(port_a), config or QUIET, 1)
        peer = Peer(self, port_b, host, 2)
        return host, peer

    def hub(self, configs: Sequence[Config], mtu: int = 1500) -> list[Host]:
        """Stacks on one link, each hearing all the others."""
        link = Hub(mtu)
        return [
            self._host(link.port(bytes((2, 0, 0, 0, 1, number))), config, number)
            for number, config in enumerate(configs, 1)
        ]

    def _wire(
        self,
        mtu: int,
        offload: bool,
        there: Impairment | None,
        back: Impairment | None,
        big: bool = False,
    ) -> tuple[Port, Port]:
        self._hosts += 2
        base = bytes((2, 0, 0, 0, 0))
        a: Port
        b: Port
        macs = (base + bytes((self._hosts - 1,)), base + bytes((self._hosts,)))
        a, b = wire(*macs, mtu, offload, big)
        if there or back:
            a = ImpairedPort(a, lambda: self.env.now, there or PERFECT, back or PERFECT, self.seed)
        return a, b

    def judged(self, port: Port) -> Port:
        """`port`, behind a judge if there is to be one."""
        if not self.judging:
            return port
        from tests.harness.judge import JudgingPort  # scapy takes a second to import

        return JudgingPort(port)

    def _host(self, port: Port, config: Config, number: int) -> Host:
        stack = Stack(self.env, config)
        nic = stack.add_nic(self.judged(port), f"wsk{number}")
        host = Host(stack, nic, port)
        host.v4 = addr.parse(f"10.77.0.{number}")
        host.v6 = addr.parse(f"fd77::{number}")
        stack.add_address(nic, addr.text(host.v4), 24)
        if port.mtu >= 1280:
            stack.add_address(nic, addr.text(host.v6), 64)
        self.loop.add(stack, nic, port)
        return host


def quiet(**settings: object) -> Config:
    """The usual test configuration with some settings changed."""
    return replace(QUIET, **settings)  # type: ignore[arg-type]


def line(frame: bytes, header: int) -> str:
    """A frame as one line."""
    return describe.frame(frame, header)
