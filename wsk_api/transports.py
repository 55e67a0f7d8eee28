# SPDX-License-Identifier: MIT
"""The transports below WSK, found by (family, type, protocol) (wsk.md 0.3, 4.1).

Not done: translated (TDI) transports, change notification.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stack.transport.seam import Datagram, Listener, NameService, Provider, Stream
from wsk_api.constants import AF_INET, AF_INET6
from wsk_api.types import WSK_TRANSPORT

if TYPE_CHECKING:
    from wsk_api.sockets import Socket


class Transports:
    """What the stack offers."""

    def __init__(self, providers: list[Provider], names: NameService | None = None) -> None:
        self.names = names
        self._providers = {(p.socket_type, p.protocol): p for p in providers}

    def known(self, family: int, socket_type: int, protocol: int) -> bool:
        """WskSocket accepts this combination."""
        return family in (AF_INET, AF_INET6) and (socket_type, protocol) in self._providers

    def list(self) -> list[WSK_TRANSPORT]:
        """Every combination."""
        return [
            WSK_TRANSPORT(socket_type, protocol, family)
            for socket_type, protocol in self._providers
            for family in (AF_INET, AF_INET6)
        ]

    def stream(self, socket: Socket, families: int) -> Stream | None:
        provider = self._of(socket)
        return provider.open_stream(families) if provider else None

    def listener(self, socket: Socket, families: int) -> Listener | None:
        provider = self._of(socket)
        return provider.open_listener(families) if provider else None

    def datagram(self, socket: Socket, families: int) -> Datagram | None:
        provider = self._of(socket)
        return provider.open_datagram(families) if provider else None

    def _of(self, socket: Socket) -> Provider | None:
        return self._providers.get((socket.socket_type, socket.protocol))
