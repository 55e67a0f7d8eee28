# SPDX-License-Identifier: MIT
"""What sockets with a transport endpoint share: WskBind, WskGetLocalAddress (wsk.md 2.6-2.9).

A category (connection, listen, datagram) says how its endpoint is opened, and keeps it here from
a successful bind until the socket is closed.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from stack.transport.options import Claim, Name
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
    STATUS_SUCCESS,
)
from wsk_api.sockets import Socket
from wsk_api.types import SOCKADDR, Ref


class Endpoint(Protocol):
    """What `Stream`, `Listener` and `Datagram` of the seam have in common."""

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        """Take a local name."""

    def local_name(self) -> Name | None:
        """The local name, if there is one."""

    def close(self) -> None:
        """The endpoint is not used any more."""


E = TypeVar("E", bound=Endpoint)


def WskBind(
    Socket: EndpointSocket[Any], LocalAddress: SOCKADDR, Flags: int, Irp: IRP | None
) -> int:
    """Bind to a local address; required before anything else.  A listening socket listens at once.

    STATUS_SUCCESS; STATUS_INVALID_PARAMETER (flags, address), STATUS_INVALID_DEVICE_STATE (bound
    already), STATUS_ADDRESS_ALREADY_EXISTS or STATUS_ACCESS_DENIED (taken, see wsk.md 2.9),
    STATUS_INVALID_ADDRESS_COMPONENT (not local), STATUS_NOT_IMPLEMENTED (no such transport).
    """
    address = Socket.engine.kept(LocalAddress)
    return Socket.engine.issue(Irp, lambda _: Socket.bind(address, Flags))


def WskGetLocalAddress(
    Socket: EndpointSocket[Any], LocalAddress: Ref[SOCKADDR] | None, Irp: IRP | None
) -> int:
    """The local address: the port after bind, the IP address of a connection once connected.

    STATUS_INVALID_DEVICE_STATE before bind.
    """
    return Socket.engine.issue(Irp, lambda _: Socket.local_address(LocalAddress))


class EndpointSocket(Socket, Generic[E]):
    """A socket that is bound."""

    __slots__ = ("endpoint",)

    endpoint: E | None
    """None before bind, which a category says when it is made, and after close."""

    def bind(self, address: SOCKADDR, flags: int) -> tuple[int, int]:
        if self.bound or self not in self.client.sockets:
            return STATUS_INVALID_DEVICE_STATE, 0
        status, target = self.target(address)
        if target is None or flags:
            return status or STATUS_INVALID_PARAMETER, 0
        endpoint = self.open_endpoint(self.families(target))
        if endpoint is None:
            return STATUS_NOT_IMPLEMENTED, 0
        result = endpoint.bind(target.address, target.port, self.sharing, self.claim)
        if result:
            return self.transport_status(result)
        self.endpoint = endpoint
        self.bound = True
        self.endpoint_bound(endpoint)
        return STATUS_SUCCESS, 0

    def open_endpoint(self, families: int) -> E | None:
        """A new endpoint that tells this socket; None if the transport has none of this kind."""
        raise NotImplementedError

    def endpoint_bound(self, endpoint: E) -> None:
        """Hand over what was set before bind."""

    def local_address(self, out: Ref[SOCKADDR] | None) -> tuple[int, int]:
        return self.tell_name(self.endpoint.local_name() if self.endpoint else None, out)

    def release_transport(self) -> None:
        endpoint, self.endpoint = self.endpoint, None
        if endpoint is not None:
            endpoint.close()
