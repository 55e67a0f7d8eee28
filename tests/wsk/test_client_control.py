# SPDX-License-Identifier: MIT
"""WskControlClient (wsk.md 4.1), extension interfaces (4.7), and the list of addresses (4.6)."""

from __future__ import annotations

from typing import Any

import pytest

from stack.base import addr
from stack.ip.addrconf import DEPRECATED, SLAAC
from tests.harness import World, quiet
from tests.ip.addressing import Scene
from tests.wsk.control_kit import ioctl, make
from tests.wsk.kit import Party, Request, close
from wsk_api import (
    AF_INET,
    NPI_WSK_INTERFACE_ID,
    SIO_ADDRESS_LIST_CHANGE,
    SIO_ADDRESS_LIST_QUERY,
    SIO_ADDRESS_LIST_SORT,
    SIO_WSK_QUERY_INSPECT_ID,
    SIO_WSK_REGISTER_EXTENSION,
    SO_WSK_EVENT_CALLBACK,
    SOCKADDR_IN,
    SOCKADDR_IN6,
    SOCKET_ADDRESS_LIST,
    SOL_SOCKET,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    ULONG,
    WSK_CACHE_SD,
    WSK_EVENT_CALLBACK_CONTROL,
    WSK_EVENT_RECEIVE_FROM,
    WSK_EXTENSION_CONTROL_IN,
    WSK_EXTENSION_CONTROL_OUT,
    WSK_RELEASE_SD,
    WSK_SET_STATIC_EVENT_CALLBACKS,
    WSK_TDI_BEHAVIOR,
    WSK_TDI_BEHAVIOR_BYPASS_TDI,
    WSK_TDI_DEVICENAME_MAPPING,
    WSK_TDI_MAP,
    WSK_TDI_MAP_INFO,
    WSK_TRANSPORT_LIST_CHANGE,
    WSK_TRANSPORT_LIST_QUERY,
    Extension,
    IoCancelIrp,
    Ref,
    WskDeregister,
    WskIoctl,
    WskReleaseProviderNPI,
    WskSetOption,
    status_name,
)


@pytest.fixture
def party(world: World) -> Party:
    return Party(world, world.pair()[0])


def control(party: Party, code: int, size: int = 0, given: Any = None) -> str:
    call = party.npi.Dispatch.WskControlClient
    return status_name(call(party.npi.Client, code, size, given, 0, None, None, None))


EVENTS = WSK_EVENT_CALLBACK_CONTROL(WSK_EVENT_RECEIVE_FROM)
DEVICES = WSK_TDI_MAP_INFO([WSK_TDI_MAP(1, AF_INET, 6, "\\Device\\Tcp")])
EARLY = [
    (WSK_SET_STATIC_EVENT_CALLBACKS, 16, EVENTS),
    (WSK_TDI_DEVICENAME_MAPPING, 16, DEVICES),
    (WSK_TDI_BEHAVIOR, 4, ULONG(WSK_TDI_BEHAVIOR_BYPASS_TDI)),
]


@pytest.mark.parametrize(("code", "size", "given"), EARLY)
def test_before_the_first_socket_only(party: Party, code: int, size: int, given: Any) -> None:
    assert control(party, code, size, given) == "STATUS_SUCCESS"
    close(make(party, "D"))
    assert control(party, code, size, given) == "STATUS_INVALID_DEVICE_STATE"


def test_tdi_is_kept(party: Party) -> None:
    control(party, WSK_TDI_DEVICENAME_MAPPING, 16, DEVICES)
    control(party, WSK_TDI_BEHAVIOR, 4, ULONG(1))
    assert party.npi.Client.tdi_devices == {(AF_INET, 1, 6): "\\Device\\Tcp"}
    assert party.npi.Client.tdi_behavior == 1


