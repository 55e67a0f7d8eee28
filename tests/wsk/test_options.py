# SPDX-License-Identifier: MIT
"""Creating sockets, options, addresses and sharing (wsk.md 2.4, 2.9, 4)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base.addr import V4, V6
from tests.harness import World
from tests.wsk.kit import (
    Couple,
    Party,
    Request,
    accept,
    bind,
    close,
    get_option,
    mapped,
    set_option,
)
from wsk_api import (
    AF_INET,
    AF_INET6,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPPROTO_UDP,
    IPV6_V6ONLY,
    SO_BROADCAST,
    SO_EXCLUSIVEADDRUSE,
    SO_KEEPALIVE,
    SO_REUSEADDR,
    SO_TYPE,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    SOL_SOCKET,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
    TCP_FASTOPEN,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_MAXRT,
    TCP_NODELAY,
    ULONG,
    WSK_FLAG_BASIC_SOCKET,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_DATAGRAM_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_TRANSPORT_LIST_QUERY,
    Ref,
    WskGetOption,
    WskIoctl,
    WskSetOption,
)


@pytest.fixture
def party(world: World) -> Party:
    return Party(world, world.pair()[0])


# Creating.


@pytest.mark.parametrize(
    ("flags", "more", "status"),
    [
        (WSK_FLAG_LISTEN_SOCKET | WSK_FLAG_CONNECTION_SOCKET, {}, "STATUS_INVALID_PARAMETER"),
        (0x100, {}, "STATUS_INVALID_PARAMETER"),
        (WSK_FLAG_LISTEN_SOCKET, {"family": 99}, "STATUS_NOT_SUPPORTED"),
        (WSK_FLAG_LISTEN_SOCKET, {"kind": 4}, "STATUS_NOT_SUPPORTED"),
        (WSK_FLAG_LISTEN_SOCKET, {"protocol": 132}, "STATUS_NOT_SUPPORTED"),
        (WSK_FLAG_LISTEN_SOCKET, {"protocol": IPPROTO_UDP}, "STATUS_NOT_SUPPORTED"),
        (WSK_FLAG_BASIC_SOCKET, {"context": "no"}, "STATUS_INVALID_PARAMETER"),
    ],
)
def test_sockets_that_cannot_be(
    party: Party, flags: int, more: dict[str, Any], status: str
) -> None:
    assert party.create(flags, **more).status == status
    assert party.npi.Client.sockets == set()


def test_without_a_client(party: Party) -> None:
    request = Request()
    answer = party.npi.Dispatch.WskSocket(
        None, AF_INET, SOCK_STREAM, 6, 0, None, None, None, None, None, request.irp
    )
    assert answer == STATUS_INVALID_HANDLE
    assert request.status == "STATUS_INVALID_HANDLE"


@pytest.mark.parametrize(
    ("flags", "names"),
    [
        (WSK_FLAG_BASIC_SOCKET, "WskControlSocket WskCloseSocket"),
        (
            WSK_FLAG_LISTEN_SOCKET,
            "WskControlSocket WskCloseSocket WskBind WskAccept WskInspectComplete "
            "WskGetLocalAddress",
        ),
        (
            WSK_FLAG_CONNECTION_SOCKET,
            "WskControlSocket WskCloseSocket WskBind WskConnect WskGetLocalAddress "
            "WskGetRemoteAddress WskSend WskReceive WskDisconnect WskRelease",
        ),
    ],
)
def test_tables(party: Party, flags: int, names: str) -> None:
    socket = party.socket(flags, dual=False)
    assert all(callable(getattr(socket.Dispatch, name)) for name in names.split())


def test_transport_list(party: Party) -> None:
    found: list[Any] = []
    returned: Ref[int] = Ref()
    control = party.npi.Dispatch.WskControlClient
    query = (party.npi.Client, WSK_TRANSPORT_LIST_QUERY, 0, None)
    assert control(*query, 0, found, returned, None) == STATUS_BUFFER_OVERFLOW
    assert returned.value == 6 * 28
    assert control(*query, 6 * 28, found, returned, None) == STATUS_SUCCESS
    kinds = {(t.AddressFamily, t.SocketType, t.Protocol) for t in found}
    assert kinds == {
        (family, kind, protocol)
        for family in (AF_INET, AF_INET6)
        for kind, protocol in ((SOCK_STREAM, IPPROTO_TCP), (SOCK_DGRAM, IPPROTO_UDP), (SOCK_RAW, 0))
    }


# Options.


def test_v6only_is_on_by_default_and_settled_by_bind(party: Party) -> None:
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET, dual=False)
    assert get_option(socket, IPPROTO_IPV6, IPV6_V6ONLY) == 1
    assert set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 0).status == "STATUS_SUCCESS"
    assert get_option(socket, IPPROTO_IPV6, IPV6_V6ONLY) == 0
    bind(socket, 80)
    late = set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    assert late.status == "STATUS_INVALID_DEVICE_STATE"
    plain = party.socket(WSK_FLAG_LISTEN_SOCKET, family=AF_INET)
    wrong = set_option(plain, IPPROTO_IPV6, IPV6_V6ONLY, 0)
    assert wrong.status == "STATUS_INVALID_PARAMETER"


def test_a_v6only_listener_leaves_ipv4_to_another(world: World) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    six = far.socket(WSK_FLAG_LISTEN_SOCKET, dual=False)
    four = far.socket(WSK_FLAG_LISTEN_SOCKET, family=AF_INET)
    assert bind(six, 80).status == "STATUS_SUCCESS"
    bound = Request().issue(four.Dispatch.WskBind, four, SOCKADDR_IN(80), 0)
    assert bound.status == "STATUS_SUCCESS"
    accepts = {V4: accept(four), V6: accept(six)}
    for family, accepting in accepts.items():
        _, connecting = near.connecting(far.address(family, 80))
        world.run(10**9)
        assert connecting.status == accepting.status == "STATUS_SUCCESS"


def test_mapped_addresses_need_a_dual_socket(party: Party) -> None:
    six = party.socket(WSK_FLAG_LISTEN_SOCKET, dual=False)
    refused = bind(six, 80, mapped(party.host.v4))
    assert refused.status == "STATUS_INVALID_ADDRESS"
    dual = party.socket(WSK_FLAG_LISTEN_SOCKET)
    assert bind(dual, 80, mapped(party.host.v4)).status == "STATUS_SUCCESS"
    out: Ref[Any] = Ref()
    Request().issue(dual.Dispatch.WskGetLocalAddress, dual, out)
    assert out.value == SOCKADDR_IN6(80, mapped(party.host.v4))


def test_nodelay_is_inherited(world: World) -> None:
    couple = Couple(world, 1)
    assert get_option(couple.b, IPPROTO_TCP, TCP_NODELAY) == 0
    set_option(couple.listener, IPPROTO_TCP, TCP_NODELAY, 1)
    accepting = accept(couple.listener)
    couple.near.connecting(couple.far.address(1, 80))
    couple.run()
    assert get_option(accepting.info, IPPROTO_TCP, TCP_NODELAY) == 1
    assert get_option(couple.a, SOL_SOCKET, SO_TYPE) == SOCK_STREAM


def test_keepalive_waits_for_a_connect(world: World) -> None:
    """Before and after is fine, during is not."""
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    far.listener(80)
    socket, connecting = near.connecting(far.address(V6, 80))
    early = set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1)
    assert early.status == "STATUS_INVALID_PARAMETER"
    world.run(10**9)
    assert connecting.status == "STATUS_SUCCESS"
    assert set_option(socket, SOL_SOCKET, SO_KEEPALIVE, 1).status == "STATUS_SUCCESS"


def test_keepalive_is_off_inherited_and_needs_an_irp(world: World) -> None:
    """wsk.md 4.2; the times are TCP's options, in seconds (4.4)."""
    couple = Couple(world, 1)
    assert get_option(couple.b, SOL_SOCKET, SO_KEEPALIVE) == 0
    for code, value in ((TCP_KEEPIDLE, 100), (TCP_KEEPINTVL, 5), (TCP_KEEPCNT, 3)):
        set_option(couple.listener, IPPROTO_TCP, code, value)
        assert get_option(couple.listener, IPPROTO_TCP, code) == value
    set_option(couple.listener, SOL_SOCKET, SO_KEEPALIVE, 1)
    accepting = accept(couple.listener)
    couple.near.connecting(couple.far.address(1, 80))
    couple.run()
    assert get_option(accepting.info, SOL_SOCKET, SO_KEEPALIVE) == 1
    assert get_option(accepting.info, IPPROTO_TCP, TCP_KEEPIDLE) == 100
    before = couple.far.host.stack.tcp.counters.out_segs
    world.run(250 * 10**9)
    assert couple.far.host.stack.tcp.counters.out_segs - before == 2
    bare = (accepting.info, WskSetOption, SO_KEEPALIVE, SOL_SOCKET, 4, ULONG(0), 0)
    control = accepting.info.Dispatch.WskControlSocket
    assert control(*bare, None, None, None) == STATUS_INVALID_PARAMETER


