# SPDX-License-Identifier: MIT
"""What the tests of the looking tools share: a world with something to see, and who asks."""

from __future__ import annotations

from typing import Any

from stack.base import addr
from stack.base.units import SECOND
from stack.transport.options import JOIN
from tests.harness import Host, Peer, World, quiet
from tools import inspect_stack
from tools.change_stack import CHANGES, address

Row = dict[str, Any]


class Scene:
    """A stack with a listener, a connection, datagram and raw sockets, groups and routes."""

    def __init__(self) -> None:
        self.world = World()
        self.host: Host
        self.peer: Peer
        self.host, self.peer = self.world.host(quiet(tcp_time_wait=60 * SECOND))
        stack, nic = self.host.stack, self.host.nic
        stack.add_route("0.0.0.0", 0, nic, "10.77.0.2")
        stack.add_route("192.0.2.0", 24, nic, "10.77.0.3", 20)
        stack.add_route("2001:db8::", 32, nic, "fd77::2", 7)
        self.listener = self.host.listener()
        self.listener.bind(b"", 80, 0)
        self.udp = self.host.datagram()
        self.udp.bind(b"", 5353, 0)
        self.udp.membership(JOIN, addr.parse("224.0.0.251"), nic.index, b"")
        self.only = self.host.datagram()
        self.only.bind(self.host.v4, 9000, 0)
        self.only.restrict(self.peer.v4, 9001)
        self.raw = self.host.raw(253)
        self.raw.bind(b"", 0, 0)
        self.peer.handshake(seq=100, mss=1460, wscale=7, sack_ok=True)

    def ask(self, what: str, **more: Any) -> Any:
        """As a control socket's client would."""
        stack = self.host.stack
        if what in inspect_stack.LOOKS:
            return inspect_stack.LOOKS[what](stack)
        if what == "route-get":
            return inspect_stack.way(stack, address(more["address"]))
        return CHANGES[what](stack, more)
