# SPDX-License-Identifier: MIT
"""The transports below WSK, found by (family, type, protocol) (wsk.md 0.3, 4.1).

Not done: translated (TDI) transports.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from stack.transport.datagram_seam import Datagram
from stack.transport.naming import NameService
from stack.transport.seam import Listener, Provider, Stream
from wsk_api.constants import AF_INET, AF_INET6, SOCK_RAW
from wsk_api.extension import Extension
from wsk_api.types import WSK_TRANSPORT

if TYPE_CHECKING:
    from wsk_api.sockets import Socket


_GONE: Final = Provider()


class Transports:
    """What the stack offers."""

    def __init__(self, providers: list[Provider], names: NameService | None = None) -> None:
        self.names = names
        self._providers = {(p.socket_type, p.protocol): p for p in providers}
        self._raw = self._providers.get((SOCK_RAW, 0))
        self.extensions: dict[str, Extension] = {}
        """Extension interfaces by NpiId."""
        self.watchers: list[Callable[[], None]] = []
        """Called when a transport came or went."""

    def add(self, provider: Provider) -> None:
        """A transport comes.  Stack thread."""
        self._providers[provider.socket_type, provider.protocol] = provider
        self._changed()

    def remove(self, provider: Provider) -> None:
        """A transport goes; sockets that use it stay.  Stack thread."""
        del self._providers[provider.socket_type, provider.protocol]
        self._changed()

    def _changed(self) -> None:
        for watcher in list(self.watchers):
            watcher()

    def provider(self, socket: Socket) -> Provider:
        """The transport of a socket, or one that knows nothing if it has gone."""
        return self._of(socket) or _GONE

    def known(self, family: int, socket_type: int, protocol: int) -> bool:
        """WskSocket accepts this combination."""
        if family not in (AF_INET, AF_INET6):
            return False
        if socket_type == SOCK_RAW:
            return self._raw is not None and 0 <= protocol <= 255
        return (socket_type, protocol) in self._providers

    def list(self) -> list[WSK_TRANSPORT]:
        """Every combination; protocol 0 of SOCK_RAW stands for every one."""
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
        if socket.socket_type == SOCK_RAW:
            return self._raw.open_raw(families, socket.protocol) if self._raw else None
        provider = self._of(socket)
        return provider.open_datagram(families) if provider else None

    def _of(self, socket: Socket) -> Provider | None:
        return self._providers.get((socket.socket_type, socket.protocol))
