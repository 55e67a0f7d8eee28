# SPDX-License-Identifier: MIT
"""Structures of the WSK interface (wsk.md 1.2, 3.4, 5).

Members are spelled as in the public headers.  Where C passes a pointer to be written through,
Python passes a `Ref` whose `value` is set.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from stack.base import addr
from stack.base.units import View
from wsk_api.constants import AF_INET, AF_INET6, NPI_WSK_INTERFACE_ID

T = TypeVar("T")


class Ref(Generic[T]):
    """A variable somebody else writes: C's pointer to a result."""

    __slots__ = ("value",)

    def __init__(self, value: T | None = None) -> None:
        self.value = value

    def __repr__(self) -> str:
        return f"Ref({self.value!r})"


# Addresses


class SOCKADDR_IN:
    """An IPv4 transport address.  `sin_port` is in host order, `sin_addr` four octets."""

    __slots__ = ("sin_addr", "sin_port")
    sin_family = AF_INET

    def __init__(self, sin_port: int = 0, sin_addr: bytes = bytes(4)) -> None:
        self.sin_port = sin_port
        self.sin_addr = sin_addr

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SOCKADDR_IN) and (self.sin_port, self.sin_addr) == (
            other.sin_port,
            other.sin_addr,
        )

    def __hash__(self) -> int:
        return hash((self.sin_port, self.sin_addr))

    def __repr__(self) -> str:
        return f"SOCKADDR_IN({addr.text(self.sin_addr)} port {self.sin_port})"


class SOCKADDR_IN6:
    """An IPv6 transport address.  `sin6_port` is in host order, `sin6_addr` sixteen octets,
    `sin6_scope_id` an interface index for link-local addresses."""

    __slots__ = ("sin6_addr", "sin6_flowinfo", "sin6_port", "sin6_scope_id")
    sin6_family = AF_INET6

    def __init__(
        self,
        sin6_port: int = 0,
        sin6_addr: bytes = bytes(16),
        sin6_flowinfo: int = 0,
        sin6_scope_id: int = 0,
    ) -> None:
        self.sin6_port = sin6_port
        self.sin6_addr = sin6_addr
        self.sin6_flowinfo = sin6_flowinfo
        self.sin6_scope_id = sin6_scope_id

    def _key(self) -> tuple[int, bytes, int]:
        return self.sin6_port, self.sin6_addr, self.sin6_scope_id

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SOCKADDR_IN6) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        scope = f"%{self.sin6_scope_id}" if self.sin6_scope_id else ""
        return f"SOCKADDR_IN6({addr.text(self.sin6_addr)}{scope} port {self.sin6_port})"


SOCKADDR = SOCKADDR_IN | SOCKADDR_IN6


# Memory


class MDL:
    """A piece of memory, and the next one of a chain.

    Made over any buffer; receiving needs a writable one.  The memory belongs to whoever made
    the MDL and must not change or go away while a request uses it.
    """

    __slots__ = ("ByteCount", "Next", "view")

    def __init__(self, memory: View, Next: MDL | None = None) -> None:
        self.view = memoryview(memory).cast("B")
        self.ByteCount = len(self.view)
        self.Next = Next


def MmGetSystemAddressForMdlSafe(Mdl: MDL, Priority: int = 0) -> memoryview:
    """The memory an MDL describes."""
    return Mdl.view


def MmGetMdlByteCount(Mdl: MDL) -> int:
    """Its length in octets."""
    return Mdl.ByteCount


class WSK_BUF:
    """`Length` octets of an MDL chain, from `Offset` in its first MDL on."""

    __slots__ = ("Length", "Mdl", "Offset")

    def __init__(self, Mdl: MDL | None = None, Offset: int = 0, Length: int = 0) -> None:
        self.Mdl = Mdl
        self.Offset = Offset
        self.Length = Length


def wsk_buf(memory: View) -> WSK_BUF:
    """All of `memory` as a WSK_BUF over one MDL.  (A convenience: not part of the DDI.)"""
    mdl = MDL(memory)
    return WSK_BUF(mdl, 0, mdl.ByteCount)


