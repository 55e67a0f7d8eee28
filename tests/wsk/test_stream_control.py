# SPDX-License-Identifier: MIT
"""What options and IOCTLs do to connections, on the wire and off it (wsk.md 4.4-4.6)."""

from __future__ import annotations

from struct import calcsize, unpack
from typing import Any

import pytest

from stack.base.addr import V4, V6
from stack.base.units import MS, SECOND
from stack.ip.seam import NET_UNREACHABLE, ErrorReport
from tap.impair import Impairment
from tap.port import Port
from tests.harness import World
from tests.harness.world import RecordingPort
from tests.wsk.control_kit import get, ioctl, make, put
from tests.wsk.kit import (
    Couple,
    Party,
    Request,
    accept,
    bind,
    close,
    disconnect,
    receive,
    send,
)
from wsk_api import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    SIO_KEEPALIVE_VALS,
    SIO_TCP_INFO,
    SIO_TCP_INITIAL_RTO,
    SIO_TCP_SET_ACK_FREQUENCY,
    SIO_TCP_SET_ICW,
    SIO_WSK_QUERY_RECEIVE_BACKLOG,
    SIO_WSK_SET_TCP_SILENT_MODE,
    SO_CONNECT_TIME,
    SO_KEEPALIVE,
    SO_RCVBUF,
    SOL_SOCKET,
    TCP_CONGESTION_ALGORITHM,
    TCP_FAIL_CONNECT_ON_ICMP_ERROR,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_MAXRT,
    TCP_MAXRTMS,
    TCP_MAXSEG,
    TCP_NOSYNRETRIES,
    TCP_TIMESTAMPS,
    ULONG,
    WSK_FLAG_ABORTIVE,
)

LEVEL = {V4: IPPROTO_IP, V6: IPPROTO_IPV6}
OK = "STATUS_SUCCESS"
TCP = IPPROTO_TCP


class Wire:
    """Two hosts, a listener on the far one, a bound socket on the near one, and every frame."""

    def __init__(self, world: World, family: int, answer: bool = True) -> None:
        self.ports: list[RecordingPort] = []
        deaf = None if answer else Impairment(loss=1.0)
        a, b = world.pair(wrap=self._wrap, offload=False, back=deaf)
        self.world, self.family = world, family
        self.near, self.far = Party(world, a), Party(world, b)
        self.listener = self.far.listener(80)
        self.a = make(self.near, "C")
        assert bind(self.a).status == OK
        self.accepting = accept(self.listener)

    def _wrap(self, port: Port) -> Port:
        self.ports.append(RecordingPort(port))
        return self.ports[-1]

    def connect(self, span: int = SECOND) -> Request:
        remote = self.far.address(self.family, 80)
        request = Request().issue(self.a.Dispatch.WskConnect, self.a, remote, 0)
        self.world.run(span)
        return request

    @property
    def b(self) -> Any:
        return self.accepting.info

    def packets(self, side: int = 0) -> list[bytes]:
        """IP packets with TCP that left one side."""
        frames = [f[14:] for f in self.ports[side].frames]
        return [p for p in frames if (p[9] if p[0] >> 4 == 4 else p[6]) == 6]


def l4(packet: bytes) -> bytes:
    return packet[20 if packet[0] >> 4 == 4 else 40 :]


@pytest.fixture
def wire(world: World, family: int) -> Wire:
    return Wire(world, family)


# What every segment carries.


def test_hops_and_traffic_class(wire: Wire) -> None:
    """Each form is for its own family; a listener hands both down."""
    own, other = LEVEL[wire.family], LEVEL[V4 + V6 - wire.family]
    for socket in (wire.a, wire.listener):
        for level, hops, tos in ((own, 9, 0x48), (other, 200, 0x20)):
            assert put(socket, level, 4, ULONG(hops)) == OK
            assert put(socket, level, 39, ULONG(tos)) == OK
    assert wire.connect().status == OK
    send(wire.a, b"data")
    send(wire.b, b"data")
    wire.world.run(SECOND)
    for side in (0, 1):
        last = wire.packets(side)[-1]
        four = last[0] >> 4 == 4
        assert (last[8] if four else last[7]) == 9
        assert (last[1] if four else (last[0] & 15) << 4 | last[1] >> 4) == 0x48
    assert get(wire.b, own, 4) == (OK, ULONG(9))
    # On a living connection at once.
    assert put(wire.a, own, 4, ULONG(11)) == OK
    assert put(wire.a, other, 4, ULONG(12)) == OK
    send(wire.a, b"data")
    wire.world.run(SECOND)
    last = wire.packets()[-1]
    assert (last[8] if last[0] >> 4 == 4 else last[7]) == 11


