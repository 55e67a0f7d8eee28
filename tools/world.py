# SPDX-License-Identifier: MIT
"""What the demo brings up: a wire, a stack, WSK over it, and the services.

`DemoWorld` has a kernel on the other side of the wire, `MemoryWorld` a second stack with
forwarded loopback ports.  `start` and `stop` are symmetric: nothing is left behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from stack import Config, Stack, Trace
from stack.base import addr
from stack.base.seam import Executor
from stack.base.units import SECOND
from stack.ip.addrconf import TENTATIVE
from stack.link.nic import Nic
from tap.aio import AsyncioRuntime
from tap.impair import ImpairedPort, Impairment
from tap.ladder import KERNEL_ADDRESSES, STACK_ADDRESSES, Attachment
from tap.pcapng import Capture, CapturingPort
from tap.port import Port
from tap.thread import ThreadRuntime
from tools.gateway import Gateway
from tools.guests import Guest
from tools.services.echo import CharacterSource, Discard, Echo, UdpEcho
from tools.services.http import Http
from tools.services.wskecho import EchoServer
from wsk_api import Subsystem

TCP_PORTS: Final = {80: 8080, 7: 8007, 9: 8009, 19: 8019, 40007: 40007}
"""Service ports and where the in-memory rung forwards them to."""
UDP_PORTS: Final = {7: 8007}

Host = Callable[[str, int], tuple[str, int]]
"""(protocol, service port) -> (address, port) to use."""


class AddressTaken(Exception):
    """Duplicate address detection found somebody."""


def spare_the_collector() -> None:
    """What is there by now stays: the garbage collector need not look at it again and again.

    The stack leaves it next to nothing to find; looking costs a fifth of what a connection does.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


class Service(Protocol):
    """Anything that can be stopped."""

    def stop(self) -> None: ...