def ULONG(value: int) -> bytes:
    """A ULONG as a control buffer holds it.  (A convenience: not part of the DDI.)"""
    return value.to_bytes(4, "little")


class WSK_BUF_LIST:
    """A list of buffers.  Made by the client, who must not change it while a request uses it.

    Neighbours of equal length cost least: they leave in one frame.
    """

    __slots__ = ("Buffer", "Next")

    def __init__(self, Buffer: WSK_BUF, Next: WSK_BUF_LIST | None = None) -> None:
        self.Buffer = Buffer
        self.Next = Next


class WSK_DATA_INDICATION:
    """A list of received buffers.  Owned by the provider; must not be changed."""

    __slots__ = ("Buffer", "Next")

    def __init__(self, Buffer: WSK_BUF, Next: WSK_DATA_INDICATION | None = None) -> None:
        self.Buffer = Buffer
        self.Next = Next


class WSK_DATAGRAM_INDICATION:
    """A list of received datagrams.  Owned by the provider; must not be changed.

    Those that came in one frame have RemoteAddress and ControlInfo in common, and buffers that are
    views of it; with UDP_RECV_MAX_COALESCED_SIZE they are one element, whose ControlInfo has
    UDP_COALESCED_INFO.
    """

    __slots__ = ("Buffer", "ControlInfo", "ControlInfoLength", "Next", "RemoteAddress")

    def __init__(self, Buffer: WSK_BUF, RemoteAddress: SOCKADDR) -> None:
        self.Next: WSK_DATAGRAM_INDICATION | None = None
        self.Buffer = Buffer
        self.ControlInfo: bytes | None = None
        self.ControlInfoLength = 0
        self.RemoteAddress = RemoteAddress


# Sockets and tables


class WSK_SOCKET:
    """A socket as a client sees it: a pointer to the table of its category."""

    __slots__ = ("Dispatch",)
    Dispatch: Any


class WSK_CLIENT_DISPATCH:
    """What a client tells about itself when it registers."""

    __slots__ = ("Reserved", "Version", "WskClientEvent")

    def __init__(
        self,
        Version: int,
        Reserved: int = 0,
        WskClientEvent: Callable[..., int] | None = None,
    ) -> None:
        self.Version = Version
        self.Reserved = Reserved
        self.WskClientEvent = WskClientEvent


class WSK_CLIENT_NPI:
    """A client's side of the interface."""

    __slots__ = ("ClientContext", "Dispatch")

    def __init__(self, ClientContext: object, Dispatch: WSK_CLIENT_DISPATCH) -> None:
        self.ClientContext = ClientContext
        self.Dispatch = Dispatch


class WSK_PROVIDER_NPI:
    """The provider's side of the interface, filled in by WskCaptureProviderNPI."""

    __slots__ = ("Client", "Dispatch")

    def __init__(self) -> None:
        self.Client: Any = None
        self.Dispatch: Any = None


class WSK_PROVIDER_CHARACTERISTICS:
    """The versions a provider offers."""

    __slots__ = ("HighestVersion", "LowestVersion")

    def __init__(self) -> None:
        self.HighestVersion = 0
        self.LowestVersion = 0


class WSK_INSPECT_ID:
    """Names a connection request.  Compared by value, by both members; they mean nothing else."""

    __slots__ = ("Key", "SerialNumber")

    def __init__(self, Key: int = 0, SerialNumber: int = 0) -> None:
        self.Key = Key
        self.SerialNumber = SerialNumber

    def __eq__(self, other: object) -> bool:
        return isinstance(other, WSK_INSPECT_ID) and (self.Key, self.SerialNumber) == (
            other.Key,
            other.SerialNumber,
        )

    def __hash__(self) -> int:
        return hash((self.Key, self.SerialNumber))

    def __repr__(self) -> str:
        return f"WSK_INSPECT_ID({self.Key}, {self.SerialNumber})"


