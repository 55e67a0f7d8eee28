# SPDX-License-Identifier: MIT
"""Many datagrams through one call and one frame: WskSendMessages, the lists of
WskReceiveFromEvent, UDP_SEND_MSG_SIZE and UDP_RECV_MAX_COALESCED_SIZE (wsk.md 2.8, 3.4, 4.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base import addr
from tap.port import Port
from tests.harness import World, quiet
from tests.harness.datagrams import Out
from tests.wsk.control_kit import put
from tests.wsk.kit import Party, Request, bind
from tests.wsk.test_datagram import receive_from
from tests.wsk.test_messages import chain, messages, send_to
from wsk_api import (
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    MDL,
    SOCK_DGRAM,
    STATUS_DATA_NOT_ACCEPTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ULONG,
    WSK_BUF,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_DATAGRAM_SOCKET,
    wsk_buf,
)
from wsk_api.ancillary import CMSGHDR, parse
from wsk_api.option_constants import (
    UDP_COALESCED_INFO,
    UDP_RECV_MAX_COALESCED_SIZE,
    UDP_SEND_MSG_SIZE,
)

OK = "STATUS_SUCCESS"


class Both(Out):
    """Keeps what leaves, and every frame that is read."""

    def __init__(self, inner: Port) -> None:
        super().__init__(inner)
        self.frames: list[bytes] = []

    def read(self) -> bytes | None:
        frame = super().read()
        if frame is not None:
            self.frames.append(frame)
        return frame


class Ear:
    """Keeps the lists that WskReceiveFromEvent was given."""

    def __init__(self) -> None:
        self.heads: list[Any] = []
        self.answer = STATUS_SUCCESS
        self.dispatch = WSK_CLIENT_DATAGRAM_DISPATCH(self.receive)

    def receive(self, context: Any, flags: int, head: Any) -> int:
        self.heads.append(head)
        return self.answer

    def nodes(self) -> Iterator[Any]:
        for head in self.heads:
            node = head
            while node is not None:
                yield node
                node = node.Next

    def heard(self) -> list[bytes]:
        return [bytes(node.Buffer.Mdl.view) for node in self.nodes()]


class Ends:
    """A datagram socket on each of two hosts that know each other; the far one has an event."""

    def __init__(
        self, world: World, family: int, offload: bool = True, event: bool = True, **more: object
    ) -> None:
        self.ports: list[Both] = []

        def wrap(port: Port) -> Both:
            self.ports.append(Both(port))
            return self.ports[-1]

        a, b = world.pair(quiet(**more), offload=offload, wrap=wrap)
        self.world = world
        self.near = Party(world, a)
        self.far = Party(world, b, WSK_EVENT_RECEIVE_FROM if event else 0)
        self.ear = Ear()
        how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
        self.a = self.near.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
        self.b = self.far.socket(WSK_FLAG_DATAGRAM_SOCKET, self.ear.dispatch, **how)
        assert bind(self.a, 1000).status == bind(self.b, 2000).status == OK
        self.to = self.far.address(family, 2000)
        # Nobody has to be asked for from now on.
        send_to(self.a, b"x", self.far.address(family, 9))
        world.run(10**9)
        for port in self.ports:
            port.sent.clear()
            port.frames.clear()

    def segments(self, data: bytes, size: int) -> Request:
        assert put(self.a, IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(size)) == OK
        request = send_to(self.a, data, self.to)
        self.world.run(10**9)
        return request

    def list(self, *parts: bytes) -> Request:
        request = messages(self.a, chain(*map(wsk_buf, parts)), self.to)
        self.world.run(10**9)
        return request

    def join(self, most: int) -> None:
        assert put(self.b, IPPROTO_UDP, UDP_RECV_MAX_COALESCED_SIZE, ULONG(most)) == OK


def data(octets: int) -> bytes:
    return bytes((n * 7 + n // 251) & 0xFF for n in range(octets))


def apart(whole: bytes, size: int) -> list[bytes]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


# No octet is copied.


def test_nothing_is_copied_on_the_way_out(world: World, family: int) -> None:
    """What the device is given are views of the caller's memory, in one frame."""
    ends = Ends(world, family)
    memory = [bytearray(data(64)) for _ in range(60)]
    request = messages(ends.a, chain(*map(wsk_buf, memory)), ends.to)
    assert request.info == 3840
    ((size, views),) = ends.ports[0].sent
    assert size == 64
    assert [view.obj for view in views] == memory  # type: ignore[union-attr]
    assert all(view.obj is one for view, one in zip(views, memory, strict=True))  # type: ignore[union-attr]


def test_nothing_is_copied_of_one_buffer(world: World, family: int) -> None:
    ends = Ends(world, family)
    memory = bytearray(data(64 * 200))
    assert put(ends.a, IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(64)) == OK
    assert send_to(ends.a, memory, ends.to).info == len(memory)  # type: ignore[arg-type]
    assert [size for size, _ in ends.ports[0].sent] == [64] * 4
    assert all(view.obj is memory for _, views in ends.ports[0].sent for view in views)  # type: ignore[union-attr]


