# SPDX-License-Identifier: MIT
"""Ancillary data: CMSGHDRs octet by octet, in and out, with MSG_CTRUNC (wsk.md 4.9, 6)."""

from __future__ import annotations

from struct import pack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stack.base.addr import V4, V6
from tests.harness import World
from tests.wsk.control_kit import put
from tests.wsk.kit import Request, events, mapped
from tests.wsk.test_datagram import Ends, send_to
from wsk_api import (
    CMSGHDR,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_UDP,
    MSG_CTRUNC,
    MSG_TRUNC,
    STATUS_SUCCESS,
    ULONG,
    WSA_CMSG_DATA,
    WSA_CMSG_FIRSTHDR,
    WSA_CMSG_LEN,
    WSA_CMSG_NXTHDR,
    WSA_CMSG_SPACE,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_EVENT_RECEIVE_FROM,
    Ref,
    wsk_buf,
)
from wsk_api.ancillary import fitted, parse

LEVEL = {V4: IPPROTO_IP, V6: IPPROTO_IPV6}
PKTINFO, HOPLIMIT, RECVIF, DSTADDR, ARRIVAL, ECN, PKTINFO_EX = 19, 21, 24, 25, 47, 50, 51
TTL, TOS, TCLASS, RECVTCLASS = 4, 3, 39, 40


def cmsg(level: int, kind: int, data: bytes, padded: bool = True) -> bytes:
    """An object by hand: SIZE_T, INT, INT, data, to the next multiple of eight."""
    octets = pack("<Qii", 16 + len(data), level, kind) + data
    return octets + bytes(-len(octets) % 8) if padded else octets


def enable(socket: Any, family: int, *codes: int) -> None:
    for code in codes:
        assert put(socket, LEVEL[family], code, ULONG(1)) == "STATUS_SUCCESS"


def receive(socket: Any, room: int, control: Any, size: int | None) -> tuple[Any, ...]:
    """(request, control length out, control flags)."""
    length: Ref[int] = Ref(size)
    flags: Ref[int] = Ref()
    given_length = None if size is None else length
    arguments: Any = (socket, wsk_buf(bytearray(room)), 0, Ref(), given_length, control, flags)
    request = Request().issue(socket.Dispatch.WskReceiveFrom, *arguments)
    return request, length, flags


def send_with(socket: Any, remote: Any, control: Any, size: int | None = None) -> str:
    size = len(control) if size is None else size
    arguments = (socket, wsk_buf(b"data"), 0, remote, size, control)
    return Request().issue(socket.Dispatch.WskSendTo, *arguments).status


# The macros.


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), min_size=1, max_size=5))
def test_objects_there_and_back(parts: list[tuple[int, bytes]]) -> None:
    octets = b"".join(CMSGHDR(0, kind, data).packed() for kind, data in parts)
    assert octets == b"".join(cmsg(0, kind, data) for kind, data in parts)
    at = WSA_CMSG_FIRSTHDR(octets, len(octets))
    for _, data in parts:
        assert at is not None
        assert WSA_CMSG_DATA(octets, at) == data
        at = WSA_CMSG_NXTHDR(octets, len(octets), at)
    assert at is None
    found = parse(octets, len(octets))
    assert found is not None
    assert [(one.cmsg_type, one.data) for one in found] == parts


@given(st.binary(max_size=80))
def test_no_octets_make_the_parser_stumble(octets: bytes) -> None:
    found = parse(octets, len(octets))
    assert found is None or all(one.cmsg_len <= len(octets) for one in found)


def test_sizes_of_objects() -> None:
    assert [WSA_CMSG_LEN(n) for n in (0, 1, 8, 9)] == [16, 17, 24, 25]
    assert [WSA_CMSG_SPACE(n) for n in (0, 1, 8, 9)] == [16, 24, 24, 32]
    assert WSA_CMSG_FIRSTHDR(bytes(15), 15) is None
    assert WSA_CMSG_FIRSTHDR(bytes(16), 15) is None


