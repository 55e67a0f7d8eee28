# SPDX-License-Identifier: MIT
"""WskGetAddressInfo, WskFreeAddressInfo, WskGetNameInfo (wsk.md 2.4, 5.9, 6).

Numbers, empty names and services are answered here and at once; names go to the `NameService` of
the transport seam.  Information is the status itself (wsk.md 12, 7).

Chosen where the documents leave it open: what cannot be resolved is STATUS_NO_MATCH, never
STATUS_NOT_FOUND; that no server answers is told as such.  Of name spaces there are NS_ALL and
NS_DNS, which are the same.  OwningProcess and OwningThread mean nothing but are checked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from typing import Any, Final

from stack.base import addr, status
from stack.transport.naming import Found, NameService, NameSink
from wsk_api import service_names
from wsk_api.addresses import from_transport
from wsk_api.addrinfo import (
    ADDRINFOEXW,
    UNICODE_STRING,
    Wanted,
    fits,
    terminated_text,
    write,
)
from wsk_api.constants import (
    AF_INET,
    AF_INET6,
    AI_ADDRCONFIG,
    AI_ALL,
    AI_CANONNAME,
    AI_FQDN,
    AI_NUMERICHOST,
    AI_NUMERICSERV,
    AI_PASSIVE,
    NI_DGRAM,
    NI_NAMEREQD,
    NI_NOFQDN,
    NI_NUMERICHOST,
    NI_NUMERICSERV,
    NS_ALL,
    NS_DNS,
)
from wsk_api.irp import IRP
from wsk_api.ntstatus import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANCELLED,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MATCH,
    STATUS_NOT_SUPPORTED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    ntstatus,
)
from wsk_api.requests import refuse
from wsk_api.types import SOCKADDR_IN, SOCKADDR_IN6, Ref

_STORAGE: Final = 128
_SIZES: Final = {AF_INET: 16, AF_INET6: 28}
_NI_FLAGS: Final = NI_NOFQDN | NI_NUMERICHOST | NI_NAMEREQD | NI_NUMERICSERV | NI_DGRAM
_MAPPED: Final = bytes(10) + b"\xff\xff"


def WskGetAddressInfo(
    Client: Any,
    NodeName: UNICODE_STRING | None,
    ServiceName: UNICODE_STRING | None,
    NameSpace: int,
    Provider: str | None,
    Hints: ADDRINFOEXW | None,
    Result: Ref[ADDRINFOEXW] | None,
    OwningProcess: Any,
    OwningThread: Any,
    Irp: IRP | None,
) -> int:
    """Addresses of a node, ports of a service; `Result` is a list for WskFreeAddressInfo.

    STATUS_SUCCESS, STATUS_PENDING; STATUS_INVALID_PARAMETER (no IRP, no Result, neither name, a
    name without its NUL, hints with more than four members or unknown flags, AI_CANONNAME with
    AI_FQDN or without a node, a thread without its process); STATUS_NOT_SUPPORTED (name space,
    provider, family, type or protocol, or no resolver); STATUS_NO_MATCH (no such node or service,
    or nothing of the family); STATUS_IO_TIMEOUT, STATUS_UNSUCCESSFUL (servers fail),
    STATUS_NETWORK_UNREACHABLE, STATUS_HOST_UNREACHABLE, STATUS_PORT_UNREACHABLE (of the servers);
    STATUS_INSUFFICIENT_RESOURCES, STATUS_TOO_MANY_ADDRESSES (too many lookups, connections, ports);
    STATUS_CANCELLED; STATUS_INVALID_HANDLE.
    """
    if Irp is None:
        return STATUS_INVALID_PARAMETER
    if Client is None:
        return refuse(Irp, STATUS_INVALID_HANDLE, STATUS_INVALID_HANDLE)
    request = AddressRequest(Client, Result)
    node, service, hints = _given(NodeName), _given(ServiceName), copy(Hints)

    def read() -> int:
        if node is None or service is None or Result is None:
            return STATUS_INVALID_PARAMETER
        if OwningThread is not None and OwningProcess is None:
            return STATUS_INVALID_PARAMETER
        result = request.read(node, service, hints)
        if NameSpace not in (NS_ALL, NS_DNS) or Provider is not None:
            result = result or STATUS_NOT_SUPPORTED
        return result

    return request.issue(Irp, read)


def WskFreeAddressInfo(Client: Any, AddrInfo: ADDRINFOEXW | None) -> None:
    """Give back what WskGetAddressInfo returned, by its head and once.  Any thread.

    Freeing anything else is a bug of the caller and asserts.
    """
    if AddrInfo is None:
        return
    assert AddrInfo in Client.address_lists, (
        "WskFreeAddressInfo: not the head of a list of this client, or freed already"
    )
    Client.address_lists.discard(AddrInfo)
    entry: ADDRINFOEXW | None = AddrInfo
    while entry is not None:  # whoever still holds a part sees that it is gone
        following, entry.ai_next, entry.ai_addr = entry.ai_next, None, None
        entry = following


def WskGetNameInfo(
    Client: Any,
    SockAddr: SOCKADDR_IN | SOCKADDR_IN6,
    SockAddrLength: int,
    NodeName: UNICODE_STRING | None,
    ServiceName: UNICODE_STRING | None,
    Flags: int,
    OwningProcess: Any,
    OwningThread: Any,
    Irp: IRP | None,
) -> int:
    """The name of an address and of its port, written into the caller's UNICODE_STRINGs.

    NI_NOFQDN leaves out the local domain; NI_NUMERICHOST and NI_NUMERICSERV do not look anything
    up; NI_NAMEREQD fails where the number would be told; NI_DGRAM means UDP's service.
    STATUS_SUCCESS, STATUS_PENDING; STATUS_INVALID_PARAMETER (no IRP, no output, address, length,
    flags, a thread without its process); STATUS_BUFFER_TOO_SMALL (for the name and its NUL; then
    nothing is written); STATUS_NO_MATCH (no name, with NI_NAMEREQD), and with it the failures of
    WskGetAddressInfo; STATUS_CANCELLED; STATUS_INVALID_HANDLE.
    """
    if Irp is None:
        return STATUS_INVALID_PARAMETER
    if Client is None:
        return refuse(Irp, STATUS_INVALID_HANDLE, STATUS_INVALID_HANDLE)
    request = NameRequest(Client, NodeName, ServiceName)
    sockaddr = copy(SockAddr)

    def read() -> int:
        if OwningThread is not None and OwningProcess is None:
            return STATUS_INVALID_PARAMETER
        return request.read(sockaddr, SockAddrLength, Flags)

    return request.issue(Irp, read)


def _given(string: UNICODE_STRING | None) -> str | None:
    """A name that may be left out, which is the same as an empty one; None if it is unsound."""
    return "" if string is None else terminated_text(string)


class _Request(NameSink):
    """A name function under way."""

    __slots__ = ("client", "irp", "names")

    irp: IRP

    def __init__(self, client: Any) -> None:
        self.client = client
        self.names: NameService | None = client.transports.names

    def issue(self, irp: IRP, read: Callable[[], int]) -> int:
        """Run for `irp`: `read` the arguments, and if they are sound, begin."""
        self.irp = irp

        def operation(_: IRP) -> tuple[int, int]:
            result = read() or self.begin(self.names)
            if result == STATUS_PENDING:
                self.client.lookups.add(self)
                irp.set_cancel(self._cancel)
            return result, result

        status: int = self.client.engine.issue(irp, operation)
        return status

    def begin(self, names: NameService | None) -> int:
        """Answer at once, or STATUS_PENDING and `named` will be called."""
        raise NotImplementedError

    def finish(self, result: int, found: Found | None) -> int:
        """Write what was found; how the request ends."""
        raise NotImplementedError

    def named(self, token: object, result: int, found: Found | None) -> None:
        self._end(self.finish(ntstatus(result), found))

    def _cancel(self, irp: IRP) -> None:
        self.withdraw(STATUS_CANCELLED)

    def withdraw(self, status: int) -> None:
        """End it with `status`: it is cancelled, or the provider leaves."""
        if self.names is not None and self.names.cancel(self):
            self._end(status)

    def _end(self, result: int) -> None:
        self.client.lookups.discard(self)
        self.client.engine.complete(self.irp, result, result)


class AddressRequest(_Request):
    """A WskGetAddressInfo."""

    __slots__ = ("kinds", "node", "out", "wanted")

    def __init__(self, client: Any, out: Ref[ADDRINFOEXW] | None) -> None:
        super().__init__(client)
        self.out = out
        self.node = ""
        self.wanted = Wanted()
        self.kinds: list[tuple[int, int, int]] = []

    def read(self, node: str, service: str, hints: ADDRINFOEXW | None) -> int:
        """Take the arguments over."""
        if not node and not service:
            return STATUS_INVALID_PARAMETER
        wanted = self.wanted
        result = wanted.read(hints, bool(node))
        if result != STATUS_SUCCESS:
            return result
        self.node = node
        numeric = bool(wanted.flags & AI_NUMERICSERV)
        self.kinds = service_names.kinds(service, wanted.socktype, wanted.protocol, numeric)
        return STATUS_SUCCESS if self.kinds else STATUS_NO_MATCH

    def begin(self, names: NameService | None) -> int:
        wanted, node = self.wanted, self.node
        if not node:
            passive = wanted.flags & AI_PASSIVE
            six, four = (addr.ANY6, addr.ANY4) if passive else (addr.LOOPBACK6, addr.LOOPBACK4)
            return self._tell("", [six, four])
        number, scope = _number(node)
        if number:
            return self._tell(node, [number], scope)
        if wanted.flags & AI_NUMERICHOST:
            return STATUS_NO_MATCH
        if names is None:
            return STATUS_NOT_SUPPORTED
        configured = bool(wanted.flags & AI_ADDRCONFIG)
        result = names.find_addresses(node, wanted.families, configured, self, self)
        return STATUS_NO_MATCH if result == status.INVALID else ntstatus(result)

    def finish(self, result: int, found: Found | None) -> int:
        if found is None:
            return result
        name = found.name if self.wanted.flags & AI_FQDN else found.canonical
        return self._tell(name, found.addresses, 0, found.scopes)

    def _tell(
        self,
        name: str,
        addresses: list[bytes],
        scope: int = 0,
        scopes: Mapping[bytes, int] | None = None,
    ) -> int:
        """Hand out the list of everything that is wanted of `addresses`.

        `scopes` are the interfaces of those that have one of their own.
        """
        wanted = self.wanted
        addresses = [a for a in addresses if addr.family(a) & wanted.families]
        if wanted.mapped and not wanted.flags & AI_ALL:
            addresses = [a for a in addresses if len(a) == 16] or addresses
        head: ADDRINFOEXW | None = None
        for address in reversed(addresses):
            for socktype, protocol, port in reversed(self.kinds):
                zone = (scopes or {}).get(address, scope)
                entry = self._entry(address, zone, socktype, protocol, port)
                entry.ai_next, head = head, entry
        if head is None:
            return STATUS_NO_MATCH
        if wanted.flags & (AI_CANONNAME | AI_FQDN):
            head.ai_canonname = name
        self.client.address_lists.add(head)
        assert self.out is not None
        self.out.value = head
        return STATUS_SUCCESS

    def _entry(
        self, address: bytes, scope: int, socktype: int, protocol: int, port: int
    ) -> ADDRINFOEXW:
        family = AF_INET if len(address) == 4 and not self.wanted.mapped else AF_INET6
        entry = ADDRINFOEXW(0, family, socktype, protocol)
        entry.ai_addr = from_transport(address, port, scope, family)
        entry.ai_addrlen = _SIZES[family]
        return entry


def _number(text: str) -> tuple[bytes, int]:
    """The address a numeric name is, and its zone; empty if it is none.

    IPv4 in four decimal parts only: the shorter and octal forms of inet_aton are not done.
    """
    plain, percent, zone = text.partition("%")
    if percent and not (zone.isascii() and zone.isdecimal() and len(zone) < 10):
        return b"", 0
    try:
        address = addr.parse(plain)
    except ValueError:
        return b"", 0
    if percent and len(address) == 4:
        return b"", 0
    return address, int(zone or 0)


class NameRequest(_Request):
    """A WskGetNameInfo."""

    __slots__ = ("address", "flags", "node", "port", "scope", "service")

    def __init__(
        self, client: Any, node: UNICODE_STRING | None, service: UNICODE_STRING | None
    ) -> None:
        super().__init__(client)
        self.node = node
        self.service = service
        self.address = b""
        self.port = 0
        self.scope = 0
        self.flags = 0

    def read(self, sockaddr: object, length: int, flags: int) -> int:
        """Take the arguments over."""
        outputs = [out for out in (self.node, self.service) if out is not None]
        if not outputs or not all(isinstance(out, UNICODE_STRING) for out in outputs):
            return STATUS_INVALID_PARAMETER
        if isinstance(sockaddr, SOCKADDR_IN):
            size, family = 4, AF_INET
            self.address, self.port = sockaddr.sin_addr, sockaddr.sin_port
        elif isinstance(sockaddr, SOCKADDR_IN6):
            size, family = 16, AF_INET6
            self.address, self.port = sockaddr.sin6_addr, sockaddr.sin6_port
            self.scope = sockaddr.sin6_scope_id
        else:
            return STATUS_INVALID_PARAMETER
        sound = len(self.address) == size and 0 <= self.port < 1 << 16
        if not sound or not _SIZES[family] <= length <= _STORAGE or flags & ~_NI_FLAGS:
            return STATUS_INVALID_PARAMETER
        self.flags = flags
        return STATUS_SUCCESS

    def begin(self, names: NameService | None) -> int:
        if self.node is None:
            return self._tell("")
        if self.flags & NI_NUMERICHOST or names is None:
            return self._number_instead(STATUS_NO_MATCH)
        address = self.address
        if addr.is_mapped(address):
            address = address[12:]
        result = names.find_name(address, self, self)
        if result == status.PENDING:
            return STATUS_PENDING
        return self._number_instead(ntstatus(result))

    def finish(self, result: int, found: Found | None) -> int:
        if found is None:
            return self._number_instead(result)
        name = found.canonical
        domain = self.names.domain() if self.names is not None else ""
        if self.flags & NI_NOFQDN and domain:
            name = name.removesuffix(f".{domain}")
        return self._tell(name)

    def _number_instead(self, why: int) -> int:
        """There is no name: the number, unless a name is required."""
        if self.flags & NI_NAMEREQD:
            return why
        address = self.address
        text = addr.text(address)
        if addr.is_mapped(address):
            text = f"::ffff:{addr.text(address[12:])}"
        if self.scope and addr.is_link_scope(address):
            text += f"%{self.scope}"
        return self._tell(text)

    def _tell(self, node: str) -> int:
        service = ""
        if not self.flags & NI_NUMERICSERV:
            service = service_names.name(self.port, bool(self.flags & NI_DGRAM))
        parts = [(self.node, node), (self.service, service or str(self.port))]
        outputs = [(out, text) for out, text in parts if out is not None]
        if not all(fits(out, text) for out, text in outputs):
            return STATUS_BUFFER_TOO_SMALL
        for out, text in outputs:
            write(out, text)
        return STATUS_SUCCESS