@pytest.mark.parametrize(
    ("code", "size", "given", "status"),
    [
        (1, 0, None, "STATUS_NOT_SUPPORTED"),
        (9, 0, None, "STATUS_NOT_SUPPORTED"),
        (WSK_TRANSPORT_LIST_QUERY, 0, None, "STATUS_INVALID_PARAMETER"),  # no size returned
        (WSK_TRANSPORT_LIST_CHANGE, 0, None, "STATUS_INVALID_PARAMETER"),  # no IRP
        (WSK_SET_STATIC_EVENT_CALLBACKS, 4, ULONG(1), "STATUS_INVALID_PARAMETER"),
        (WSK_TDI_BEHAVIOR, 2, b"\1\0", "STATUS_INVALID_PARAMETER"),
        (WSK_TDI_BEHAVIOR, 4, ULONG(2), "STATUS_INVALID_PARAMETER"),
        (WSK_TDI_BEHAVIOR, 4, None, "STATUS_INVALID_PARAMETER"),
        (WSK_TDI_DEVICENAME_MAPPING, 16, None, "STATUS_INVALID_PARAMETER"),
        (
            WSK_TDI_DEVICENAME_MAPPING,
            16,
            WSK_TDI_MAP_INFO([WSK_TDI_MAP(1, AF_INET, 6, "")]),
            "STATUS_INVALID_PARAMETER",
        ),
        (WSK_CACHE_SD, 8, None, "STATUS_INVALID_PARAMETER"),
        (WSK_RELEASE_SD, 8, None, "STATUS_INVALID_PARAMETER"),
    ],
)
def test_malformed_calls(party: Party, code: int, size: int, given: Any, status: str) -> None:
    assert control(party, code, size, given) == status


@pytest.mark.parametrize("code", [2, WSK_CACHE_SD, WSK_RELEASE_SD, *(code for code, _, _ in EARLY)])
def test_these_take_no_irp(party: Party, code: int) -> None:
    call = party.npi.Dispatch.WskControlClient
    request = Request().issue(call, party.npi.Client, code, 0, None, 0, None, None)
    assert request.status == "STATUS_INVALID_PARAMETER"


# Transports come and go.


def watch(party: Party) -> Request:
    call = party.npi.Dispatch.WskControlClient
    client = party.npi.Client
    return Request().issue(call, client, WSK_TRANSPORT_LIST_CHANGE, 0, None, 0, None, None)


def test_the_transport_list_changes(party: Party) -> None:
    waiting = watch(party)
    assert waiting.pending
    transports = party.npi.Client.transports
    udp = party.host.stack.udp
    transports.remove(udp)
    assert waiting.status == "STATUS_SUCCESS"
    assert party.create(4, kind=2, protocol=17).status == "STATUS_NOT_SUPPORTED"
    again = watch(party)
    transports.add(udp)
    assert again.status == "STATUS_SUCCESS"
    assert party.create(4, kind=2, protocol=17).status == "STATUS_SUCCESS"


def test_a_watch_is_cancelled(party: Party) -> None:
    waiting = watch(party)
    assert IoCancelIrp(waiting.irp)
    assert waiting.status == "STATUS_CANCELLED"


def test_deregistering_cancels_a_watch(party: Party) -> None:
    waiting = watch(party)
    WskReleaseProviderNPI(party.registration)
    WskDeregister(party.registration)
    assert waiting.status == "STATUS_CANCELLED"
    assert party.npi.Client.transports.watchers == []


# The addresses of the host.


def query(socket: Any, room: int) -> tuple[str, Any, list[Any]]:
    found = SOCKET_ADDRESS_LIST()
    status, size = ioctl(socket, SIO_ADDRESS_LIST_QUERY, None, found, False, (0, room))
    return status, size, found.Address


@pytest.mark.parametrize("letter", ["L", "C", "D", "B"])
def test_address_list(party: Party, letter: str) -> None:
    """Two IPv6 addresses, one of them link-local, in 8 + 2 * (16 + 28) octets."""
    socket = make(party, letter)
    size = 8 + 2 * (16 + 28)
    assert query(socket, 0) == ("STATUS_BUFFER_OVERFLOW", size, [])
    assert query(socket, size - 1) == ("STATUS_BUFFER_OVERFLOW", size, [])
    status, written, found = query(socket, size)
    assert (status, written) == ("STATUS_SUCCESS", size)
    link_local = addr.link_local(party.host.port.mac)
    nic = party.host.nic.index
    assert set(found) == {SOCKADDR_IN6(0, party.host.v6), SOCKADDR_IN6(0, link_local, 0, nic)}
    four = party.socket(4, family=AF_INET, kind=2, protocol=17)
    assert query(four, 40) == ("STATUS_SUCCESS", 40, [SOCKADDR_IN(0, party.host.v4)])


