# SPDX-License-Identifier: MIT
"""Every option and IOCTL as wsk.md 4 has it: value, type, category, IRP rule and time, and the
status of every way to get one wrong.  What they do is in the files beside this one.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.harness import World
from tests.wsk.control_kit import get, ioctl, make, put
from tests.wsk.kit import Couple, Party, bind
from tools.control_tables import PAGE, render
from wsk_api import (
    AF_INET,
    SOL_SOCKET,
    ULONG,
    WSK_FLAG_LISTEN_SOCKET,
    Ref,
    status_name,
)
from wsk_api.control.rows import Ioctl, Option, Refused
from wsk_api.control.tables import IOCTLS, OPTIONS

OPTION_ROWS = """
# level name value octets access sockets IRP time
0 IP_TOS 0x3 4 get LCD optional always
0 IP_TTL 0x4 4 set+get LCD optional always
0 IP_MULTICAST_IF 0x9 4 set+get D optional always
0 IP_MULTICAST_TTL 0xa 4 set+get D optional always
0 IP_MULTICAST_LOOP 0xb 4 set+get D optional always
0 IP_ADD_MEMBERSHIP 0xc 8 set D optional after-bind
0 IP_DROP_MEMBERSHIP 0xd 8 set D optional after-bind
0 IP_DONTFRAGMENT 0xe 4 set+get D optional always
0 IP_ADD_SOURCE_MEMBERSHIP 0xf 12 set D optional after-bind
0 IP_DROP_SOURCE_MEMBERSHIP 0x10 12 set D optional after-bind
0 IP_BLOCK_SOURCE 0x11 12 set D optional after-bind
0 IP_UNBLOCK_SOURCE 0x12 12 set D optional after-bind
0 IP_PKTINFO 0x13 4 set+get D optional always
0 IP_HOPLIMIT 0x15 4 set+get D optional always
0 IP_RECEIVE_BROADCAST 0x16 4 set+get D optional always
0 IP_RECVIF 0x18 4 set+get D optional always
0 IP_RECVDSTADDR 0x19 4 set+get D optional always
0 IP_UNICAST_IF 0x1f 4 set+get D optional always
0 IP_TCLASS 0x27 4 set+get LCD optional always
0 IP_RECVTCLASS 0x28 4 set+get D optional always
0 MCAST_JOIN_GROUP 0x29 136 set D optional after-bind
0 MCAST_LEAVE_GROUP 0x2a 136 set D optional after-bind
0 MCAST_BLOCK_SOURCE 0x2b 264 set D optional after-bind
0 MCAST_UNBLOCK_SOURCE 0x2c 264 set D optional after-bind
0 MCAST_JOIN_SOURCE_GROUP 0x2d 264 set D optional after-bind
0 MCAST_LEAVE_SOURCE_GROUP 0x2e 264 set D optional after-bind
0 IP_ORIGINAL_ARRIVAL_IF 0x2f 4 set+get D optional always
0 IP_RECVECN 0x32 4 set+get D optional always
0 IP_PKTINFO_EX 0x33 4 set+get D optional always
0 IP_MTU_DISCOVER 0x47 4 set+get LCD optional always
0 IP_MTU 0x49 4 get CD optional always
0 IP_USER_MTU 0x4c 4 set+get D optional always
6 TCP_NODELAY 0x1 4 set+get LC optional always
6 TCP_KEEPIDLE 0x3 4 set+get LC optional always
6 TCP_MAXSEG 0x4 4 get C optional always
6 TCP_MAXRT 0x5 4 set+get LC optional always
6 TCP_NOSYNRETRIES 0x9 4 set+get C optional before-connect
6 TCP_TIMESTAMPS 0xa 4 set+get C optional before-connect
6 TCP_CONGESTION_ALGORITHM 0xc 4 set+get C optional always
6 TCP_MAXRTMS 0xe 4 set+get LC optional always
6 TCP_FASTOPEN 0xf 4 set+get LC optional always
6 TCP_KEEPCNT 0x10 4 set+get LC optional always
6 TCP_KEEPINTVL 0x11 4 set+get LC optional always
6 TCP_FAIL_CONNECT_ON_ICMP_ERROR 0x12 4 set+get C optional before-connect
17 UDP_NOCHECKSUM 0x1 4 set+get D optional always
17 UDP_SEND_MSG_SIZE 0x2 4 set+get D optional always
17 UDP_RECV_MAX_COALESCED_SIZE 0x3 4 set+get D optional always
41 IPV6_UNICAST_HOPS 0x4 4 set+get LCD optional always
41 IPV6_MULTICAST_IF 0x9 4 set+get D optional always
41 IPV6_MULTICAST_HOPS 0xa 4 set+get D optional always
41 IPV6_MULTICAST_LOOP 0xb 4 set+get D optional always
41 IPV6_JOIN_GROUP 0xc 20 set D optional after-bind
41 IPV6_LEAVE_GROUP 0xd 20 set D optional after-bind
41 IPV6_DONTFRAG 0xe 4 set+get D optional always
41 IPV6_PKTINFO 0x13 4 set+get D optional always
41 IPV6_HOPLIMIT 0x15 4 set+get D optional always
41 IPV6_PROTECTION_LEVEL 0x17 4 set+get LCD optional before-bind
41 IPV6_RECVIF 0x18 4 set+get D optional always
41 IPV6_RECVDSTADDR 0x19 4 set+get D optional always
41 IPV6_V6ONLY 0x1b 4 set+get LCD optional before-bind
41 IPV6_UNICAST_IF 0x1f 4 set+get D optional always
41 IPV6_TCLASS 0x27 4 set+get LCD optional always
41 IPV6_RECVTCLASS 0x28 4 set+get D optional always
41 MCAST_JOIN_GROUP 0x29 136 set D optional after-bind
41 MCAST_LEAVE_GROUP 0x2a 136 set D optional after-bind
41 MCAST_BLOCK_SOURCE 0x2b 264 set D optional after-bind
41 MCAST_UNBLOCK_SOURCE 0x2c 264 set D optional after-bind
41 MCAST_JOIN_SOURCE_GROUP 0x2d 264 set D optional after-bind
41 MCAST_LEAVE_SOURCE_GROUP 0x2e 264 set D optional after-bind
41 IPV6_ORIGINAL_ARRIVAL_IF 0x2f 4 set+get D optional always
41 IPV6_RECVECN 0x32 4 set+get D optional always
41 IPV6_PKTINFO_EX 0x33 4 set+get D optional always
41 IPV6_MTU_DISCOVER 0x47 4 set+get LCD optional always
41 IPV6_MTU 0x48 4 get CD optional always
41 IPV6_USER_MTU 0x4c 4 set+get D optional always
65535 SO_DEBUG 0x1 4 set+get LCDB optional always
65535 SO_ACCEPTCONN 0x2 4 get LCDB optional always
65535 SO_REUSEADDR 0x4 4 set+get LCD required before-bind
65535 SO_KEEPALIVE 0x8 4 set+get LC required always
65535 SO_DONTROUTE 0x10 4 set+get LCDB optional always
65535 SO_BROADCAST 0x20 4 set+get D required always
65535 SO_RCVBUF 0x1002 4 set+get LCD required always
65535 SO_TYPE 0x1008 4 get LCDB optional always
65535 SO_MAX_MSG_SIZE 0x2003 4 get D optional always
65535 SO_CONDITIONAL_ACCEPT 0x3002 4 set+get L required before-bind
65535 SO_RANDOMIZE_PORT 0x3005 4 set+get LCD optional before-bind
65535 SO_WSK_SECURITY 0x4001 8 set+get LCD required before-bind
65535 SO_MAXDG 0x7009 4 get D optional always
65535 SO_MAXPATHDG 0x700a 4 get D optional always
65535 SO_CONNECT_TIME 0x700c 4 get C optional always
65535 SO_EXCLUSIVEADDRUSE 0xfffffffb 4 set+get LCD required before-bind
"""
IOCTL_ROWS = """
# name code octets-in octets-out sockets IRP time
SIO_WSK_SET_REMOTE_ADDRESS 0x8F000001 - - D required after-bind
SIO_WSK_SET_SENDTO_ADDRESS 0x8F000006 - - D required after-bind
SIO_WSK_REGISTER_EXTENSION 0xCF000002 - - LCDB none always
SIO_WSK_QUERY_IDEAL_SEND_BACKLOG 0x4F000003 - 8 C required connected
SIO_WSK_QUERY_RECEIVE_BACKLOG 0x4F000004 - 8 C required connected
SIO_WSK_QUERY_INSPECT_ID 0x4F000005 - - LCDB none always
SIO_WSK_SET_TCP_SILENT_MODE 0x2F000007 - - C required connected
SIO_ADDRESS_LIST_QUERY 0x48000016 - - LCDB none always
SIO_ADDRESS_LIST_CHANGE 0x28000017 - - LCDB required always
SIO_ADDRESS_LIST_SORT 0xC8000019 - - LCDB optional always
SIO_KEEPALIVE_VALS 0x98000004 12 - LC optional always
SIO_UDP_CONNRESET 0x9800000C 4 - D optional always
SIO_UDP_NETRESET 0x9800000F 4 - D optional always
SIO_TCP_INITIAL_RTO 0x98000011 4 - C optional before-connect
SIO_TCP_SET_ICW 0x98000016 4 - C optional before-connect
SIO_TCP_SET_ACK_FREQUENCY 0x98000017 1 - LC optional always
SIO_TCP_INFO 0xD8000027 4 88 C optional always
SIO_ACQUIRE_PORT_RESERVATION 0x98000064 4 16 LCD optional always
SIO_RELEASE_PORT_RESERVATION 0x98000065 8 - LCD optional always
SIO_ASSOCIATE_PORT_RESERVATION 0x98000066 8 - LCD optional before-bind
"""


def _rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line and line[0] != "#"]


SETS = _rows(OPTION_ROWS)
NAMES = [f"{row[0]}-{row[1]}" for row in SETS]
IOS = _rows(IOCTL_ROWS)
IO_NAMES = [row[0] for row in IOS]
VALUES = {
    "SO_CONDITIONAL_ACCEPT": 0,
    "SO_RCVBUF": 65536,
    "TCP_KEEPCNT": 5,
    "TCP_CONGESTION_ALGORITHM": 2,
    "IP_TCLASS": 0xB8,
    "IPV6_TCLASS": 0xB8,
    "IP_USER_MTU": 1400,
    "IPV6_USER_MTU": 1400,
    "IPV6_PROTECTION_LEVEL": 20,
}
"""Where 1 would not do."""
OF_RAW_SOCKETS = {(0, 2): "IP_HDRINCL", (41, 2): "IPV6_HDRINCL", (41, 26): "IPV6_CHECKSUM"}
"""Refused by other datagram sockets: tested in `test_messages`."""


def plain(row: list[str]) -> bool:
    """The value is four octets."""
    return row[3] == "4"


@pytest.fixture
def party(world: World) -> Party:
    return Party(world, world.pair()[0])


def fit(party: Party, row: list[str], letter: str | None = None) -> Any:
    """A socket on which the option of `row` can be set."""
    letter = letter or row[5][0]
    socket = make(party, letter)
    if letter != "B" and (row[7] == "after-bind" or "CONGESTION" in row[1]):
        assert bind(socket).status == "STATUS_SUCCESS"
    return socket


def sample(row: list[str]) -> bytes:
    if row[1] == "IP_MULTICAST_IF" or row[1] == "IP_UNICAST_IF":
        return bytes((0, 0, 0, 2))  # an index in network order
    return ULONG(VALUES.get(row[1], 1))


# The tables themselves.


def test_the_options_are_those_of_the_documents() -> None:
    done = {(r.level, r.code): r.name for r in OPTIONS.values() if isinstance(r, Option)}
    assert done == {(int(r[0]), int(r[2], 0)): r[1] for r in SETS} | OF_RAW_SOCKETS


def test_the_ioctls_are_those_of_the_documents() -> None:
    done = {r.code: r.name for r in IOCTLS.values() if isinstance(r, Ioctl)}
    assert done == {int(r[1], 0): r[0] for r in IOS}


def test_the_page_shows_the_tables() -> None:
    assert PAGE.read_text() == render(), "python tools/control_tables.py"


# Options, one wrong thing at a time.


@pytest.mark.parametrize(
    "row", [r for r in SETS if r[4] == "set+get" and plain(r)], ids=lambda r: f"{r[0]}-{r[1]}"
)
def test_there_and_back(party: Party, row: list[str]) -> None:
    for letter in row[5]:
        socket = fit(party, row, letter)
        for irp in (True, False) if row[6] == "optional" else (True,):
            level, code = int(row[0]), int(row[2], 0)
            assert put(socket, level, code, sample(row), irp=irp) == "STATUS_SUCCESS"
            assert get(socket, level, code, irp=irp) == ("STATUS_SUCCESS", sample(row))
            # A larger room is fine, and what is not needed stays as it is.
            assert get(socket, level, code, 9, irp) == ("STATUS_SUCCESS", sample(row))


@pytest.mark.parametrize("row", SETS, ids=NAMES)
def test_sizes(party: Party, row: list[str]) -> None:
    level, code, size = int(row[0]), int(row[2], 0), int(row[3])
    socket = fit(party, row)
    if "set" in row[4] and row[1] != "SO_WSK_SECURITY":
        value = bytes(size + 8)
        for wrong in (0, size - 1, size + 1):
            assert put(socket, level, code, value, wrong) == "STATUS_INVALID_PARAMETER"
        assert put(socket, level, code, bytes(size - 1), size) == "STATUS_INVALID_PARAMETER"
        assert put(socket, level, code, None, size) == "STATUS_INVALID_PARAMETER"
    if "get" in row[4]:
        assert get(socket, level, code, size - 1)[0] == "STATUS_BUFFER_TOO_SMALL"
        if plain(row):
            wrong_room = get(socket, level, code, size, output=bytes(size))
            assert wrong_room[0] == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("row", SETS, ids=NAMES)
def test_other_categories(party: Party, row: list[str]) -> None:
    level, code, size = int(row[0]), int(row[2], 0), int(row[3])
    for letter in set("LCDB") - set(row[5]):
        socket = make(party, letter)
        if "set" in row[4]:
            wrong = put(socket, level, code, sample(row)[:size].ljust(size, b"\0"))
            assert wrong == "STATUS_INVALID_DEVICE_REQUEST"
        if "get" in row[4]:
            assert get(socket, level, code, size)[0] == "STATUS_INVALID_DEVICE_REQUEST"


@pytest.mark.parametrize("row", SETS, ids=NAMES)
def test_the_other_direction(party: Party, row: list[str]) -> None:
    level, code = int(row[0]), int(row[2], 0)
    socket = fit(party, row)
    if row[4] == "get":
        assert put(socket, level, code, sample(row)) == "STATUS_INVALID_PARAMETER"
    elif row[4] == "set":
        assert get(socket, level, code, 300)[0] == "STATUS_INVALID_PARAMETER"
    else:
        assert row[4] == "set+get"


@pytest.mark.parametrize("row", [r for r in SETS if r[6] == "required"], ids=lambda r: r[1])
def test_no_irp_where_one_is_required(party: Party, row: list[str]) -> None:
    level, code = int(row[0]), int(row[2], 0)
    socket = fit(party, row)
    assert put(socket, level, code, sample(row), irp=False) == "STATUS_INVALID_PARAMETER"
    assert get(socket, level, code, 8, irp=False)[0] == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("row", [r for r in SETS if "bind" in r[7]], ids=lambda r: r[0] + r[1])
def test_the_wrong_side_of_bind(party: Party, row: list[str]) -> None:
    level, code, size = int(row[0]), int(row[2], 0), int(row[3])
    socket = make(party, row[5][0])
    if row[7] == "before-bind":
        assert bind(socket).status == "STATUS_SUCCESS"
    value = sample(row) if size == 4 else bytes(size)
    assert put(socket, level, code, value) == "STATUS_INVALID_DEVICE_STATE"


@pytest.mark.parametrize("row", [r for r in SETS if r[7] == "before-connect"], ids=lambda r: r[1])
def test_too_late_for_the_handshake(world: World, row: list[str]) -> None:
    couple = Couple(world, 1)
    late = put(couple.a, int(row[0]), int(row[2], 0), sample(row))
    assert late == "STATUS_INVALID_DEVICE_STATE"


@pytest.mark.parametrize("row", [r for r in SETS if r[0] == "41"], ids=lambda r: r[1])
def test_an_ipv4_socket_has_no_ipv6_options(party: Party, row: list[str]) -> None:
    how: dict[str, Any] = {"family": AF_INET}
    if "L" not in row[5]:
        how |= {"kind": 2, "protocol": 17}
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET if "L" in row[5] else 4, **how)
    if "set" in row[4]:
        assert put(socket, 41, int(row[2], 0), bytes(int(row[3]))) == "STATUS_INVALID_PARAMETER"
    if "get" in row[4]:
        assert get(socket, 41, int(row[2], 0))[0] == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("SO_RCVBUF", (0, 1 << 31)),
        ("SO_RANDOMIZE_PORT", (0,)),
        ("TCP_KEEPCNT", (0, 1, 256)),
        ("TCP_KEEPIDLE", (0,)),
        ("TCP_CONGESTION_ALGORITHM", (5,)),
        ("IP_TTL", (0, 256)),
        ("IPV6_UNICAST_HOPS", (0, 256)),
        ("IP_MULTICAST_TTL", (256,)),
        ("IP_TCLASS", (1, 3, 256)),
        ("IP_MTU_DISCOVER", (4,)),
        ("IPV6_USER_MTU", (1279,)),
        ("IP_USER_MTU", (67,)),
        ("IPV6_PROTECTION_LEVEL", (0, 15)),
        ("IP_UNICAST_IF", (99 << 24,)),
        ("IPV6_UNICAST_IF", (99,)),
        ("IPV6_MULTICAST_IF", (99,)),
        ("IP_MULTICAST_IF", (99 << 24, 0x01020304)),
        ("UDP_SEND_MSG_SIZE", (65536,)),
    ],
)
def test_values_out_of_bounds(party: Party, name: str, values: tuple[int, ...]) -> None:
    row = next(r for r in SETS if r[1] == name)
    socket = fit(party, row)
    for value in values:
        wrong = put(socket, int(row[0]), int(row[2], 0), ULONG(value))
        assert wrong == "STATUS_INVALID_PARAMETER"


def test_streams_always_discover_the_path_mtu(party: Party) -> None:
    socket = make(party, "C")
    for level in (0, 41):
        assert put(socket, level, 71, ULONG(1)) == "STATUS_SUCCESS"
        assert put(socket, level, 71, ULONG(2)) == "STATUS_NOT_SUPPORTED"
        assert get(socket, level, 71) == ("STATUS_SUCCESS", ULONG(1))


# What is refused.

REFUSED = [r for r in (*OPTIONS.values(), *IOCTLS.values()) if isinstance(r, Refused)]


@pytest.mark.parametrize("row", REFUSED, ids=lambda r: f"{r.level}-{r.name}")
def test_refused(party: Party, row: Refused) -> None:
    """Known, refused with the status on the page, and with a reason."""
    assert row.why
    socket = make(party, "D")
    for irp in (True, False):
        if row.level is None:
            assert ioctl(socket, row.code, bytes(8), 8, irp)[0] == status_name(row.status)
        else:
            assert put(socket, row.level, row.code, ULONG(1), irp=irp) == status_name(row.status)
            assert get(socket, row.level, row.code, irp=irp)[0] == status_name(row.status)


def test_unknown_codes(party: Party) -> None:
    socket = make(party, "D")
    for irp in (True, False):
        assert put(socket, 12345, 1, ULONG(1), irp=irp) == "STATUS_NOT_SUPPORTED"
        assert put(socket, SOL_SOCKET, 0x7FFF, ULONG(1), irp=irp) == "STATUS_NOT_SUPPORTED"
        assert get(socket, SOL_SOCKET, 0x7FFF, irp=irp)[0] == "STATUS_NOT_SUPPORTED"
        assert ioctl(socket, 0xDEAD, irp=irp)[0] == "STATUS_NOT_SUPPORTED"


# IOCTLs, one wrong thing at a time.


@pytest.mark.parametrize("row", IOS, ids=IO_NAMES)
def test_ioctls_of_other_categories(party: Party, row: list[str]) -> None:
    given = None if row[2] == "-" else bytes(int(row[2]))
    for letter in set("LCDB") - set(row[4]):
        status, _ = ioctl(make(party, letter), int(row[1], 0), given, 100, row[5] != "none")
        assert status == "STATUS_INVALID_DEVICE_REQUEST"


@pytest.mark.parametrize("row", [r for r in IOS if r[5] != "optional"], ids=lambda r: r[0])
def test_the_irp_of_an_ioctl(party: Party, row: list[str]) -> None:
    socket = make(party, row[4][0])
    status, _ = ioctl(socket, int(row[1], 0), bytes(16), 100, irp=row[5] == "none")
    assert status == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("row", [r for r in IOS if r[2] != "-"], ids=lambda r: r[0])
def test_the_input_of_an_ioctl(party: Party, row: list[str]) -> None:
    socket = make(party, row[4][0])
    for wrong in (int(row[2]) - 1, int(row[2]) + 1):
        status, _ = ioctl(socket, int(row[1], 0), bytes(wrong), 400)
        assert status == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("row", [r for r in IOS if r[3] != "-"], ids=lambda r: r[0])
def test_the_output_of_an_ioctl(party: Party, row: list[str]) -> None:
    socket = make(party, row[4][0])
    given = None if row[2] == "-" else bytes(int(row[2]))
    status, _ = ioctl(socket, int(row[1], 0), given, int(row[3]) - 1)
    assert status == "STATUS_BUFFER_TOO_SMALL"
    size = 0 if given is None else len(given)
    status, _ = ioctl(socket, int(row[1], 0), given, bytes(400), sizes=(size, 400))
    assert status == "STATUS_INVALID_PARAMETER"


@pytest.mark.parametrize("row", [r for r in IOS if r[6] != "always"], ids=lambda r: r[0])
def test_the_time_of_an_ioctl(world: World, row: list[str]) -> None:
    couple = Couple(world, 1)
    socket = make(couple.near, row[4][0])
    if row[6] == "before-bind":
        bind(socket)
    if row[6] == "before-connect":
        socket = couple.a
    given = None if row[2] == "-" else b"\1" * int(row[2])
    status, _ = ioctl(socket, int(row[1], 0), given, 100)
    assert status == "STATUS_INVALID_DEVICE_STATE"


def test_security_is_a_pointer(party: Party) -> None:
    socket = make(party, "D")
    assert put(socket, SOL_SOCKET, 0x4001, object(), 8) == "STATUS_INVALID_PARAMETER"
    room: Ref[Any] = Ref()
    assert get(socket, SOL_SOCKET, 0x4001, 7, output=room)[0] == "STATUS_BUFFER_TOO_SMALL"