def test_segment_and_path(wire: Wire) -> None:
    code = 73 if wire.family == V4 else 72
    assert get(wire.a, TCP, TCP_MAXSEG)[0] == "STATUS_INVALID_DEVICE_STATE"
    assert get(wire.a, LEVEL[wire.family], code)[0] == "STATUS_INVALID_DEVICE_STATE"
    assert get(wire.a, SOL_SOCKET, SO_CONNECT_TIME) == (OK, ULONG(0xFFFFFFFF))
    wire.connect()
    headers = 20 if wire.family == V4 else 40
    assert get(wire.a, TCP, TCP_MAXSEG) == (OK, ULONG(1500 - headers - 20 - 12))
    assert get(wire.a, LEVEL[wire.family], code) == (OK, ULONG(1500))
    wire.world.run(10 * SECOND)
    assert get(wire.a, SOL_SOCKET, SO_CONNECT_TIME) == (OK, ULONG(11))


def test_no_timestamps(wire: Wire) -> None:
    assert get(wire.a, TCP, TCP_TIMESTAMPS) == (OK, ULONG(1))
    assert put(wire.a, TCP, TCP_TIMESTAMPS, ULONG(0)) == OK
    assert wire.connect().status == OK
    send(wire.a, b"data")
    wire.world.run(SECOND)
    assert b"\x08\x0a" not in l4(wire.packets()[0])[20:]  # the SYN offers none
    assert all(l4(packet)[12] >> 4 == 5 for packet in wire.packets()[1:])


# The handshake.


def test_no_syn_retries(world: World, family: int) -> None:
    wire = Wire(world, family, answer=False)
    # The neighbour is known, or its silence would end the attempt sooner.
    nic = wire.near.host.nic
    nic.neighbors.heard(wire.far.host.address(family), wire.far.host.port.mac, True)
    assert put(wire.a, TCP, TCP_NOSYNRETRIES, ULONG(1)) == OK
    assert get(wire.a, TCP, TCP_NOSYNRETRIES) == (OK, ULONG(1))
    assert wire.connect(10 * SECOND).status == "STATUS_IO_TIMEOUT"
    assert len(wire.packets()) == 1


@pytest.mark.parametrize(
    ("rtt", "retries", "sent", "ended"),
    [
        (100, 2, 3, True),  # at 0, 100 and 300 ms
        (100, 0xFE, 1, True),
        (100, 0xFF, 4, False),  # at 0, 100, 300 and 700 ms
        (0, 0xFF, 1, False),  # the configured second
        (0xFFFF, 0xFF, 1, False),
    ],
)
def test_the_initial_time_out(
    world: World, family: int, rtt: int, retries: int, sent: int, ended: bool
) -> None:
    wire = Wire(world, family, answer=False)
    nic = wire.near.host.nic
    nic.neighbors.heard(wire.far.host.address(family), wire.far.host.port.mac, True)
    given = rtt.to_bytes(2, "little") + bytes((retries, 0))
    assert ioctl(wire.a, SIO_TCP_INITIAL_RTO, given)[0] == OK
    request = wire.connect(999 * MS)
    assert len(wire.packets()) == sent
    assert request.pending == (not ended)