def test_whole_objects_only() -> None:
    objects = [CMSGHDR(0, 1, b"1234"), CMSGHDR(0, 2, b"5678")]
    assert fitted(objects, 19) == (b"", True)
    assert fitted(objects, 20) == (cmsg(0, 1, b"1234", False), True)
    # The last one needs no room for its padding.
    whole = cmsg(0, 1, b"1234") + cmsg(0, 2, b"5678")
    assert fitted(objects, 44) == (whole[:44], False)
    assert fitted(objects, 100) == (whole, False)


# In.


def expected(ends: Ends, family: int) -> dict[int, bytes]:
    """What every option brings of a datagram with a traffic class of 0xB9 and 42 hops."""
    level = LEVEL[family]
    own, index = ends.far.host.address(family), ULONG(ends.far.host.nic.index)
    return {
        PKTINFO: cmsg(level, PKTINFO, own + index),
        PKTINFO_EX: cmsg(level, PKTINFO_EX, own + index + index),
        HOPLIMIT: cmsg(level, TTL if family == V4 else HOPLIMIT, ULONG(42)),
        RECVTCLASS: cmsg(level, TOS if family == V4 else TCLASS, ULONG(0xB9)),
        ECN: cmsg(level, ECN, ULONG(1)),
        RECVIF: cmsg(level, RECVIF, index),
        ARRIVAL: cmsg(level, ARRIVAL, index),
        DSTADDR: cmsg(level, DSTADDR, own),
    }


def mark(ends: Ends, family: int) -> None:
    """What is sent from now on has 42 hops, EF and ECT(1)."""
    level = LEVEL[family]
    assert put(ends.a, level, 4, ULONG(42)) == "STATUS_SUCCESS"
    assert put(ends.a, level, 39, ULONG(0xB8)) == "STATUS_SUCCESS"


ECT1 = {family: cmsg(LEVEL[family], ECN, ULONG(1)) for family in (V4, V6)}


@pytest.mark.parametrize(
    "code", [PKTINFO, PKTINFO_EX, HOPLIMIT, RECVTCLASS, ECN, RECVIF, ARRIVAL, DSTADDR]
)
def test_what_a_datagram_brings(world: World, family: int, code: int) -> None:
    ends = Ends(world)
    mark(ends, family)
    enable(ends.b, family, code)
    memory = bytearray(100)
    request, length, flags = receive(ends.b, 10, memory, 100)
    remote = ends.far.address(family, 2000)
    assert send_with(ends.a, remote, ECT1[family]) == "STATUS_SUCCESS"
    world.run(10**9)
    assert (request.info, flags.value) == (4, 0)
    assert bytes(memory[: length.value]) == expected(ends, family)[code]
    # Switched off again it brings nothing.
    assert put(ends.b, LEVEL[family], code, ULONG(0)) == "STATUS_SUCCESS"
    request, length, flags = receive(ends.b, 10, memory, 100)
    send_with(ends.a, remote, ECT1[family])
    world.run(10**9)
    assert (request.info, length.value, flags.value) == (4, 0, 0)


def test_everything_at_once_and_too_little_room(world: World, family: int) -> None:
    ends = Ends(world)
    mark(ends, family)
    enable(ends.b, family, PKTINFO, HOPLIMIT, ECN)
    all_of_it = b"".join(expected(ends, family)[code] for code in (PKTINFO, HOPLIMIT, ECN))
    first = expected(ends, family)[PKTINFO]
    remote = ends.far.address(family, 2000)
    for room, octets, cut in (
        (len(all_of_it), all_of_it, 0),
        (len(first) + 19, first, MSG_CTRUNC),
        (15, b"", MSG_CTRUNC),
        (0, b"", MSG_CTRUNC),
    ):
        memory = bytearray(room)
        request, length, flags = receive(ends.b, 2, memory, room)
        send_with(ends.a, remote, ECT1[family])
        world.run(10**9)
        assert (request.info, flags.value) == (2, cut | MSG_TRUNC)
        assert memory[: length.value] == octets
    # Who gives no length wants none, but the flags all the same.
    request, _, flags = receive(ends.b, 2, None, None)
    send_with(ends.a, remote, ECT1[family])
    world.run(10**9)
    assert (request.info, flags.value) == (2, MSG_TRUNC)