class DemoWorld:
    """The stack behind a wire to the kernel."""

    kernel_peer = True
    patience = 15 * SECOND
    """How long a network has to configure the stack before the demo goes on without."""

    def __init__(
        self,
        attachment: Attachment,
        trace: Trace | None = None,
        pcap: Path | None = None,
        impairment: Impairment | None = None,
        seed: int = 0,
        config: Config | None = None,
        guests: tuple[Path, ...] = (),
        busy_poll: int = 0,
    ) -> None:
        # A wire that somebody gave us may lead to other stations: look before taking an address.
        self._config = config or Config(dad=attachment.rung == "given")
        self.attachment = attachment
        self._trace = trace
        self._pcap = pcap
        self._impairment = impairment
        self._seed = seed
        self._busy_poll = busy_poll
        self.guests = [Guest(path) for path in guests]
        self._services: list[Service] = []
        self.runtime: ThreadRuntime
        self.stack: Stack

    def start(self) -> None:
        """Bring everything up."""
        self.bring_up()
        self.await_addresses()
        self.serve()

    def bring_up(self) -> None:
        """A stack on the wire, without services."""
        self.runtime = ThreadRuntime(self._trace, self._busy_poll)
        self.stack = Stack(self.runtime.env, self._config)
        port = self.wrap(self.attachment.port, lambda: self.runtime.env.now)
        self.configure(self.connect(port))
        self.runtime.start()

    def serve(self) -> None:
        """The services, on a stack that has begun."""
        subsystem = Subsystem()
        subsystem.attach(self.stack.providers, self.runtime, self.stack.names)
        self.start_services(subsystem)
        spare_the_collector()

    def connect(self, port: Port) -> Nic:
        """Attach the wire to the stack."""
        nic = self.stack.add_nic(port, "wsk0")
        self.runtime.loop.add(self.stack, nic, port)
        return nic

    def configure(self, nic: Nic) -> None:
        """Addresses and routes, or somebody who gets them."""
        if self.attachment.automatic:
            self.stack.configure(nic)
            return
        for address, length in STACK_ADDRESSES:
            self.stack.add_address(nic, address, length)
        self.stack.add_route("0.0.0.0", 0, nic, KERNEL_ADDRESSES[0][0])
        self.stack.add_route("::", 0, nic, KERNEL_ADDRESSES[1][0])

    def await_addresses(self) -> None:
        """Wait until nobody has objected to our addresses.  Raises AddressTaken.

        Where the network is to give them: until it has given one of each family, or for some
        seconds; what comes later is used just as well.
        """
        if self.attachment.automatic:
            self.runtime.wait(lambda: len(self._routable()) == 2, self.patience)
            return
        mine = [addr.parse(address) for address, _ in STACK_ADDRESSES]
        layers = [self.stack.v4 if len(address) == 4 else self.stack.v6 for address in mine]
        pairs = list(zip(mine, layers, strict=True))

        def settled() -> bool:
            return all(layer.addresses.all[own].state != TENTATIVE for own, layer in pairs)

        self.runtime.wait(settled, 15 * SECOND)
        for own, layer in pairs:
            if own not in layer.local:
                raise AddressTaken(
                    f"another station on this wire has {addr.text(own)}, which the stack wants"
                )

    def _routable(self) -> dict[int, str]:
        """For each family an address that is good beyond the link, if there is one."""
        found: dict[int, str] = {}
        for family, layer in ((4, self.stack.v4), (6, self.stack.v6)):
            for entry in layer.local.values():
                if not entry.nic.is_loopback and not addr.is_link_local(entry.address):
                    found.setdefault(family, addr.text(entry.address))
        return found

    def addresses(self) -> list[str]:
        """What the stack can be reached by on its wire, the link-local addresses last."""
        if not self.attachment.automatic:
            own = [address for address, _ in STACK_ADDRESSES]
        else:
            own = list(self._routable().values())
        return own + [
            addr.text(entry.address)
            for layer in (self.stack.v4, self.stack.v6)
            for entry in layer.local.values()
            if addr.is_link_local(entry.address)
        ]

    def start_services(self, subsystem: Subsystem) -> None:
        """Every service, each a WSK client of its own."""
        self._services = [
            Http(subsystem, 80),
            Echo(subsystem, 7),
            UdpEcho(subsystem, 7),
            Discard(subsystem, 9),
            CharacterSource(subsystem, 19),
            EchoServer(subsystem),
        ]
        for guest in self.guests:
            guest.serve(subsystem)
            self._services.append(guest)

    def stop_services(self) -> None:
        """In reverse order."""
        while self._services:
            self._services.pop().stop()

    def stop(self) -> None:
        """Take everything down, from whatever point `start` reached."""
        self.stop_services()
        time.sleep(0.02)  # let the last resets leave
        self.runtime.stop()
        self.attachment.close()

    def wrap(self, port: Port, now: Callable[[], int]) -> Port:
        """Impair and capture, as asked for."""
        if self._impairment is not None:
            port = ImpairedPort(port, now, self._impairment, self._impairment, self._seed)
        if self._pcap is not None:
            port = CapturingPort(port, Capture(self._pcap.open("wb")), time.time_ns)
        return port

    def end_with(self, ended: Callable[[], None]) -> None:
        """Call `ended` if the world comes to an end by itself."""

    def status(self) -> int:
        """The exit status: 0 unless it did."""
        return 0

    @property
    def executor(self) -> Executor:
        """Who runs things on the stacks' thread."""
        return self.runtime

    def stacks(self) -> dict[str, Stack]:
        """What `tools/wsk ip` and its like can look at, the stack itself first."""
        return {"stack": self.stack}

    def hosts(self) -> Iterator[tuple[int, Host]]:
        """(4 or 6, where to find a service) for both families."""
        for family, address in self._routable().items():
            yield family, lambda protocol, port, at=address: (at, port)  # type: ignore[misc]

    def own_checks(self) -> Iterator[tuple[str, str]]:
        """Checks that need no peer process: (what, "ok ..." or what is wrong)."""
        yield from ()

    def not_possible(self) -> Iterator[tuple[str, str]]:
        """(what cannot be shown on this wire, the cure)."""
        yield from ()

    def hints(self) -> Iterator[str]:
        """What to type next."""
        inside = "tools/wsk in " if self.attachment.pid else ""
        found = self._routable()
        if 4 in found:
            yield f"{inside}ping -c3 {found[4]}"
            yield f"{inside}curl http://{found[4]}/"
        if 6 in found:
            yield f"{inside}curl -g 'http://[{found[6]}]/'"
        if self.attachment.pid:
            yield "tools/wsk shell"


