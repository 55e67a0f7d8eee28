# SPDX-License-Identifier: MIT
"""Floor 5: what every transport tells about the host below it, and its ports.

The part of the seam's `Provider` that is the same for TCP and UDP: local addresses and their
changes, interfaces, RFC 6724's order of destinations, reserved ports.
"""

from __future__ import annotations

from collections.abc import Callable

from stack.ip import destination
from stack.ip.layer import IpHost
from stack.transport.options import Name
from stack.transport.ports import PortTable
from stack.transport.seam import Provider


class HostProvider(Provider):
    """A transport on an IP host."""

    ports: PortTable
    _host: IpHost

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

    def has_interface(self, index: int) -> bool:
        return 0 < index <= len(self._host.nics)

    def reserve_ports(self, start: int, count: int) -> tuple[int, int, int]:
        return self.ports.reserve(start, count)

    def has_reservation(self, token: int) -> bool:
        return self.ports.has_block(token)

    def release_ports(self, token: int) -> bool:
        return self.ports.release_block(token)

    def may_bind(self, address: bytes, families: int) -> bool:
        """`address` is one of this host's, in a family the endpoint has."""
        layer = self._host.layers.get(len(address))
        return layer is not None and bool(layer.mask & families) and address in layer.local
