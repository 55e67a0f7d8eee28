# SPDX-License-Identifier: MIT
"""Floor 6: a UDP port of this host that a service uses: open while it is needed, closed with what
it holds.

The base of DHCP's clients, of names on the link and of DNS questions.
"""

from __future__ import annotations

from stack.base import status
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.seam import Provider


class Port(DatagramSink):
    """One endpoint, or none at the moment."""

    __slots__ = ("_socket",)

    def __init__(self) -> None:
        self._socket: Datagram | None = None

    def hear(self, one: Received) -> None:
        """A datagram arrived; of several that came together the port may be closed by now."""
        raise NotImplementedError

    def _open(
        self,
        udp: Provider,
        families: int,
        port: int,
        sharing: int,
        options: tuple[tuple[int, int], ...] = (),
    ) -> int:
        """Bind to `port`, 0 for any, of `families`, with `options` set.

        OK; NOT_SUPPORTED without UDP; IN_USE or ACCESS as the port is another's.
        """
        socket = udp.open_datagram(families)
        if socket is None:
            return status.NOT_SUPPORTED
        socket.attach(self)
        for option, value in options:
            socket.set_option(option, value)
        result = socket.bind(b"", port, sharing)
        if result == status.OK:
            self._socket = socket
        else:
            socket.close()
        return result

    def _close(self) -> None:
        """Nothing is heard from now on."""
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def received(self, batch: list[Received]) -> int:
        if self._socket is not None:
            self._socket.grant(sum(one.charge for one in batch))
        for one in batch:
            self.hear(one)
        return len(batch)
