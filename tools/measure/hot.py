# SPDX-License-Identifier: MIT
"""What the hot paths cost, and where: python -m tools.measure.hot

In memory, a device that takes everything and a peer who sends ready-made frames, IPv4 with
timestamps, checksums vouched for: microseconds of one thread's CPU time for

    a super-frame of 64 KB received, indicated by WSK and acknowledged
    a super-frame of 64 KB sent, and its acknowledgment taken
    a connection: handshake, one octet there and back, a reset

and the shares of the packages, from a second run under Python's own profiler: it slows calls down
more than other work, so that shares are all that is taken from it.  `tools/bench --profile` prints
it as a table.
"""

from __future__ import annotations

import cProfile
import json
import pstats
import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from stack import Config, Stack
from stack.base import addr
from stack.base.head import Head
from stack.base.units import MS, US, View
from stack.link.seam import EVERYTHING, Device
from stack.wire import ethernet, ipv4, tcp, vnet
from stack.wire.tcp import ACK, PSH, RST, SYN
from tap.clock import SystemEnv
from tap.loop import Loop, VirtualExecutor, VirtualLoop
from tools.services.echo import CharacterSource, Discard, Echo
from tools.world import spare_the_collector
from wsk_api import Subsystem

_ROOT: Final = Path(__file__).resolve().parent.parent.parent
_OURS: Final = addr.parse("10.77.0.2")
_PEER: Final = addr.parse("10.77.0.1")
_MAC: Final = bytes.fromhex("0277736b0002")
_PEER_MAC: Final = bytes.fromhex("0277736b0001")
_SYN_OPTIONS: Final = bytes((2, 4, 5, 180, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0, 1, 3, 3, 10))
_MSS: Final = 1448
_SUPER: Final = bytes(45 * _MSS)
_WINDOW: Final = 8192  # KiB, by the window scale in the SYN
_BATCH: Final = 28  # of 64 KB, what the receive window takes in one turn
_GOES: Final = 7
_ROUNDS: Final = 100


class Taken(Device):
    """Takes every frame; remembers header and size of those with payload, and of handshakes."""

    mac = _MAC
    mtu = 1500
    header = vnet.LENGTH
    features = EVERYTHING

    def __init__(self) -> None:
        self.sent: list[tuple[bytes, int]] = []

    def transmit(self, head: Head, views: Sequence[View]) -> bool:
        self.sent.append((bytes(head.written()), sum(map(len, views))))
        return True


class Scene:
    """A stack with the demo's services, and its peer."""

    def __init__(self) -> None:
        executor = VirtualExecutor()
        self.env = SystemEnv(executor)
        self.loop = VirtualLoop(self.env, executor)
        quiet = Config(dad=False, router_solicitations=False, multicast_reports=False)
        self.stack = Stack(self.env, quiet)
        self.device = Taken()
        self.nic = self.stack.add_nic(self.device, "wsk0")
        self.stack.add_address(self.nic, addr.text(_OURS), 24)
        neighbor = self.nic.neighbors.lookup(_PEER)
        self.nic.neighbors.heard(_PEER, _PEER_MAC, create=True)
        self.nic.neighbors.reached(neighbor)
        self.loop.stacks.append(self.stack)
        subsystem = Subsystem()
        subsystem.attach(self.stack.providers, executor)
        self.services = (Echo(subsystem, 7), Discard(subsystem, 9), CharacterSource(subsystem, 19))
        self.spent = 0.0

    def frame(
        self, ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes = b""
    ) -> bytes:
        """A segment of the peer; a super-frame if `data` is more than a segment holds."""
        stamp = self.env.now // MS & 0xFFFFFFFF
        options = _SYN_OPTIONS if flags & SYN else tcp.timestamps_option(stamp, 0)
        bits = 20 + len(options) << 10 | flags
        bare = tcp.HEADER.pack(*ports, seq, ack & 0xFFFFFFFF, bits, _WINDOW, 0, 0) + options
        total = ipv4.LENGTH + len(bare) + len(data)
        head = ipv4.build(0, total, 0, ipv4.DF, 64, 6, _PEER, _OURS)
        gso = _MSS if len(data) > _MSS else 0
        prefix = vnet.build(vnet.GSO_TCPV4 if gso else 0, 66, gso, 34, 16)
        return b"".join((prefix, _MAC, _PEER_MAC, ethernet.TYPE_IPV4, head, bare, data))

    def turn(self, frames: list[bytes], later: int = MS) -> list[tuple[bytes, int]]:
        """One turn with these frames; the time of the stack alone counts.  What it has sent."""
        self.env.now += later
        self.device.sent = []
        start = time.thread_time()
        self.nic.receive_all(frames)
        Loop.turn(self.loop)
        self.loop.deadline()
        self.spent += time.thread_time() - start
        sent = self.device.sent
        while Loop.turn(self.loop):  # what was put off is somebody else's time
            pass
        return sent

    def opened(self, ports: tuple[int, int]) -> int:
        """A connection; the stack's next sequence number."""
        sent = self.turn([self.frame(ports, 1000, 0, SYN)])
        iss = _sequence(next(head for head, _ in sent if _port(head) == ports[0]))
        self.turn([self.frame(ports, 1001, iss + 1, ACK)])
        return iss + 1