@pytest.mark.parametrize("control", [bytes(100), bytearray(99), "text"])
def test_room_that_is_none(world: World, control: Any) -> None:
    """Read-only, smaller than it says, no memory at all."""
    ends = Ends(world)
    assert receive(ends.b, 10, control, 100)[0].status == "STATUS_INVALID_PARAMETER"


def test_indicated_with_control_information(world: World, family: int) -> None:
    heard: list[tuple[Any, int]] = []

    def receive_from(context: Any, flags: int, head: Any) -> int:
        heard.append((head.ControlInfo, head.ControlInfoLength))
        return STATUS_SUCCESS

    ends = Ends(world, WSK_CLIENT_DATAGRAM_DISPATCH(receive_from))
    mark(ends, family)
    enable(ends.b, family, PKTINFO, RECVTCLASS)
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == "STATUS_SUCCESS"
    assert send_with(ends.a, ends.far.address(family, 2000), ECT1[family]) == "STATUS_SUCCESS"
    world.run(10**9)
    octets = expected(ends, family)[PKTINFO] + expected(ends, family)[RECVTCLASS]
    assert heard == [(octets, len(octets))]


def test_each_family_has_its_own_switches(world: World, family: int) -> None:
    """A dual socket enables both forms; a datagram brings its own family's."""
    ends = Ends(world)
    enable(ends.b, V4 if family == V6 else V6, PKTINFO)
    memory = bytearray(100)
    request, length, _ = receive(ends.b, 10, memory, 100)
    send_to(ends.a, b"data", ends.far.address(family, 2000))
    world.run(10**9)
    assert (request.info, length.value) == (4, 0)


# Out.


def test_hops_and_class_of_one_datagram(world: World, family: int) -> None:
    ends = Ends(world)
    enable(ends.b, family, HOPLIMIT, RECVTCLASS)
    level = LEVEL[family]
    hops = TTL if family == V4 else HOPLIMIT
    kind = TOS if family == V4 else TCLASS
    control = cmsg(level, hops, ULONG(7)) + cmsg(level, kind, ULONG(0x28))
    control += cmsg(level, ECN, ULONG(2))
    assert send_with(ends.a, ends.far.address(family, 2000), control) == "STATUS_SUCCESS"
    memory = bytearray(100)
    request, length, _ = receive(ends.b, 10, memory, 100)
    world.run(10**9)
    assert request.info == 4
    brought = cmsg(level, hops, ULONG(7)) + cmsg(level, kind, ULONG(0x2A))
    assert bytes(memory[: length.value]) == brought


def test_the_source_of_one_datagram(world: World, family: int) -> None:
    ends = Ends(world)
    host = ends.near.host
    second = {V4: "10.77.0.111", V6: "fd77::111"}[family]
    entry = host.stack.add_address(host.nic, second, 24 if family == V4 else 64)
    level, index = LEVEL[family], host.nic.index
    remote = ends.far.address(family, 2000)
    size = 4 if family == V4 else 16
    for source, where, came in (
        (entry.address, 0, entry.address),
        (entry.address, index, entry.address),
        (bytes(size), index, host.address(family)),
        (bytes(size), 0, host.address(family)),
    ):
        memory = bytearray(10)
        name: Any = Ref()
        arguments = (ends.b, wsk_buf(memory), 0, name, None, None, None)
        Request().issue(ends.b.Dispatch.WskReceiveFrom, *arguments)
        control = cmsg(level, PKTINFO, source + ULONG(where))
        assert send_with(ends.a, remote, control) == "STATUS_SUCCESS"
        world.run(10**9)
        assert name.value.sin6_addr == (mapped(came) if family == V4 else came)
    foreign = host.address(family)[:-1] + b"\xee"
    for bad in (foreign + ULONG(0), bytes(size) + ULONG(99)):
        status = send_with(ends.a, remote, cmsg(level, PKTINFO, bad))
        assert status == "STATUS_INVALID_ADDRESS_COMPONENT"