def test_the_retransmission_time_out_can_be_set(world: World) -> None:
    couple = Couple(world, 1)
    set_option(couple.a, IPPROTO_TCP, TCP_MAXRT, 7)
    assert get_option(couple.a, IPPROTO_TCP, TCP_MAXRT) == 7
    set_option(couple.a, IPPROTO_TCP, TCP_MAXRT, 0xFFFFFFFF)
    assert get_option(couple.a, IPPROTO_TCP, TCP_MAXRT) == 0xFFFFFFFF


def test_options_of_another_category(party: Party) -> None:
    datagram = party.datagram(0)
    wrong = set_option(datagram, IPPROTO_TCP, TCP_NODELAY, 1)
    assert wrong.status == "STATUS_INVALID_DEVICE_REQUEST"
    stream = party.socket(WSK_FLAG_CONNECTION_SOCKET)
    wrong = set_option(stream, SOL_SOCKET, SO_BROADCAST, 1)
    assert wrong.status == "STATUS_INVALID_DEVICE_REQUEST"


def test_malformed_option_calls(party: Party) -> None:
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    control = socket.Dispatch.WskControlSocket
    v6only = (IPV6_V6ONLY, IPPROTO_IPV6)
    for arguments, status in (
        ((WskSetOption, *v6only, 2, b"\0\0", 0, None, None), "STATUS_INVALID_PARAMETER"),
        ((WskSetOption, *v6only, 4, None, 0, None, None), "STATUS_INVALID_PARAMETER"),
        ((WskGetOption, *v6only, 0, None, 2, bytearray(2), None), "STATUS_BUFFER_TOO_SMALL"),
        ((WskGetOption, *v6only, 0, None, 4, bytes(4), None), "STATUS_INVALID_PARAMETER"),
        ((WskSetOption, 12345, 54321, 4, ULONG(1), 0, None, None), "STATUS_NOT_SUPPORTED"),
        ((WskIoctl, 1, 1, 0, None, 0, None, None), "STATUS_NOT_SUPPORTED"),
        ((77, *v6only, 4, ULONG(1), 0, None, None), "STATUS_INVALID_PARAMETER"),
    ):
        assert Request().issue(control, socket, *arguments).status == status