class WSK_CLIENT_LISTEN_DISPATCH:
    """Callbacks of a listening socket."""

    __slots__ = ("WskAbortEvent", "WskAcceptEvent", "WskInspectEvent")

    def __init__(
        self,
        WskAcceptEvent: Callable[..., int] | None = None,
        WskInspectEvent: Callable[..., int] | None = None,
        WskAbortEvent: Callable[..., int] | None = None,
    ) -> None:
        self.WskAcceptEvent = WskAcceptEvent
        self.WskInspectEvent = WskInspectEvent
        self.WskAbortEvent = WskAbortEvent


class WSK_CLIENT_DATAGRAM_DISPATCH:
    """Callbacks of a datagram socket."""

    __slots__ = ("WskReceiveFromEvent",)

    def __init__(self, WskReceiveFromEvent: Callable[..., int] | None = None) -> None:
        self.WskReceiveFromEvent = WskReceiveFromEvent


class WSK_CLIENT_CONNECTION_DISPATCH:
    """Callbacks of a connection-oriented socket."""

    __slots__ = ("WskDisconnectEvent", "WskReceiveEvent", "WskSendBacklogEvent")

    def __init__(
        self,
        WskReceiveEvent: Callable[..., int] | None = None,
        WskDisconnectEvent: Callable[..., int] | None = None,
        WskSendBacklogEvent: Callable[..., int] | None = None,
    ) -> None:
        self.WskReceiveEvent = WskReceiveEvent
        self.WskDisconnectEvent = WskDisconnectEvent
        self.WskSendBacklogEvent = WskSendBacklogEvent


class WSK_CLIENT_STREAM_DISPATCH:
    """Callbacks of a stream socket: those of the listening role and those of the other."""

    __slots__ = ("Connect", "Listen")

    def __init__(
        self,
        Listen: WSK_CLIENT_LISTEN_DISPATCH | None = None,
        Connect: WSK_CLIENT_CONNECTION_DISPATCH | None = None,
    ) -> None:
        self.Listen = Listen
        self.Connect = Connect


class WSK_EVENT_CALLBACK_CONTROL:
    """Which events to enable, or (with WSK_EVENT_DISABLE) which one to disable."""

    __slots__ = ("EventMask", "NpiId")

    def __init__(self, EventMask: int, NpiId: str = NPI_WSK_INTERFACE_ID) -> None:
        self.NpiId = NpiId
        self.EventMask = EventMask


class SOCKET_ADDRESS_LIST:
    """Addresses as SIO_ADDRESS_LIST_QUERY and _SORT tell them; filled in by the provider."""

    __slots__ = ("Address",)

    def __init__(self, Address: list[SOCKADDR] | None = None) -> None:
        self.Address: list[SOCKADDR] = Address or []

    @property
    def iAddressCount(self) -> int:
        """How many there are."""
        return len(self.Address)


class WSK_TDI_MAP:
    """A TDI device for one kind of socket."""

    __slots__ = ("AddressFamily", "Protocol", "SocketType", "TdiDeviceName")

    def __init__(
        self, SocketType: int, AddressFamily: int, Protocol: int, TdiDeviceName: str
    ) -> None:
        self.SocketType = SocketType
        self.AddressFamily = AddressFamily
        self.Protocol = Protocol
        self.TdiDeviceName = TdiDeviceName


class WSK_TDI_MAP_INFO:
    """A list of them."""

    __slots__ = ("ElementCount", "Map")

    def __init__(self, Map: list[WSK_TDI_MAP]) -> None:
        self.ElementCount = len(Map)
        self.Map = Map


class WSK_TRANSPORT:
    """One combination WskSocket accepts."""

    __slots__ = ("AddressFamily", "Protocol", "ProviderId", "SocketType", "Version")

    def __init__(self, SocketType: int, Protocol: int, AddressFamily: int) -> None:
        self.Version = 0
        self.SocketType = SocketType
        self.Protocol = Protocol
        self.AddressFamily = AddressFamily
        self.ProviderId = "00000000-0000-0000-0000-000000000000"