def test_the_address_list_changes(world: World, party: Party) -> None:
    socket = make(party, "B")
    call = socket.Dispatch.WskControlSocket
    change = (socket, WskIoctl, SIO_ADDRESS_LIST_CHANGE, 0, 0, None, 0, None, None)
    waiting, cancelled, closed = (Request().issue(call, *change) for _ in range(3))
    assert (waiting.returned, waiting.pending) == ("STATUS_PENDING", True)
    IoCancelIrp(cancelled.irp)
    assert cancelled.status == "STATUS_CANCELLED"
    stack, nic = party.host.stack, party.host.nic
    stack.add_address(nic, "10.9.9.9", 24)
    world.run(10**9)
    assert waiting.pending  # the other family
    stack.add_address(nic, "fd99::9", 64)
    world.run(10**9)
    assert waiting.status == closed.status == "STATUS_SUCCESS"
    last = Request().issue(call, *change)
    stack.v6.addresses.remove(addr.parse("fd99::9"))
    world.run(10**9)
    assert last.status == "STATUS_SUCCESS"
    late = Request().issue(call, *change)
    close(socket)
    assert late.status == "STATUS_CANCELLED"


def test_the_address_list_follows_a_router() -> None:
    """What a router gives arrives, is deprecated without a word, and departs."""
    scene = Scene(quiet(temporary_addresses=False))
    party = Party(scene.world, scene.host)
    socket = make(party, "B")
    call = socket.Dispatch.WskControlSocket
    change = (socket, WskIoctl, SIO_ADDRESS_LIST_CHANGE, 0, 0, None, 0, None, None)
    before = set(query(socket, 1000)[2])
    arrival = Request().issue(call, *change)
    scene.advertise(valid=300, preferred=100)
    scene.run(1)
    assert arrival.status == "STATUS_SUCCESS"
    after = set(query(socket, 1000)[2])
    (entry,) = scene.of_origin(SLAAC)
    assert after - before == {SOCKADDR_IN6(0, entry.address)}
    departure = Request().issue(call, *change)
    scene.advertise(valid=300, preferred=100)
    scene.run(200)
    assert entry.state == DEPRECATED
    assert departure.pending
    scene.run(100)
    assert departure.status == "STATUS_SUCCESS"
    assert set(query(socket, 1000)[2]) == before
    close(socket)


def test_sorted_addresses(party: Party) -> None:
    """RFC 6724: what can be reached first; the nearer the scope and the prefix, the better."""
    party.host.stack.add_route("2001:db8::", 32, party.host.nic, "fd77::2")
    socket = make(party, "D")
    names = ("2001:db8::1", "fd77::2", "fd00::1", "fe80::1")
    given = [SOCKADDR_IN6(9, addr.parse(name)) for name in names]
    room = SOCKET_ADDRESS_LIST()
    size = 8 + 4 * 44
    sizes = (size, size)
    for irp in (True, False):
        wanted = SOCKET_ADDRESS_LIST(list(given))
        answer = ioctl(socket, SIO_ADDRESS_LIST_SORT, wanted, room, irp, sizes)
        assert answer == ("STATUS_SUCCESS", size)
        sixes = [one for one in room.Address if isinstance(one, SOCKADDR_IN6)]
        sorted_names = [addr.text(one.sin6_addr) for one in sixes]
        assert sorted_names[0] == "fe80::1"
        assert sorted_names.index("fd77::2") < sorted_names.index("2001:db8::1")
        assert sorted_names[-1] == "fd00::1"  # no route
    short = ioctl(socket, SIO_ADDRESS_LIST_SORT, wanted, room, False, (size, size - 1))
    assert short == ("STATUS_BUFFER_OVERFLOW", size)
    wrong = ioctl(socket, SIO_ADDRESS_LIST_SORT, b"", room, True, (0, size))
    assert wrong[0] == "STATUS_INVALID_PARAMETER"


# Extension interfaces.