def test_an_icmp_error_ends_the_attempt(world: World, family: int) -> None:
    """A soft one, which otherwise does not."""
    for fail in (0, 1):
        a, b = world.pair(back=Impairment(loss=1.0))
        a.nic.neighbors.heard(b.address(family), b.port.mac, True)
        near = Party(world, a)
        socket = make(near, "C")
        bind(socket)
        assert put(socket, TCP, TCP_FAIL_CONNECT_ON_ICMP_ERROR, ULONG(fail)) == OK
        remote = Party(world, b).address(family, 9)
        connecting = Request().issue(socket.Dispatch.WskConnect, socket, remote, 0)
        tcb = a.stack.tcp.connections()[0]
        world.run(0)
        quoted = tcb.lport.to_bytes(2, "big") + (9).to_bytes(2, "big")
        quoted += tcb.snd.iss.to_bytes(4, "big")
        a.stack.tcp.on_error(ErrorReport(NET_UNREACHABLE, tcb.local, tcb.remote, 6, quoted))
        world.run(0)
        assert connecting.pending == (not fail)
        if fail:
            assert connecting.status == "STATUS_NETWORK_UNREACHABLE"


@pytest.mark.parametrize(("level", "segments"), [(0, 10), (1, 10), (2, 16), (3, 32), (254, 2)])
def test_the_initial_window(wire: Wire, level: int, segments: int) -> None:
    assert ioctl(wire.a, SIO_TCP_SET_ICW, ULONG(level))[0] == OK
    wire.connect()
    info = tcp_info(wire.a, 0)
    assert info["Cwnd"] == segments * info["Mss"]


def test_levels_of_the_initial_window(wire: Wire) -> None:
    assert ioctl(wire.a, SIO_TCP_SET_ICW, ULONG(5))[0] == "STATUS_INVALID_PARAMETER"


# Data.


def test_the_receive_buffer_is_the_window(wire: Wire) -> None:
    for socket in (wire.a, wire.listener):
        assert put(socket, SOL_SOCKET, SO_RCVBUF, ULONG(5000)) == OK
    wire.connect()
    assert get(wire.b, SOL_SOCKET, SO_RCVBUF) == (OK, ULONG(5000))
    for socket, other in ((wire.a, wire.b), (wire.b, wire.a)):
        assert tcp_info(socket, 0)["RcvBuf"] == 5000
        send(other, bytes(20000))
    wire.world.run(SECOND)
    for socket in (wire.a, wire.b):
        status, octets = ioctl(socket, SIO_WSK_QUERY_RECEIVE_BACKLOG, None, 8)
        backlog = int.from_bytes(octets, "little")
        assert (status, len(octets)) == (OK, 8)
        assert 3000 < backlog <= 5000
    # A larger one is told to the peer.
    assert put(wire.a, SOL_SOCKET, SO_RCVBUF, ULONG(15000)) == OK
    wire.world.run(10 * SECOND)
    octets = ioctl(wire.a, SIO_WSK_QUERY_RECEIVE_BACKLOG, None, 8)[1]
    assert 12000 < int.from_bytes(octets, "little") <= 15000


@pytest.mark.parametrize("every", [1, 2, 8])
def test_how_often_is_acknowledged(wire: Wire, every: int) -> None:
    wire.connect()
    assert ioctl(wire.b, SIO_TCP_SET_ACK_FREQUENCY, bytes((every,)))[0] == OK
    zero = ioctl(wire.b, SIO_TCP_SET_ACK_FREQUENCY, b"\0")[0]
    assert zero == "STATUS_INVALID_PARAMETER"
    receiving = receive(wire.b, 8 * 1400)
    mss = tcp_info(wire.a, 0)["Mss"]
    before = len(wire.packets(1))
    for _ in range(8):  # one at a time: a turn of the stack acknowledges once
        send(wire.a, bytes(mss))
        wire.world.run(MS)
    assert receiving[0].info > 0
    assert len(wire.packets(1)) - before == 8 // every


def test_keep_alive_values(wire: Wire) -> None:
    wire.connect()
    given = ULONG(1) + ULONG(5000) + ULONG(2000)
    assert ioctl(wire.a, SIO_KEEPALIVE_VALS, given)[0] == OK
    assert get(wire.a, SOL_SOCKET, SO_KEEPALIVE) == (OK, ULONG(1))
    assert get(wire.a, TCP, TCP_KEEPIDLE) == (OK, ULONG(5))
    assert get(wire.a, TCP, TCP_KEEPINTVL) == (OK, ULONG(2))
    before = len(wire.packets())
    wire.world.run(4 * SECOND)
    assert len(wire.packets()) == before
    wire.world.run(2 * SECOND)
    assert len(wire.packets()) == before + 1
    off = ULONG(0) + bytes(8)
    assert ioctl(wire.a, SIO_KEEPALIVE_VALS, off)[0] == OK
    wire.world.run(60 * SECOND)
    assert len(wire.packets()) == before + 1
    bad = ULONG(1) + bytes(8)
    assert ioctl(wire.a, SIO_KEEPALIVE_VALS, bad)[0] == "STATUS_INVALID_PARAMETER"


