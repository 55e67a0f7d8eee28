# SPDX-License-Identifier: MIT
"""What options and IOCTLs do to datagram sockets, on the wire and off it (wsk.md 4.4-4.6)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import addr
from stack.base.addr import V4, V6
from stack.base.units import SECOND
from stack.ip.seam import HOST_UNREACHABLE, ErrorReport
from tap.port import Port
from tests.harness import World
from tests.harness.world import RecordingPort
from tests.wsk.control_kit import get, ioctl, make, put
from tests.wsk.kit import Party, Request, bind, close, mapped
from tests.wsk.test_datagram import receive_from, send_to
from wsk_api import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    MSG_BCAST,
    MSG_MCAST,
    SIO_UDP_CONNRESET,
    SIO_UDP_NETRESET,
    SIO_WSK_SET_REMOTE_ADDRESS,
    SIO_WSK_SET_SENDTO_ADDRESS,
    SO_BROADCAST,
    SO_MAXPATHDG,
    SO_RCVBUF,
    SO_REUSEADDR,
    SOCKADDR_IN6,
    SOL_SOCKET,
    ULONG,
    wsk_buf,
)

LEVEL = {V4: IPPROTO_IP, V6: IPPROTO_IPV6}
GROUP = {V4: addr.parse("239.1.2.3"), V6: addr.parse("ff05::1:3")}
OK = "STATUS_SUCCESS"


class Wire:
    """Two hosts with a datagram socket each, and every frame that left."""

    def __init__(self, world: World) -> None:
        self.ports: list[RecordingPort] = []
        a, b = world.pair(wrap=self._wrap, offload=False)
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b)
        self.a = self.near.datagram(1000)
        self.b = self.far.datagram(2000)

    def _wrap(self, port: Port) -> Port:
        self.ports.append(RecordingPort(port))
        return self.ports[-1]

    def send(self, family: int, data: bytes = b"data", to: bytes | None = None) -> str:
        packed = self.far.host.address(family) if to is None else to
        name = SOCKADDR_IN6(2000, packed if len(packed) == 16 else mapped(packed))
        status = send_to(self.a, data, name).status
        self.world.run(10**9)
        return status

    def hear(self, room: int = 5000) -> tuple[Request, bytearray, int]:
        """What waits at the far socket: (request, memory, flags)."""
        request, memory, _, flags = receive_from(self.b, room)
        self.world.run(10**9)
        return request, memory, flags.value or 0

    def packets(self, family: int) -> list[bytes]:
        """IP packets with UDP, or fragments, that left the near host."""
        kind = b"\x08\x00" if family == V4 else b"\x86\xdd"
        found = [f[14:] for f in self.ports[0].frames if f[12:14] == kind]
        if family == V4:
            return [packet for packet in found if packet[9] == 17]
        return [packet for packet in found if packet[6] in (17, 44)]


@pytest.fixture
def wire(world: World) -> Wire:
    return Wire(world)


def hops_of(packet: bytes) -> int:
    return packet[8] if packet[0] >> 4 == 4 else packet[7]


def class_of(packet: bytes) -> int:
    return packet[1] if packet[0] >> 4 == 4 else (packet[0] & 15) << 4 | packet[1] >> 4


# How it is sent.


def test_hops_and_traffic_class(wire: Wire, family: int) -> None:
    level = LEVEL[family]
    assert put(wire.a, level, 4, ULONG(9)) == OK
    assert put(wire.a, level, 39, ULONG(0x48)) == OK
    other = LEVEL[V4 if family == V6 else V6]
    assert put(wire.a, other, 4, ULONG(200)) == OK
    wire.send(family)
    packet = wire.packets(family)[-1]
    assert (hops_of(packet), class_of(packet)) == (9, 0x48)
    assert get(wire.a, IPPROTO_IP, 3) == (OK, ULONG(0x48 if family == V4 else 0))


def test_no_checksum_over_ipv4_only(wire: Wire, family: int) -> None:
    assert put(wire.a, IPPROTO_UDP, 1, ULONG(1)) == OK
    assert wire.send(family) == OK
    header = 20 if family == V4 else 40
    check = wire.packets(family)[-1][header + 6 : header + 8]
    assert (check == b"\0\0") == (family == V4)
    assert wire.hear()[0].info == 4


@pytest.mark.parametrize("option", [14, 71])
def test_do_not_fragment(wire: Wire, family: int, option: int) -> None:
    level = LEVEL[family]
    assert wire.send(family, bytes(3000)) == OK
    assert len(wire.packets(family)) == 3
    assert put(wire.a, level, option, ULONG(1)) == OK
    assert get(wire.a, level, 71) == (OK, ULONG(1))
    assert get(wire.a, level, 14) == (OK, ULONG(1))
    assert wire.send(family, bytes(3000)) == "STATUS_INVALID_BUFFER_SIZE"
    assert wire.send(family, bytes(1000)) == OK
    if family == V4:
        assert wire.packets(family)[-1][6] == 0x40
    assert put(wire.a, level, 14, ULONG(0)) == OK
    assert wire.send(family, bytes(3000)) == OK


def test_by_the_interface_or_by_the_path(wire: Wire, family: int) -> None:
    """DO goes by what routers said, PROBE and DONT by the interface."""
    near, far = wire.near.host, wire.far.host.address(family)
    path = near.stack.host.layer_of(far).path(far)
    assert path is not None
    near.stack.host.pmtu.lower(path, 1300)
    level = LEVEL[family]
    sizes = {}
    for mode in (0, 1, 2, 3):
        assert put(wire.a, level, 71, ULONG(mode)) == OK
        before = len(wire.packets(family))
        status = wire.send(family, bytes(1400))
        sizes[mode] = (status, len(wire.packets(family)) - before)
    assert sizes == {0: (OK, 2), 1: ("STATUS_INVALID_BUFFER_SIZE", 0), 2: (OK, 1), 3: (OK, 1)}
    assert wire.send(family, bytes(1600)) == "STATUS_INVALID_BUFFER_SIZE"


def test_an_mtu_of_ones_own(wire: Wire, family: int) -> None:
    level = LEVEL[family]
    assert get(wire.a, level, 76) == (OK, ULONG(0xFFFFFFFF))
    assert put(wire.a, level, 76, ULONG(1280)) == OK
    assert wire.send(family, bytes(1400)) == OK
    assert max(len(packet) for packet in wire.packets(family)) <= 1280
    assert wire.hear()[0].info == 1400
    assert put(wire.a, level, 76, ULONG(0xFFFFFFFF)) == OK
    wire.send(family, bytes(1400))
    assert len(wire.packets(family)[-1]) > 1400


def test_the_mtu_towards_a_fixed_address(wire: Wire, family: int) -> None:
    code = 73 if family == V4 else 72
    assert get(wire.a, LEVEL[family], code)[0] == "STATUS_INVALID_DEVICE_STATE"
    assert get(wire.a, SOL_SOCKET, SO_MAXPATHDG)[0] == "STATUS_INVALID_DEVICE_STATE"
    fix(wire.a, SIO_WSK_SET_SENDTO_ADDRESS, wire.far.address(family, 2000))
    assert get(wire.a, LEVEL[family], code) == (OK, ULONG(1500))
    assert get(wire.a, SOL_SOCKET, SO_MAXPATHDG) == (OK, ULONG(1472 if family == V4 else 1452))
    other = V4 if family == V6 else V6
    wrong = get(wire.a, LEVEL[other], 73 if other == V4 else 72)
    assert wrong[0] == "STATUS_INVALID_DEVICE_STATE"


def test_many_datagrams_in_one_buffer(wire: Wire, family: int) -> None:
    assert put(wire.a, IPPROTO_UDP, 2, ULONG(1000)) == OK
    whole = bytes(range(250)) * 10
    assert wire.send(family, whole) == OK
    parts = [wire.hear() for _ in range(3)]
    assert [request.info for request, _, _ in parts] == [1000, 1000, 500]
    assert b"".join(memory[: request.info] for request, memory, _ in parts) == whole
    put(wire.a, IPPROTO_UDP, 2, ULONG(1))
    assert wire.send(family, bytes(1025)) == "STATUS_INVALID_PARAMETER"
    put(wire.a, IPPROTO_UDP, 2, ULONG(0))
    assert wire.send(family, whole) == OK
    assert wire.hear()[0].info == 2500


def test_joined_when_received(wire: Wire, family: int) -> None:
    """Equal sizes of one source, up to the first smaller one, and no more than fits."""
    assert put(wire.b, IPPROTO_UDP, 3, ULONG(25)) == OK
    other = wire.near.datagram(1001)
    for part in (b"a" * 10, b"b" * 10, b"c" * 4, b"d" * 10):
        wire.send(family, part)
    send_to(other, b"e" * 10, wire.far.address(family, 2000))
    wire.world.run(10**9)
    heard = [wire.hear() for _ in range(3)]
    got = [bytes(memory[: request.info]) for request, memory, _ in heard]
    assert got == [b"a" * 10 + b"b" * 10 + b"c" * 4, b"d" * 10, b"e" * 10]


def test_the_receive_buffer(wire: Wire, family: int) -> None:
    assert put(wire.b, SOL_SOCKET, SO_RCVBUF, ULONG(4000)) == OK
    for _ in range(10):
        wire.send(family, bytes(1000))
    kept = [wire.hear()[0] for _ in range(10)]
    assert sum(not request.pending for request in kept) == 3


# To whom, and from whom.


def fix(socket: Any, code: int, name: Any, size: int | None = None) -> str:
    size = 28 if size is None else size
    return str(ioctl(socket, code, name, None, True, (size, 0))[0])


def test_a_fixed_remote_address(wire: Wire, family: int) -> None:
    remote = wire.far.address(family, 2000)
    third = wire.far.datagram(3000)
    assert fix(wire.a, SIO_WSK_SET_REMOTE_ADDRESS, remote) == OK
    arguments = (wire.a, wsk_buf(b"fixed"), 0, None, 0, None)
    assert Request().issue(wire.a.Dispatch.WskSendTo, *arguments).info == 5
    assert wire.hear()[0].info == 5
    # An explicit address still works, but what comes back from there is dropped.
    explicit = send_to(wire.a, b"other", wire.far.address(family, 3000))
    assert explicit.status == OK
    waiting, _, _, _ = receive_from(wire.a, 10)
    send_to(third, b"answer", wire.near.address(family, 1000))
    wire.world.run(10**9)
    assert waiting.pending
    assert wire.near.host.drops()["udp_filtered"] == 1
    send_to(wire.b, b"yes", wire.near.address(family, 1000))
    wire.world.run(10**9)
    assert waiting.info == 3
    assert fix(wire.a, SIO_WSK_SET_REMOTE_ADDRESS, None, 0) == OK  # cleared
    assert Request().issue(wire.a.Dispatch.WskSendTo, *arguments).status == (
        "STATUS_INVALID_PARAMETER"
    )
    waiting, _, _, _ = receive_from(wire.a, 10)
    send_to(third, b"answer", wire.near.address(family, 1000))
    wire.world.run(10**9)
    assert waiting.info == 6


def test_a_fixed_destination_hears_everybody(wire: Wire, family: int) -> None:
    assert fix(wire.a, SIO_WSK_SET_SENDTO_ADDRESS, wire.far.address(family, 2000)) == OK
    arguments = (wire.a, wsk_buf(b"fixed"), 0, None, 0, None)
    assert Request().issue(wire.a.Dispatch.WskSendTo, *arguments).info == 5
    third = wire.far.datagram(3000)
    waiting, _, _, _ = receive_from(wire.a, 10)
    send_to(third, b"answer", wire.near.address(family, 1000))
    wire.world.run(10**9)
    assert waiting.info == 6


@pytest.mark.parametrize("code", [SIO_WSK_SET_REMOTE_ADDRESS, SIO_WSK_SET_SENDTO_ADDRESS])
def test_what_is_no_address(wire: Wire, code: int) -> None:
    good = wire.far.address(V6, 2000)
    for name, size in ((good, 16), (None, 28), (b"octets", 28), (SOCKADDR_IN6(1), 28)):
        assert fix(wire.a, code, name, size) == "STATUS_INVALID_PARAMETER"
    assert fix(wire.a, code, SOCKADDR_IN6(0, good.sin6_addr)) == "STATUS_INVALID_PARAMETER"


def test_icmp_errors_fail_a_receive(wire: Wire, family: int) -> None:
    close(wire.b)
    waiting, _, _, _ = receive_from(wire.a, 10)
    wire.send(family)
    assert waiting.status == "STATUS_PORT_UNREACHABLE"
    assert ioctl(wire.a, SIO_UDP_CONNRESET, ULONG(0))[0] == OK
    waiting, _, _, _ = receive_from(wire.a, 10)
    wire.send(family)
    assert waiting.pending


@pytest.mark.parametrize("wanted", [1, 0])
def test_other_errors_have_a_switch_of_their_own(wire: Wire, family: int, wanted: int) -> None:
    assert wire.send(family) == OK
    assert ioctl(wire.a, SIO_UDP_CONNRESET, ULONG(0))[0] == OK
    assert ioctl(wire.a, SIO_UDP_NETRESET, ULONG(wanted))[0] == OK
    waiting, _, _, _ = receive_from(wire.a, 10)
    near, far = wire.near.host, wire.far.host.address(family)
    ports = (1000).to_bytes(2, "big") + (2000).to_bytes(2, "big")
    quoted = ports + bytes(4)
    near.stack.udp.on_error(ErrorReport(HOST_UNREACHABLE, near.address(family), far, 17, quoted))
    wire.world.run(SECOND)
    if wanted:
        assert waiting.status == "STATUS_HOST_UNREACHABLE"
    else:
        assert waiting.pending


# Broadcast.


def test_the_gates_of_broadcast(wire: Wire) -> None:
    everybody = bytes((10, 77, 0, 255))
    assert wire.send(V4, to=everybody) == "STATUS_ACCESS_DENIED"
    assert put(wire.a, SOL_SOCKET, SO_BROADCAST, ULONG(1)) == OK
    assert wire.send(V4, to=everybody) == OK
    request, _, flags = wire.hear()
    assert (request.info, flags) == (4, MSG_BCAST)
    assert put(wire.b, IPPROTO_IP, 22, ULONG(0)) == OK
    assert wire.send(V4, to=everybody) == OK
    assert wire.hear()[0].pending
    assert wire.far.host.drops()["udp_filtered"] == 1
    assert put(wire.a, SOL_SOCKET, SO_BROADCAST, ULONG(0)) == OK
    assert wire.send(V4, to=everybody) == "STATUS_ACCESS_DENIED"


# Multicast.


def storage(address: bytes) -> bytes:
    """A SOCKADDR_STORAGE."""
    if len(address) == 4:
        return (b"\x02\0\0\0" + address).ljust(128, b"\0")
    return (b"\x17\0\0\0" + bytes(4) + address).ljust(128, b"\0")


def group_req(group: bytes, index: int = 0, source: bytes = b"") -> bytes:
    octets = ULONG(index) + bytes(4) + storage(group)
    return octets + storage(source) if source else octets


JOIN, LEAVE, BLOCK, UNBLOCK, JOIN_SOURCE, LEAVE_SOURCE = range(41, 47)


def hears(wire: Wire, family: int) -> bool:
    assert wire.send(family, to=GROUP[family]) == OK
    waiting, _, flags = wire.hear()
    if waiting.pending:
        return False
    assert flags == MSG_MCAST
    return True


def quiet(wire: Wire) -> None:
    """No receive of the far socket is left over."""
    close(wire.b)
    wire.b = wire.far.datagram(2000)


@pytest.mark.parametrize("how", ["own", "common"])
def test_join_and_leave(wire: Wire, family: int, how: str) -> None:
    level, group = LEVEL[family], GROUP[family]
    index = wire.far.host.nic.index
    assert wire.send(family, to=group) == OK
    if how == "common":
        join, leave, given = JOIN, LEAVE, group_req(group, index)
    elif family == V4:
        join, leave, given = 12, 13, group + wire.far.host.v4
    else:
        join, leave, given = 12, 13, group + ULONG(0)
    assert put(wire.b, level, join, given) == OK
    assert hears(wire, family)
    assert put(wire.b, level, join, given) == "STATUS_ADDRESS_ALREADY_EXISTS"
    assert put(wire.b, level, leave, given) == OK
    assert put(wire.b, level, leave, given) == "STATUS_INVALID_ADDRESS_COMPONENT"
    assert not hears(wire, family)


@pytest.mark.parametrize("how", ["own", "common"])
def test_sources(wire: Wire, family: int, how: str) -> None:
    level, group = LEVEL[family], GROUP[family]
    source, stranger = wire.near.host.address(family), wire.far.host.address(family)
    codes = (BLOCK, UNBLOCK, JOIN_SOURCE, LEAVE_SOURCE)

    def change(code: int, who: bytes) -> str:
        if how == "own" and family == V4:
            old = dict(zip(codes, (17, 18, 15, 16), strict=True))[code]
            return put(wire.b, level, old, group + who + bytes(4))
        return put(wire.b, level, code, group_req(group, 0, who))

    assert change(JOIN_SOURCE, stranger) == OK
    assert change(JOIN_SOURCE, stranger) == "STATUS_ADDRESS_ALREADY_EXISTS"
    assert not hears(wire, family)
    quiet(wire)
    assert change(JOIN_SOURCE, source) == OK
    assert hears(wire, family)
    assert change(BLOCK, source) == "STATUS_INVALID_PARAMETER"  # it is an include list
    assert change(LEAVE_SOURCE, source) == OK
    assert change(LEAVE_SOURCE, source) == "STATUS_INVALID_ADDRESS_COMPONENT"
    # An exclude list.
    assert put(wire.b, level, JOIN, group_req(group)) == OK
    assert hears(wire, family)
    assert change(JOIN_SOURCE, source) == "STATUS_INVALID_PARAMETER"
    assert change(BLOCK, source) == OK
    assert not hears(wire, family)
    assert wire.far.host.drops()["udp_not_member"] >= 1
    assert change(UNBLOCK, source) == OK
    assert change(UNBLOCK, source) == "STATUS_INVALID_ADDRESS_COMPONENT"


def test_groups_that_are_none(wire: Wire, family: int) -> None:
    level, group = LEVEL[family], GROUP[family]
    other = GROUP[V4 if family == V6 else V6]
    for given in (group_req(wire.far.host.address(family)), group_req(other), bytes(136)):
        assert put(wire.b, level, JOIN, given) == "STATUS_INVALID_PARAMETER"
    missing = put(wire.b, level, JOIN, group_req(group, 99))
    assert missing == "STATUS_INVALID_ADDRESS_COMPONENT"
    no_source = ULONG(0) + bytes(4) + storage(group) + bytes(128)
    assert put(wire.b, level, JOIN_SOURCE, no_source) == "STATUS_INVALID_PARAMETER"
    gone = put(wire.b, level, UNBLOCK, group_req(group, 0, group))
    assert gone == "STATUS_INVALID_ADDRESS_COMPONENT"


def test_closing_leaves(wire: Wire, family: int) -> None:
    groups, index = wire.far.host.stack.host.groups, wire.far.host.nic.index
    put(wire.b, LEVEL[family], JOIN, group_req(GROUP[family]))
    second = make(wire.far, "D")
    bind(second, 2001)
    put(second, LEVEL[family], JOIN, group_req(GROUP[family]))
    close(second)
    assert groups.joined(index, GROUP[family])
    close(wire.b)
    assert not groups.joined(index, GROUP[family])


def test_hops_of_groups(wire: Wire, family: int) -> None:
    level, group = LEVEL[family], GROUP[family]
    wire.send(family, to=group)
    assert hops_of(wire.packets(family)[-1]) == 1
    assert put(wire.a, level, 10, ULONG(5)) == OK
    wire.send(family, to=group)
    assert hops_of(wire.packets(family)[-1]) == 5
    assert put(wire.a, level, 10, ULONG(0)) == OK
    count = len(wire.packets(family))
    assert wire.send(family, to=group) == OK
    assert len(wire.packets(family)) == count  # for this host only


def test_groups_loop_back_to_members(wire: Wire, family: int) -> None:
    """The receiver decides (wsk.md 4.4)."""
    level, group = LEVEL[family], GROUP[family]
    member = make(wire.near, "D")
    assert put(member, SOL_SOCKET, SO_REUSEADDR, ULONG(1)) == OK
    assert bind(member, 2000).status == OK
    assert put(member, level, JOIN, group_req(group)) == OK
    assert put(wire.a, level, 11, ULONG(0)) == OK  # the sender's is not asked
    waiting, memory, remote, flags = receive_from(member, 10)
    wire.send(family, b"own", to=group)
    assert (waiting.info, bytes(memory[:3]), flags.value) == (3, b"own", MSG_MCAST)
    assert remote.value == wire.near.address(family, 1000)
    assert put(member, level, 11, ULONG(0)) == OK
    waiting, _, _, _ = receive_from(member, 10)
    wire.send(family, b"own", to=group)
    assert waiting.pending


def test_the_interface_of_groups(wire: Wire, family: int) -> None:
    """By index or address; the loopback interface keeps it off the wire."""
    level, group = LEVEL[family], GROUP[family]
    values = [ULONG(2)] if family == V6 else [bytes((0, 0, 0, 2)), wire.near.host.v4]
    for value in values:
        before = len(wire.packets(family))
        assert put(wire.a, level, 9, value) == OK
        assert get(wire.a, level, 9) == (OK, value)
        assert wire.send(family, to=group) == OK
        assert len(wire.packets(family)) == before + 1
    loopback = ULONG(1) if family == V6 else bytes((127, 0, 0, 1))
    assert put(wire.a, level, 9, loopback) == OK
    before = len(wire.packets(family))
    wire.send(family, to=group)
    assert len(wire.packets(family)) == before


def test_the_interface_of_everything_else(wire: Wire, family: int) -> None:
    level = LEVEL[family]
    own = ULONG(2) if family == V6 else bytes((0, 0, 0, 2))
    loopback = ULONG(1) if family == V6 else bytes((0, 0, 0, 1))
    assert put(wire.a, level, 31, own) == OK
    assert wire.send(family) == OK
    assert put(wire.a, level, 31, loopback) == OK
    assert wire.send(family) == "STATUS_NETWORK_UNREACHABLE"
    assert put(wire.a, level, 31, bytes(4)) == OK
    assert wire.send(family) == OK