class Chime(Extension):
    """An extension with one function and one event."""

    NpiId = "11111111-2222-3333-4444-555555555555"

    def __init__(self) -> None:
        self.ProviderDispatch = {"Ring": self.ring}
        self.clients: dict[Any, tuple[Any, Any]] = {}
        self.enabled: set[Any] = set()

    def register(self, socket: Any, context: Any, dispatch: Any) -> tuple[int, Any]:
        if dispatch is None:
            return STATUS_NOT_SUPPORTED, None
        self.clients[socket] = (context, dispatch)
        return STATUS_SUCCESS, socket

    def enable(self, context: Any, mask: int) -> int:
        if mask & 0x80000000:
            self.enabled.discard(context)
        else:
            self.enabled.add(context)
        return STATUS_SUCCESS

    def closed(self, context: Any) -> None:
        del self.clients[context]

    def ring(self, provider_context: Any) -> None:
        context, dispatch = self.clients[provider_context]
        if provider_context in self.enabled:
            dispatch(context)


def register(socket: Any, given: Any, room: Any, sizes: tuple[int, int] = (24, 16)) -> str:
    return str(ioctl(socket, SIO_WSK_REGISTER_EXTENSION, given, room, False, sizes)[0])


@pytest.mark.parametrize("letter", ["L", "C", "D", "B"])
def test_an_extension(party: Party, letter: str) -> None:
    chime = Chime()
    party.subsystem.offer(chime)
    socket = make(party, letter)
    heard: list[Any] = []
    out = WSK_EXTENSION_CONTROL_OUT()
    given = WSK_EXTENSION_CONTROL_IN(Chime.NpiId, "context", heard.append)
    assert register(socket, given, out) == "STATUS_SUCCESS"
    assert register(socket, given, out) == "STATUS_INVALID_DEVICE_STATE"
    ring = out.ProviderDispatch["Ring"]
    ring(out.ProviderContext)
    assert heard == []  # its event is not enabled
    call = socket.Dispatch.WskControlSocket
    events = (socket, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, 16)
    on = WSK_EVENT_CALLBACK_CONTROL(1, Chime.NpiId)
    assert call(*events, on, 0, None, None, None) == STATUS_SUCCESS
    ring(out.ProviderContext)
    assert heard == ["context"]
    off = WSK_EVENT_CALLBACK_CONTROL(0x80000001, Chime.NpiId)
    assert Request().issue(call, *events, off, 0, None, None).status == "STATUS_SUCCESS"
    ring(out.ProviderContext)
    assert heard == ["context"]
    close(socket)
    assert chime.clients == {}


def test_extensions_that_are_not_there(party: Party) -> None:
    socket = make(party, "D")
    out = WSK_EXTENSION_CONTROL_OUT()
    for npi in ("unknown", NPI_WSK_INTERFACE_ID):
        unknown = WSK_EXTENSION_CONTROL_IN(npi)
        assert register(socket, unknown, out) == "STATUS_NOT_SUPPORTED"
    chime = Chime()
    party.subsystem.offer(chime)
    known = WSK_EXTENSION_CONTROL_IN(Chime.NpiId)
    assert register(socket, known, out) == "STATUS_NOT_SUPPORTED"  # the extension says so
    assert register(socket, None, out) == "STATUS_INVALID_PARAMETER"
    assert register(socket, known, None) == "STATUS_INVALID_PARAMETER"
    assert register(socket, known, out, (23, 16)) == "STATUS_INVALID_PARAMETER"
    assert register(socket, known, out, (24, 15)) == "STATUS_BUFFER_TOO_SMALL"
    event = WSK_EVENT_CALLBACK_CONTROL(1, Chime.NpiId)
    call = socket.Dispatch.WskControlSocket
    events = (socket, WskSetOption, SO_WSK_EVENT_CALLBACK, SOL_SOCKET, 16)
    assert call(*events, event, 0, None, None, None) == STATUS_NOT_SUPPORTED


def test_the_inspect_id_of_others(party: Party) -> None:
    for letter in "LCDB":
        asked = ioctl(make(party, letter), SIO_WSK_QUERY_INSPECT_ID, None, Ref(), False, (0, 16))
        assert asked[0] == "STATUS_INVALID_DEVICE_REQUEST"