def test_defaults_can_be_read(wire: Wire) -> None:
    for code, value in ((TCP_KEEPIDLE, 7200), (TCP_KEEPINTVL, 1), (16, 10), (TCP_MAXRT, 120)):
        assert get(wire.a, TCP, code) == (OK, ULONG(value))
    assert get(wire.a, LEVEL[wire.family], 4) == (OK, ULONG(64))


def test_milliseconds_and_seconds_are_one_time(wire: Wire) -> None:
    assert put(wire.a, TCP, TCP_MAXRTMS, ULONG(2500)) == OK
    assert get(wire.a, TCP, TCP_MAXRT) == (OK, ULONG(2))
    wire.connect()
    close(wire.b)
    wire.far.host.stack.v4.local.clear()
    wire.far.host.stack.v6.local.clear()
    assert put(wire.a, TCP, TCP_MAXRT, ULONG(0xFFFFFFFF)) == OK
    assert get(wire.a, TCP, TCP_MAXRTMS) == (OK, ULONG(0xFFFFFFFF))


@pytest.mark.parametrize(("value", "name"), [(1, "Reno"), (2, "Compound"), (3, "Cubic")])
def test_congestion_control(wire: Wire, value: int, name: str) -> None:
    assert put(wire.a, TCP, TCP_CONGESTION_ALGORITHM, ULONG(value)) == OK
    wire.connect()
    assert wire.near.host.stack.tcp.info()[0].congestion == name.lower()
    assert put(wire.a, TCP, TCP_CONGESTION_ALGORITHM, ULONG(0)) == "STATUS_INVALID_DEVICE_STATE"
    early = make(wire.near, "C")
    refused = put(early, TCP, TCP_CONGESTION_ALGORITHM, ULONG(value))
    assert refused == "STATUS_INVALID_DEVICE_STATE"


# SIO_TCP_INFO.

V0 = "State:I Mss:I ConnectionTimeMs:Q TimestampsEnabled:B :3x RttUs:I MinRttUs:I BytesInFlight:I "
V0 += "Cwnd:I SndWnd:I RcvWnd:I RcvBuf:I BytesOut:Q BytesIn:Q BytesReordered:I BytesRetrans:I "
V0 += "FastRetrans:I DupAcksIn:I TimeoutEpisodes:I SynRetrans:B :3x "
V1 = V0 + "SndLimTransRwin:I SndLimTimeRwin:I SndLimBytesRwin:Q SndLimTransCwnd:I "
V1 += "SndLimTimeCwnd:I SndLimBytesCwnd:Q SndLimTransSnd:I SndLimTimeSnd:I SndLimBytesSnd:Q "
V2 = V1 + "OutOfOrderPktsIn:I EcnNegotiated:B :3x EceAcksIn:I PtoEpisodes:I"
SIZES = (88, 136, 152)


def tcp_info(socket: Any, version: int) -> dict[str, int]:
    fields = [field.split(":") for field in (V0, V1, V2)[version].split()]
    layout = "<" + "".join(kind for _, kind in fields)
    assert calcsize(layout) == SIZES[version]
    for irp in (True, False):
        status, octets = ioctl(socket, SIO_TCP_INFO, ULONG(version), 200, irp)
        assert (status, len(octets)) == (OK, SIZES[version])
    names = [name for name, _ in fields if name]
    return dict(zip(names, unpack(layout, octets), strict=True))