@pytest.mark.parametrize("joined", [False, True])
def test_nothing_is_copied_on_the_way_in(world: World, family: int, joined: bool) -> None:
    """What is indicated are views of the frame that was read."""
    ends = Ends(world, family)
    if joined:
        ends.join(65535)
    assert ends.segments(data(3840), 64).info == 3840
    (frame,) = ends.ports[1].frames
    nodes = list(ends.ear.nodes())
    assert len(nodes) == (1 if joined else 60)
    assert all(node.Buffer.Mdl.view.obj is frame for node in nodes)
    assert b"".join(ends.ear.heard()) == data(3840)


# Received.


def test_a_frame_is_one_list_with_an_element_for_each(world: World, family: int) -> None:
    ends = Ends(world, family)
    level = IPPROTO_IP if family == addr.V4 else IPPROTO_IPV6
    assert put(ends.b, level, 19, ULONG(1)) == OK  # PKTINFO
    ends.segments(data(1000), 64)
    assert len(ends.ear.heads) == 1
    assert ends.ear.heard() == apart(data(1000), 64)
    for node in ends.ear.nodes():
        assert node.RemoteAddress == ends.near.address(family, 1000)
        (info,) = parse(node.ControlInfo, node.ControlInfoLength) or []
        assert info.data.startswith(ends.far.host.address(family))


def test_joined_it_is_one_indication_that_says_the_size(world: World, family: int) -> None:
    ends = Ends(world, family)
    ends.join(65535)
    ends.segments(data(1000), 64)
    (node,) = ends.ear.nodes()
    assert (node.Buffer.Length, bytes(node.Buffer.Mdl.view)) == (1000, data(1000))
    (info,) = parse(node.ControlInfo, node.ControlInfoLength) or []
    assert (info.cmsg_level, info.cmsg_type) == (IPPROTO_UDP, UDP_COALESCED_INFO)
    assert info.data == ULONG(64)


@pytest.mark.parametrize(
    ("most", "lengths"),
    [(1000, [1000]), (999, [960, 40]), (200, [192] * 5 + [40]), (64, [64] * 15 + [40])],
)
def test_joined_no_further_than_asked_for(
    world: World, family: int, most: int, lengths: list[int]
) -> None:
    ends = Ends(world, family)
    ends.join(most)
    ends.segments(data(1000), 64)
    assert [node.Buffer.Length for node in ends.ear.nodes()] == lengths
    assert [node.ControlInfoLength > 0 for node in ends.ear.nodes()] == [n > 64 for n in lengths]
    assert b"".join(ends.ear.heard()) == data(1000)


def test_requests_get_one_datagram_each(world: World, family: int) -> None:
    ends = Ends(world, family, event=False)
    first = receive_from(ends.b, 100)
    ends.segments(data(300), 64)
    rest = [receive_from(ends.b, 100) for _ in range(5)]
    world.run(10**9)
    heard = [(request, memory) for request, memory, *_ in (first, *rest)]
    assert [bytes(m[: r.info]) for r, m in heard[:5]] == apart(data(300), 64)
    assert heard[5][0].pending


def test_a_request_gets_all_that_is_joined(world: World, family: int) -> None:
    ends = Ends(world, family, event=False)
    ends.join(65535)
    request, memory, *_ = receive_from(ends.b, 1000)
    ends.segments(data(300), 64)
    assert bytes(memory[: request.info]) == data(300)


def test_a_request_first_and_the_event_for_the_rest(world: World, family: int) -> None:
    ends = Ends(world, family)
    request, memory, *_ = receive_from(ends.b, 100)
    ends.segments(data(300), 64)
    assert bytes(memory[: request.info]) == data(64)
    assert ends.ear.heard() == apart(data(300), 64)[1:]


def test_what_is_refused_waits_for_requests(world: World, family: int) -> None:
    """A callback that was enabled by the socket, not from its birth, is off after a refusal."""
    ends = Ends(world, family, event=False)
    from tests.wsk.kit import events

    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == OK
    ends.ear.answer = STATUS_DATA_NOT_ACCEPTED
    ends.segments(data(300), 64)
    assert len(ends.ear.heads) == 1
    request, memory, *_ = receive_from(ends.b, 100)
    world.run(10**9)
    assert bytes(memory[: request.info]) == data(64)
    ends.ear.answer = STATUS_SUCCESS
    ends.ear.heads.clear()
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == OK
    world.run(10**9)
    assert ends.ear.heard() == apart(data(300), 64)[1:]


