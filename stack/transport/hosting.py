# SPDX-License-Identifier: MIT
"""Floor 5: what every transport asks of the host below it, tells about it, and its ports.

The part of the seam's `Provider` that is the same for TCP and UDP: local addresses and their
changes, interfaces, RFC 6724's order of destinations, reserved ports.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.ip import destination
from stack.ip.host import IpHost
from stack.ip.path import Path
from stack.link.nic import Nic
from stack.transport.options import Name
from stack.transport.ports import PortTable
from stack.transport.seam import Provider


class HostPaths:
    """What endpoints ask of the host below their transport."""

    __slots__ = ()
    _host: IpHost

    def interface(self, index: int) -> Nic | None:
        """The interface with this index."""
        return self._host.nic(index)

    def has_interface(self, index: int) -> bool:
        """There is an interface with this index."""
        return self.interface(index) is not None

    def may_bind(self, address: bytes, families: int) -> bool:
        """`address` is one of this host's, in a family the endpoint has."""
        layer = self._host.layers.get(len(address))
        return layer is not None and bool(layer.mask & families) and address in layer.local

    def find_path(self, dst: bytes, src: bytes, scope: int) -> Path | None:
        """The way to `dst`; `scope` names an interface for link-local destinations."""
        return self._host.layer_of(dst).path(dst, src, self.interface(scope))

    def unnumbered_path(self, index: int, dst: bytes) -> Path | None:
        """The way to a group or to everybody on an interface, with no source address; None if
        there is no such interface, or it leads nowhere."""
        nic = self.interface(index)
        if nic is None or nic.is_loopback:
            return None
        return self._host.layer_of(dst).unnumbered_path(nic, dst)

    def is_broadcast(self, path: Path) -> bool:
        """Datagrams on `path` go to everybody."""
        return self._host.layer_of(path.dst).is_broadcast(path.nic.index, path.dst)


class HostProvider(HostPaths, Provider):
    """A transport on an IP host."""

    ports: PortTable

    def addresses(self, families: int) -> list[Name]:
        return [
            Name(entry.address, 0, entry.nic.index)
            for layer in self._host.layers.values()
            if layer.mask & families
            for entry in layer.local.values()
            if not entry.nic.is_loopback
        ]

    def sort(self, addresses: list[bytes]) -> list[bytes]:
        return destination.sort(self._host, addresses)

    def watch(self, families: int, changed: Callable[[], None]) -> Callable[[], None]:
        watchers = self._host.watchers
        entry = (families, changed)
        watchers.append(entry)
        return lambda: watchers.remove(entry) if entry in watchers else None

    def interface_of(self, address: bytes) -> int:
        layer = self._host.layers.get(len(address))
        entry = None if layer is None else layer.local.get(address)
        return 0 if entry is None else entry.nic.index

    def reserve_ports(self, start: int, count: int) -> tuple[int, int, int]:
        return self.ports.reserve(start, count)

    def has_reservation(self, token: int) -> bool:
        return self.ports.has_block(token)

    def release_ports(self, token: int) -> bool:
        return self.ports.release_block(token)