class MemoryWorld(DemoWorld):
    """Two stacks on a wire in memory, and loopback ports of the real machine."""

    kernel_peer = False

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._ports: dict[tuple[str, int, int], tuple[str, int]] = {}
        self._aio: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._gateway: Gateway
        self._aio_runtime: AsyncioRuntime
        self._peer: Stack

    def start(self) -> None:
        self._aio = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="wskstack", daemon=True)
        self._thread.start()
        subsystem = self._call(self._bring_up())
        self.start_services(subsystem)
        self._call(self._open_ports())

    def stop(self) -> None:
        if self._aio is None or self._thread is None:
            return
        self.stop_services()
        self._call(self._take_down())
        self._aio.call_soon_threadsafe(self._aio.stop)
        self._thread.join()
        self._aio.close()
        self._aio = None

    @property
    def executor(self) -> Executor:
        return self._aio_runtime

    def stacks(self) -> dict[str, Stack]:
        return {"stack": self.stack, "peer": self._peer}

    def hosts(self) -> Iterator[tuple[int, Host]]:
        for family in (4, 6):
            yield family, lambda protocol, port, f=family: self._ports[protocol, port, f]  # type: ignore[misc]

    def own_checks(self) -> Iterator[tuple[str, str]]:
        for (address, _), family in zip(STACK_ADDRESSES, (4, 6), strict=True):
            yield f"ping between the stacks, IPv{family}", self._call(self._ping(address))

    def not_possible(self) -> Iterator[tuple[str, str]]:
        cure = "needs a kernel on the wire: " + "; ".join(
            f"{rung}: {why}" for rung, why in self.attachment.refused if rung in ("tap", "veth")
        )
        yield "ping from the kernel", cure.removesuffix(": ") or "run without --wire memory"
        yield "the kernel's own TCP as peer", "the same"

    def hints(self) -> Iterator[str]:
        address, port = self._ports["tcp", 80, 4]
        yield f"curl http://{address}:{port}/"
        address, port = self._ports["tcp", 80, 6]
        host = f"[{address}]" if ":" in address else address
        yield f"curl -g 'http://{host}:{port}/'        (to the stack over IPv6)"
        for service in (7, 9, 19, 40007, *(guest.port for guest in self.guests if guest.port)):
            address, port = self._ports["tcp", service, 4]
            yield f"nc {address} {port}        (TCP port {service} of the stack)"

    # On the event loop's thread.

    def _run(self) -> None:
        assert self._aio is not None
        asyncio.set_event_loop(self._aio)
        self._aio.run_forever()

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        assert self._aio is not None
        return asyncio.run_coroutine_threadsafe(work, self._aio).result(30)

    async def _bring_up(self) -> Subsystem:
        runtime = self._aio_runtime = AsyncioRuntime(self._trace)
        now = lambda: runtime.env.now  # noqa: E731
        self.stack = Stack(runtime.env, self._config)
        port = self.wrap(self.attachment.port, now)
        nic = self.stack.add_nic(port, "wsk0")
        for address, length in STACK_ADDRESSES:
            self.stack.add_address(nic, address, length)
        runtime.loop.add(self.stack, nic, port)
        assert self.attachment.peer is not None
        self._peer = Stack(runtime.env, self._config)
        peer_nic = self._peer.add_nic(self.attachment.peer, "gw0")
        for address, length in KERNEL_ADDRESSES:
            self._peer.add_address(peer_nic, address, length)
        runtime.loop.add(self._peer, peer_nic, self.attachment.peer)
        runtime.start()
        outside = Subsystem()
        outside.attach(self._peer.providers, runtime)
        self._gateway = Gateway(outside)
        subsystem = Subsystem()
        subsystem.attach(self.stack.providers, runtime, self.stack.names)
        return subsystem

    async def _open_ports(self) -> None:
        v6_host = "::1" if _has_loopback6() else "127.0.0.1"
        for family, host, (address, _) in zip(
            (4, 6), ("127.0.0.1", v6_host), STACK_ADDRESSES, strict=True
        ):
            guests = {guest.port: guest.port for guest in self.guests if guest.port}
            for service, port in (TCP_PORTS | guests).items():
                actual = await self._gateway.forward_tcp(host, port, address, service)
                self._ports["tcp", service, family] = (host, actual)
            guests = {guest.udp_port: guest.udp_port for guest in self.guests if guest.udp_port}
            for service, port in (UDP_PORTS | guests).items():
                actual = await self._gateway.forward_udp(host, port, address, service)
                self._ports["udp", service, family] = (host, actual)

    async def _take_down(self) -> None:
        self._gateway.close()
        await asyncio.sleep(0.02)
        self._aio_runtime.stop()

    async def _ping(self, address: str) -> str:
        """The gateway's stack pings the other."""
        packed = addr.parse(address)
        icmp = self._peer.icmp_for(packed)
        times: list[int] = []
        icmp.listen(1, lambda src, seq, size, ttl, when: times.append(when))
        began = self._aio_runtime.env.now
        for number in range(3):
            icmp.echo(packed, 1, number, bytes(56))
            self._aio_runtime.wanted()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_until(lambda n=number: len(times) > n), 2)  # type: ignore[misc]
        icmp.unlisten(1)
        took = (self._aio_runtime.env.now - began) / SECOND
        if len(times) != 3:
            return f"{len(times)}/3 answered"
        return f"ok 3/3 answered in {took * 1e3:.1f} ms"


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.0005)


def _has_loopback6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True