def test_do_not_fragment_one_datagram(world: World, family: int) -> None:
    ends = Ends(world)
    remote = ends.far.address(family, 2000)
    large = wsk_buf(bytes(3000))
    for value, status in ((1, "STATUS_INVALID_BUFFER_SIZE"), (0, "STATUS_SUCCESS")):
        control = cmsg(LEVEL[family], 14, ULONG(value))
        arguments = (ends.a, large, 0, remote, len(control), control)
        assert Request().issue(ends.a.Dispatch.WskSendTo, *arguments).status == status


@pytest.mark.parametrize(
    ("kind", "data", "status"),
    [
        (PKTINFO, b"short", "STATUS_INVALID_PARAMETER"),
        (HOPLIMIT, ULONG(256), "STATUS_INVALID_PARAMETER"),
        (HOPLIMIT, ULONG(0), "STATUS_INVALID_PARAMETER"),
        (HOPLIMIT, b"", "STATUS_INVALID_PARAMETER"),
        (ECN, ULONG(3), "STATUS_INVALID_PARAMETER"),  # CE is for routers
        (14, ULONG(2), "STATUS_INVALID_PARAMETER"),
        (99, ULONG(1), "STATUS_NOT_SUPPORTED"),
    ],
)
def test_what_cannot_be_sent_with(
    world: World, family: int, kind: int, data: bytes, status: str
) -> None:
    ends = Ends(world)
    remote = ends.far.address(family, 2000)
    assert send_with(ends.a, remote, cmsg(LEVEL[family], kind, data)) == status
    other = LEVEL[V4 if family == V6 else V6]
    if status == "STATUS_INVALID_PARAMETER":
        fine = cmsg(other, 14, ULONG(1))
        assert send_with(ends.a, remote, fine) == status  # of the other family
    assert send_with(ends.a, remote, cmsg(0x1234, kind, data)) == "STATUS_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("control", "size"),
    [
        (pack("<Qii", 99, 0, 1), 16),  # longer than there is
        (pack("<Qii", 3, 0, 1), 16),  # shorter than its header
        (bytes(16), 100),  # a lie
        (None, 16),
    ],
)
def test_malformed_control_information(world: World, control: Any, size: int) -> None:
    ends = Ends(world)
    status = send_with(ends.a, ends.far.address(V4, 2000), control, size)
    assert status == "STATUS_INVALID_PARAMETER"


def test_segments_of_one_send(world: World, family: int) -> None:
    ends = Ends(world)
    control = cmsg(IPPROTO_UDP, 2, ULONG(3))
    remote = ends.far.address(family, 2000)
    requests = [receive(ends.b, 10, None, None)[0] for _ in range(2)]
    assert send_with(ends.a, remote, control) == "STATUS_SUCCESS"
    world.run(10**9)
    assert [request.info for request in requests] == [3, 1]
    assert send_with(ends.a, remote, cmsg(IPPROTO_UDP, 2, b"")) == "STATUS_INVALID_PARAMETER"


def test_joined_datagrams_say_their_size(world: World, family: int) -> None:
    ends = Ends(world)
    assert put(ends.b, IPPROTO_UDP, 3, ULONG(1000)) == "STATUS_SUCCESS"
    memory = bytearray(24)
    for part in (b"one", b"two", b"x"):
        send_to(ends.a, part, ends.far.address(family, 2000))
    world.run(10**9)
    request, length, flags = receive(ends.b, 100, memory, 24)
    world.run(10**9)
    assert (request.info, flags.value) == (7, 0)
    assert bytes(memory[: length.value]) == cmsg(IPPROTO_UDP, 3, ULONG(3), False).ljust(
        length.value, b"\0"
    )
