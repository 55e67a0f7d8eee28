# SPDX-License-Identifier: MIT
"""WskSendMessages, and raw datagram sockets (wsk.md 0.3, 2.8)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import addr
from tests.harness import World
from tests.wsk.kit import Party, Request, bind, close, data_of, get_option, set_option
from wsk_api import (
    AF_INET,
    IP_HDRINCL,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_RAW,
    IPPROTO_UDP,
    IPV6_CHECKSUM,
    IPV6_HDRINCL,
    MDL,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCKADDR_IN,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_BUF_LIST,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    Ref,
    wsk_buf,
)

OWN = 253  # for experiments (RFC 3692)


class Ear:
    """Keeps datagrams, one entry each."""

    def __init__(self) -> None:
        self.heard: list[bytes] = []
        self.heads: list[Any] = []
        self.sources: list[Any] = []
        self.answer = STATUS_SUCCESS
        self.dispatch = WSK_CLIENT_DATAGRAM_DISPATCH(self.receive)

    def receive(self, context: Any, flags: int, head: Any) -> int:
        self.heads.append(head)
        node = head
        while node is not None:
            self.heard.append(bytes(node.Buffer.Mdl.view))
            self.sources.append(node.RemoteAddress)
            node = node.Next
        return self.answer


class Ends:
    """A datagram socket on each of two hosts; the far one listens by event."""

    def __init__(self, world: World, kind: int = SOCK_DGRAM, protocol: int = IPPROTO_UDP) -> None:
        a, b = world.pair()
        self.world = world
        self.near, self.far = Party(world, a), Party(world, b, WSK_EVENT_RECEIVE_FROM)
        self.ear = Ear()
        how: dict[str, Any] = {"kind": kind, "protocol": protocol}
        self.a = self.near.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
        self.b = self.far.socket(WSK_FLAG_DATAGRAM_SOCKET, self.ear.dispatch, **how)
        assert bind(self.a, 1000).status == bind(self.b, 2000).status == "STATUS_SUCCESS"


def chain(*buffers: WSK_BUF) -> WSK_BUF_LIST | None:
    head: WSK_BUF_LIST | None = None
    for buffer in reversed(buffers):
        head = WSK_BUF_LIST(buffer, head)
    return head


def messages(socket: Any, buffers: Any, remote: Any, flags: int = 0, control: int = 0) -> Request:
    function = socket.Dispatch.WskSendMessages
    return Request().issue(function, socket, buffers, flags, remote, control, None)


def send_to(socket: Any, data: bytes, remote: Any) -> Request:
    function = socket.Dispatch.WskSendTo
    return Request().issue(function, socket, wsk_buf(data), 0, remote, 0, None)


def test_one_datagram_per_element(world: World, family: int) -> None:
    ends = Ends(world)
    pieces = WSK_BUF(MDL(b"xthr", MDL(b"eex")), 1, 5)
    buffers = chain(wsk_buf(b"one"), WSK_BUF(None, 0, 0), wsk_buf(b"twotwo"), pieces)
    request = messages(ends.a, buffers, ends.far.address(family, 2000))
    world.run(10**9)
    assert request.info == 3 + 0 + 6 + 5
    assert ends.ear.heard == [b"one", b"", b"twotwo", b"three"]
    assert set(ends.ear.sources) == {ends.near.address(family, 1000)}


def test_many_in_order(world: World, family: int) -> None:
    ends = Ends(world)
    send_to(ends.a, b"first", ends.far.address(family, 2000))  # so that the neighbour is known
    world.run(10**9)
    parts = [bytes((n,)) * (n + 1) for n in range(200)]
    buffers = chain(*(wsk_buf(part) for part in parts))
    request = messages(ends.a, buffers, ends.far.address(family, 2000))
    world.run(10**9)
    assert request.info == sum(map(len, parts))
    assert ends.ear.heard[1:] == parts


def test_a_wrong_buffer_sends_nothing(world: World) -> None:
    ends = Ends(world)
    remote = ends.far.address(1, 2000)
    wrong = chain(wsk_buf(b"good"), WSK_BUF(MDL(b"abc"), 0, 4))
    ring = WSK_BUF_LIST(wsk_buf(b"x"))
    ring.Next = ring
    for buffers in (None, wrong, ring):
        assert messages(ends.a, buffers, remote).status == "STATUS_INVALID_PARAMETER"
    world.run(10**9)
    assert ends.ear.heard == []


def test_it_ends_at_the_first_that_cannot_be_sent(world: World, family: int) -> None:
    ends = Ends(world)
    buffers = chain(wsk_buf(b"sent"), wsk_buf(bytes(70_000)), wsk_buf(b"not sent"))
    request = messages(ends.a, buffers, ends.far.address(family, 2000))
    world.run(10**9)
    assert request.ends == [("STATUS_INVALID_BUFFER_SIZE", 0)]
    assert ends.ear.heard == [b"sent"]


def test_other_refusals(world: World) -> None:
    ends = Ends(world)
    remote, buffers = ends.far.address(1, 2000), chain(wsk_buf(b"x"))
    assert messages(ends.a, buffers, remote, flags=1).status == "STATUS_NOT_SUPPORTED"
    assert messages(ends.a, buffers, SOCKADDR_IN(1)).status == "STATUS_INVALID_PARAMETER"
    how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
    unbound = ends.near.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
    assert messages(unbound, buffers, remote).status == "STATUS_INVALID_DEVICE_STATE"


# Raw sockets.


def test_raw_there_and_back(world: World, family: int) -> None:
    ends = Ends(world, SOCK_RAW, OWN)
    sent = send_to(ends.a, b"any protocol", ends.far.address(family, 0))
    world.run(10**9)
    assert sent.info == 12
    header = 20 if family == addr.V4 else 0
    assert [data[header:] for data in ends.ear.heard] == [b"any protocol"]
    assert ends.ear.sources == [ends.near.address(family, 0)]
    memory, remote, flags = bytearray(100), Ref[Any](), Ref[int]()
    function = ends.a.Dispatch.WskReceiveFrom
    outs: Any = (remote, None, None, flags)
    request = Request().issue(function, ends.a, wsk_buf(memory), 0, *outs)
    send_to(ends.b, b"back", ends.ear.sources[0])
    world.run(10**9)
    assert memory[header : request.info] == b"back"
    assert remote.value == ends.far.address(family, 0)


def test_raw_messages_and_retained_copies(world: World, family: int) -> None:
    ends = Ends(world, SOCK_RAW, OWN)
    ends.ear.answer = STATUS_PENDING
    buffers = chain(wsk_buf(b"one"), wsk_buf(b"two"))
    messages(ends.a, buffers, ends.far.address(family, 0))
    world.run(10**9)
    assert [data[-3:] for data in ends.ear.heard] == [b"one", b"two"]
    for head in ends.ear.heads:
        assert data_of(head)
        assert ends.b.Dispatch.WskRelease(ends.b, head) == STATUS_SUCCESS


def test_a_header_of_ones_own(world: World) -> None:
    ends = Ends(world, SOCK_RAW, OWN)
    assert get_option(ends.a, IPPROTO_IP, IP_HDRINCL) == 0
    assert set_option(ends.a, IPPROTO_IP, IP_HDRINCL, 1).status == "STATUS_SUCCESS"
    assert get_option(ends.a, IPPROTO_IP, IP_HDRINCL) == 1
    target = ends.far.host.v4
    packet = bytes((0x45, 0, 0, 0, 0, 0, 0, 0, 9, OWN)) + bytes(6) + target + b"mine"
    assert send_to(ends.a, packet, ends.far.address(1, 0)).info == len(packet)
    short = send_to(ends.a, b"no header", ends.far.address(1, 0))
    assert short.status == "STATUS_INVALID_PARAMETER"
    world.run(10**9)
    (got,) = ends.ear.heard
    assert (got[8], got[12:16], got[20:]) == (9, ends.near.host.v4, b"mine")


def test_raw_options_before_bind(world: World) -> None:
    party = Party(world, world.pair()[0])
    how: dict[str, Any] = {"kind": SOCK_RAW, "protocol": OWN}
    socket = party.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
    assert get_option(socket, IPPROTO_IPV6, IPV6_CHECKSUM) == 0xFFFFFFFF
    assert set_option(socket, IPPROTO_IPV6, IPV6_CHECKSUM, 3).status == "STATUS_INVALID_PARAMETER"
    assert set_option(socket, IPPROTO_IPV6, IPV6_CHECKSUM, 2).status == "STATUS_SUCCESS"
    assert bind(socket).status == "STATUS_SUCCESS"
    assert get_option(socket, IPPROTO_IPV6, IPV6_CHECKSUM) == 2
    # No room for a checksum: the transport was told before the first datagram.
    v6 = party.address(2, 0)
    assert send_to(socket, b"abc", v6).status == "STATUS_INVALID_PARAMETER"
    assert set_option(socket, IPPROTO_IPV6, IPV6_CHECKSUM, 0xFFFFFFFF).status == "STATUS_SUCCESS"
    assert send_to(socket, b"abc", v6).info == 3


def test_options_of_special_protocols(world: World) -> None:
    party = Party(world, world.pair()[0])
    icmp = party.socket(WSK_FLAG_DATAGRAM_SOCKET, kind=SOCK_RAW, protocol=IPPROTO_ICMPV6)
    assert get_option(icmp, IPPROTO_IPV6, IPV6_CHECKSUM) == 2
    assert set_option(icmp, IPPROTO_IPV6, IPV6_CHECKSUM, 4).status == "STATUS_INVALID_PARAMETER"
    whole = party.socket(WSK_FLAG_DATAGRAM_SOCKET, kind=SOCK_RAW, protocol=IPPROTO_RAW)
    assert get_option(whole, IPPROTO_IPV6, IPV6_HDRINCL) == 1


@pytest.mark.parametrize("option", [(IPPROTO_IP, IP_HDRINCL), (IPPROTO_IPV6, IPV6_CHECKSUM)])
def test_raw_options_are_for_raw_sockets(world: World, option: tuple[int, int]) -> None:
    party = Party(world, world.pair()[0])
    for socket in (party.datagram(1), party.socket(WSK_FLAG_CONNECTION_SOCKET)):
        assert set_option(socket, *option, 1).status == "STATUS_INVALID_DEVICE_REQUEST"


def test_raw_sockets_that_can_and_cannot_be(world: World) -> None:
    party = Party(world, world.pair()[0])
    for protocol in (0, 1, 6, 255):
        made = party.create(WSK_FLAG_DATAGRAM_SOCKET, kind=SOCK_RAW, protocol=protocol)
        assert made.status == "STATUS_SUCCESS"
    for protocol in (256, -1):
        made = party.create(WSK_FLAG_DATAGRAM_SOCKET, kind=SOCK_RAW, protocol=protocol)
        assert made.status == "STATUS_NOT_SUPPORTED"
    for category in (WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_CONNECTION_SOCKET):
        socket = party.socket(category, kind=SOCK_RAW, protocol=OWN)
        assert bind(socket).status == "STATUS_NOT_IMPLEMENTED"


def test_an_ipv4_raw_socket(world: World) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b, WSK_EVENT_RECEIVE_FROM)
    ear = Ear()
    how: dict[str, Any] = {"family": AF_INET, "kind": SOCK_RAW, "protocol": OWN}
    sender = near.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
    hearer = far.socket(WSK_FLAG_DATAGRAM_SOCKET, ear.dispatch, **how)
    for socket in (sender, hearer):
        bound = Request().issue(socket.Dispatch.WskBind, socket, SOCKADDR_IN(), 0)
        assert bound.status == "STATUS_SUCCESS"
    send_to(sender, b"v4", SOCKADDR_IN(0, b.v4))
    world.run(10**9)
    assert ear.sources == [SOCKADDR_IN(0, a.v4)]
    assert close(hearer).info == 0