def test_some_options_need_an_irp_and_some_do_not(party: Party) -> None:
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    control = socket.Dispatch.WskControlSocket
    reuse = (socket, WskSetOption, SO_REUSEADDR, SOL_SOCKET, 4, ULONG(1), 0, None, None, None)
    assert control(*reuse) == STATUS_INVALID_PARAMETER
    only = (socket, WskSetOption, IPV6_V6ONLY, IPPROTO_IPV6, 4, ULONG(0), 0, None, None, None)
    assert control(*only) == STATUS_SUCCESS


# Sharing an address.


@pytest.mark.parametrize(
    ("first", "second", "status"),
    [
        (None, None, "STATUS_ADDRESS_ALREADY_EXISTS"),
        (SO_REUSEADDR, SO_REUSEADDR, "STATUS_SUCCESS"),
        (None, SO_REUSEADDR, None),
        (SO_EXCLUSIVEADDRUSE, SO_REUSEADDR, "STATUS_ACCESS_DENIED"),
        (SO_EXCLUSIVEADDRUSE, None, None),
    ],
)
def test_two_binds_to_one_port(
    party: Party, first: int | None, second: int | None, status: str | None
) -> None:
    answers = []
    for option in (first, second):
        how: dict[str, Any] = {"kind": SOCK_DGRAM, "protocol": IPPROTO_UDP}
        socket = party.socket(WSK_FLAG_DATAGRAM_SOCKET, **how)
        if option is not None:
            assert set_option(socket, SOL_SOCKET, option, 1).status == "STATUS_SUCCESS"
            assert get_option(socket, SOL_SOCKET, option) == 1
        answers.append(bind(socket, 5353).status)
    assert answers[0] == "STATUS_SUCCESS"
    if status is None:
        assert answers[1] in ("STATUS_ADDRESS_ALREADY_EXISTS", "STATUS_ACCESS_DENIED")
    else:
        assert answers[1] == status