@pytest.mark.parametrize("version", [0, 1, 2])
def test_tcp_info(wire: Wire, version: int) -> None:
    early = ioctl(wire.a, SIO_TCP_INFO, ULONG(version), 200)[0]
    assert early == "STATUS_INVALID_DEVICE_STATE"
    wire.connect()
    receiving, _ = receive(wire.b, 3000)
    send(wire.a, bytes(2000))
    wire.world.run(SECOND)
    assert receiving.info > 0
    near, far = tcp_info(wire.a, version), tcp_info(wire.b, version)
    assert near["State"] == far["State"] == 4  # ESTABLISHED
    assert near["BytesOut"] == far["BytesIn"] == 2000
    assert near["ConnectionTimeMs"] == 2000
    assert near["TimestampsEnabled"] == 1
    assert near["BytesInFlight"] == near["BytesRetrans"] == near["TimeoutEpisodes"] == 0
    assert near["Cwnd"] >= 10 * near["Mss"]
    assert near["SndWnd"] > 0
    if version:
        assert [near[name] for name in near if name.startswith("SndLim")] == [0] * 9
    disconnect(wire.a)
    wire.world.run(SECOND)
    assert tcp_info(wire.a, version)["State"] == 6  # FIN_WAIT_2
    assert tcp_info(wire.b, version)["State"] == 7  # CLOSE_WAIT


def test_tcp_info_of_a_lossy_path(world: World, family: int) -> None:
    couple = Couple(world, family, wire=Impairment(loss=0.05, delay=20 * MS))
    _, _ = receive(couple.b, 300_000, 2)
    send(couple.a, bytes(300_000))
    couple.run(60 * SECOND)
    near, far = tcp_info(couple.a, 2), tcp_info(couple.b, 2)
    assert far["BytesIn"] == 300_000
    assert near["BytesOut"] == 300_000 + near["BytesRetrans"]
    assert near["FastRetrans"] > 0
    assert near["DupAcksIn"] > 0
    assert far["OutOfOrderPktsIn"] > 0
    assert far["BytesReordered"] >= far["OutOfOrderPktsIn"]
    assert near["MinRttUs"] >= 40_000


def test_wrong_versions_and_sizes(wire: Wire) -> None:
    wire.connect()
    assert ioctl(wire.a, SIO_TCP_INFO, ULONG(3), 200)[0] == "STATUS_INVALID_PARAMETER"
    for version, size in enumerate(SIZES):
        small = ioctl(wire.a, SIO_TCP_INFO, ULONG(version), size - 1)[0]
        assert small == "STATUS_BUFFER_TOO_SMALL"
        lie = ioctl(wire.a, SIO_TCP_INFO, ULONG(version), bytearray(87), sizes=(4, size))[0]
        assert lie == "STATUS_INVALID_PARAMETER"


# Silence.


def silence(socket: Any) -> str:
    return str(ioctl(socket, SIO_WSK_SET_TCP_SILENT_MODE)[0])


def test_silent_mode(wire: Wire) -> None:
    wire.connect()
    pending = send(wire.a, b"not acknowledged yet")
    assert silence(wire.a) == "STATUS_INVALID_DEVICE_STATE"
    wire.world.run(SECOND)
    assert pending.info == 20
    waiting, _ = receive(wire.a, 10)
    assert silence(wire.a) == OK
    sent = len(wire.packets())
    assert silence(wire.a) == "STATUS_INVALID_DEVICE_STATE"
    send(wire.b, b"nobody hears this")
    assert send(wire.a, b"x").status == "STATUS_INVALID_DEVICE_STATE"
    for flags in (0, WSK_FLAG_ABORTIVE):
        assert disconnect(wire.a, flags=flags).status == "STATUS_INVALID_DEVICE_STATE"
    wire.world.run(30 * SECOND)
    assert waiting.pending
    assert wire.near.host.drops()["tcp_silent"] > 1
    assert close(wire.a).status == OK
    assert waiting.status == "STATUS_CANCELLED"
    assert len(wire.packets()) == sent  # not even a reset
    # Its name is free again.
    send(wire.b, b"now there is nobody")
    wire.world.run(60 * SECOND)
    assert len(wire.packets()) > sent


def test_no_silence_on_loopback_or_behind_a_disconnect(wire: Wire) -> None:
    wire.connect()
    disconnect(wire.a)
    assert silence(wire.a) == "STATUS_INVALID_DEVICE_STATE"
    wire.near.listener(81)
    _, connecting = near = wire.near.connecting(wire.near.address(wire.family, 81))
    wire.world.run(SECOND)
    assert connecting.status == OK
    assert silence(near[0]) == "STATUS_NOT_SUPPORTED"