@pytest.mark.parametrize("joined", [False, True])
def test_what_is_retained_is_charged_until_it_is_released(
    world: World, family: int, joined: bool
) -> None:
    ends = Ends(world, family, udp_receive_buffer=1500)
    if joined:
        ends.join(65535)
    ends.ear.answer = STATUS_PENDING
    ends.segments(data(1000), 100)
    before = b"".join(ends.ear.heard())
    assert 0 < len(before) <= 1000
    ends.segments(data(1000), 100)
    assert b"".join(ends.ear.heard()) == before  # no room
    for head in ends.ear.heads:
        assert ends.b.Dispatch.WskRelease(ends.b, head) == STATUS_SUCCESS
    ends.segments(data(1000), 100)
    assert b"".join(ends.ear.heard()) == before * 2


# Sent.


def test_sizes_that_differ_are_frames_that_differ_in_order(world: World, family: int) -> None:
    ends = Ends(world, family)
    sizes = [10, 10, 10, 4, 4, 0, 7, 7, 9, 9, 9, 1]
    parts = [bytes((n,)) * size for n, size in enumerate(sizes)]
    assert ends.list(*parts).info == sum(sizes)
    sent = [(size, sum(map(len, views))) for size, views in ends.ports[0].sent]
    assert sent == [(10, 34), (0, 4), (0, 0), (7, 14), (9, 28)]
    assert ends.ear.heard() == parts


def test_empty_ones_are_datagrams_too(world: World, family: int) -> None:
    ends = Ends(world, family)
    parts = [b"", b"", b"ab", b"", b"cd", b"ef", b""]
    assert ends.list(*parts).info == 6
    assert ends.ear.heard() == parts


def test_pieces_of_a_list_from_chains_and_offsets(world: World, family: int) -> None:
    ends = Ends(world, family)
    one = WSK_BUF(MDL(b"xxxabc", MDL(b"def", MDL(b"ghijk"))), 3, 10)
    two = WSK_BUF(MDL(b"0123456789beyond"), 0, 10)
    request = messages(ends.a, chain(one, two), ends.to)
    world.run(10**9)
    assert request.info == 20
    assert [size for size, _ in ends.ports[0].sent] == [10]
    assert ends.ear.heard() == [b"abcdefghij", b"0123456789"]


def test_the_segment_size_of_one_send(world: World, family: int) -> None:
    ends = Ends(world, family)
    control = CMSGHDR(IPPROTO_UDP, UDP_SEND_MSG_SIZE, ULONG(100)).packed()

    def send(length: int, octets: bytes) -> Request:
        what = (wsk_buf(data(250)), 0, ends.to, length, octets)
        return Request().issue(ends.a.Dispatch.WskSendTo, ends.a, *what)

    for length in (len(control), len(control) - 4):
        assert send(length, control).info == 250
    assert send(len(control), control[:20]).status == "STATUS_INVALID_PARAMETER"
    assert send(len(control), control[:4]).status == "STATUS_INVALID_PARAMETER"
    world.run(10**9)
    assert ends.ear.heard() == apart(data(250), 100) * 2


def test_another_destination_or_another_port(world: World, family: int) -> None:
    """The last destination is remembered by what it says, not by the object that said it."""
    ends = Ends(world, family)
    remote = ends.far.address(family, 2000)
    for port in (2000, 2001, 2000):
        remote.sin6_port = port
        send_to(ends.a, b"%d" % port, remote)
    remote.sin6_addr = bytearray(remote.sin6_addr)  # type: ignore[assignment]
    send_to(ends.a, b"mutable", remote)
    remote.sin6_addr[-1] ^= 0x77  # type: ignore[index]
    send_to(ends.a, b"elsewhere", remote)
    world.run(10**9)
    assert ends.ear.heard() == [b"2000", b"2000", b"mutable"]


@given(
    st.sampled_from((addr.V4, addr.V6)),
    st.booleans(),
    st.lists(
        st.lists(
            st.one_of(st.integers(0, 3), st.sampled_from((100, 1400, 1500, 4000))), min_size=1
        ),
        min_size=1,
        max_size=4,
    ),
)
def test_any_lists_arrive_the_same_with_and_without_offload(
    family: int, joined: bool, lists: list[list[int]]
) -> None:
    """Every datagram arrives as it was sent and in order; joined ones can be told apart again."""
    for offload in (True, False):
        ends = Ends(World(), family, offload)
        if joined:
            ends.join(65535)
        expected = []
        for number, sizes in enumerate(lists):
            parts = [bytes(((number + n) & 0xFF,)) * size for n, size in enumerate(sizes)]
            expected += parts
            assert ends.list(*parts).info == sum(sizes)
        heard = []
        for node in ends.ear.nodes():
            whole = bytes(node.Buffer.Mdl.view)
            info = parse(node.ControlInfo, node.ControlInfoLength) if node.ControlInfo else None
            size = int.from_bytes(info[0].data, "little") if info else len(whole)
            heard += apart(whole, size) if size else [b""]
        assert heard == expected