def _port(head: bytes) -> int:
    """Whose segment it is: the peer's port, with a TCP header behind plain others."""
    return int.from_bytes(head[36:38], "big")


def _sequence(head: bytes) -> int:
    return int.from_bytes(head[38:42], "big")


def receiving(scene: Scene) -> Callable[[], int]:
    """Rounds of super-frames into the discard service."""
    ports = (4000, 9)
    ack = scene.opened(ports)
    at = 1001

    def go(many: int = _BATCH) -> int:
        nonlocal at
        frames = [
            scene.frame(ports, at + index * len(_SUPER) & 0xFFFFFFFF, ack, ACK, _SUPER)
            for index in range(many)
        ]
        at = at + many * len(_SUPER) & 0xFFFFFFFF
        scene.turn(frames)
        assert scene.stack.tcp.connections()[0].rcv.nxt == at, "not everything was taken"
        return many

    for _ in range(3):
        go(1)  # a first window has no scale; then there is room
    return go


def sending(scene: Scene) -> Callable[[], int]:
    """Rounds of acknowledgments for what the character source sends."""
    ports = (4001, 19)
    scene.opened(ports)
    out: list[tuple[bytes, int]] = []

    def go() -> int:
        nonlocal out
        frames = [
            scene.frame(ports, 1001, _sequence(head) + size, ACK) for head, size in out if size
        ]
        assert frames, "nothing more was sent"
        octets = sum(size for _, size in out)
        out = scene.turn(frames, 100 * US)
        return octets // len(_SUPER)

    # Its first data left with the handshake's end.
    number = scene.stack.tcp.connections()[-1].snd.nxt
    out = scene.turn([scene.frame(ports, 1001, number, ACK)], 100 * US)
    for _ in range(200):  # until the window holds super-frames
        go()
    return go


def sending_big(scene: Scene) -> Callable[[], int]:
    """The same to a peer who takes frames beyond 64 KB."""
    scene.nic.big_peer = _PEER_MAC
    return sending(scene)


def connecting(scene: Scene) -> Callable[[], int]:
    """Rounds of four connections at once to the echo service."""
    port = 10_000

    def go() -> int:
        nonlocal port
        four = [(port + index, 7) for index in range(4)]
        port = port + 4 if port < 60_000 else 10_000
        sent = scene.turn([scene.frame(ports, 1000, 0, SYN) for ports in four])
        iss = {_port(head): _sequence(head) for head, _ in sent}
        frames = []
        for ports in four:
            frames.append(scene.frame(ports, 1001, iss[ports[0]] + 1, ACK))
            frames.append(scene.frame(ports, 1001, iss[ports[0]] + 1, ACK | PSH, b"x"))
        assert len(scene.turn(frames)) >= 4, "the service does not answer"
        scene.turn([scene.frame(ports, 1002, iss[ports[0]] + 2, ACK) for ports in four])
        scene.turn([scene.frame(ports, 1002, iss[ports[0]] + 2, ACK | RST) for ports in four])
        return 4

    return go


PATHS: Final[dict[str, Callable[[Scene], Callable[[], int]]]] = {
    "64 KB received": receiving,
    "64 KB sent and acknowledged": sending,
    "the same in frames of 256 KB": sending_big,
    "a connection": connecting,
}


def cost(scene: Scene, go: Callable[[], int]) -> float:
    """Microseconds for one, the median of several goes."""
    found = []
    for _ in range(_GOES):
        scene.spent = 0.0
        count = sum(go() for _ in range(_ROUNDS))
        found.append(scene.spent * 1e6 / count)
    return statistics.median(found)


def shares(go: Callable[[], int]) -> dict[str, float]:
    """Of the time spent in Python code, which package has how much; calls into C are its own."""
    profile = cProfile.Profile(builtins=False)
    profile.enable()
    for _ in range(_ROUNDS):
        go()
    profile.disable()
    spent: defaultdict[str, float] = defaultdict(float)
    timings: Any = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (name, _, _), (_, _, own, _, _) in timings.items():
        path = Path(name)
        if path.is_relative_to(_ROOT) and not path.is_relative_to(_ROOT / "tools" / "measure"):
            spent[_package(path.relative_to(_ROOT))] += own
    total = sum(spent.values())
    return {package: own / total for package, own in spent.items()}


def _package(path: Path) -> str:
    if path.parts[0] == "stack" and len(path.parts) > 2:
        return f"stack/{path.parts[1]}"
    return path.parts[0] if path.parts[0] != "stack" else "stack"


def main() -> None:
    found: dict[str, dict[str, object]] = {}
    for name, make in PATHS.items():
        scene = Scene()
        go = make(scene)
        spare_the_collector()
        found[name] = {"cost": cost(scene, go), "shares": shares(go)}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