def test_reuse_and_exclusive_exclude_each_other(party: Party) -> None:
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    set_option(socket, SOL_SOCKET, SO_REUSEADDR, 1)
    both = set_option(socket, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1)
    assert both.status == "STATUS_INVALID_PARAMETER"


def test_bind_statuses(party: Party) -> None:
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    foreign = bind(socket, 80, bytes.fromhex("20010db8") + bytes(12))
    assert foreign.status == "STATUS_INVALID_ADDRESS_COMPONENT"
    assert bind(socket, 70_000).status == "STATUS_INVALID_PARAMETER"
    early: Ref[Any] = Ref()
    name = Request().issue(socket.Dispatch.WskGetLocalAddress, socket, early)
    assert name.status == "STATUS_INVALID_DEVICE_STATE"
    assert bind(socket, 0).status == "STATUS_SUCCESS"
    assert bind(socket, 0).status == "STATUS_INVALID_DEVICE_STATE"
    name = Request().issue(socket.Dispatch.WskGetLocalAddress, socket, early)
    assert name.status == "STATUS_SUCCESS"
    assert early.value is not None
    assert early.value.sin6_port >= 1024


def test_a_closed_port_is_free_again(party: Party) -> None:
    first = party.listener(80)
    close(first)
    assert bind(party.socket(WSK_FLAG_LISTEN_SOCKET), 80).status == "STATUS_SUCCESS"


def test_fast_open(world: World) -> None:
    """TCP_FASTOPEN on both sides: the second SYN brings the cookie of the first answer."""
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    listener = far.socket(WSK_FLAG_LISTEN_SOCKET)
    assert get_option(listener, IPPROTO_TCP, TCP_FASTOPEN) == 0
    assert set_option(listener, IPPROTO_TCP, TCP_FASTOPEN, 1).status == "STATUS_SUCCESS"
    bind(listener, 80)
    for early in (0, 1, 2):
        accepting = accept(listener)
        socket = near.socket(WSK_FLAG_CONNECTION_SOCKET)
        bind(socket)
        assert set_option(socket, IPPROTO_TCP, TCP_FASTOPEN, 1).status == "STATUS_SUCCESS"
        connect = socket.Dispatch.WskConnect
        connecting = Request().issue(connect, socket, far.address(V6, 80), 0)
        world.run(10**9)
        assert connecting.status == accepting.status == "STATUS_SUCCESS"
        assert b.stack.tcp.counters.fast_open_passive == early
    set_option(listener, IPPROTO_TCP, TCP_FASTOPEN, 0)
    near.connecting(far.address(V6, 80))
    world.run(10**9)
    assert b.stack.tcp.counters.fast_open_passive == 2
