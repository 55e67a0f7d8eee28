# SPDX-License-Identifier: MIT
"""Floor 6: DHCPv6 for one host: a client per interface behind one endpoint on port 546.

In reading order:

    wire/dhcp6          messages as octets
    dhcp6_retransmit    when something is said again
    dhcp6_lease         what a server has lent
    dhcp6_offers        which server to take
    dhcp6_auth          who may ask to reconfigure
    dhcp6_means         what a client works with
    dhcp6_exchange      one message until it is answered
    dhcp6_association   the speaking half of a client
    dhcp6_client        the hearing half

The host has one DUID (`duid`); an interface's IAID are the last four octets of its own address, so
both are the same after a restart (RFC 8415 12).

Made by `on_demand`; `on_router_flags` is for whoever reads router advertisements.
"""

from __future__ import annotations

from stack.base import addr, fate, status
from stack.ip.addrconf import LocalAddress
from stack.ip.host import IpHost
from stack.ip.seam import Attendant
from stack.link.nic import Nic
from stack.services.dhcp6_client import Client
from stack.services.dhcp6_means import Dhcp6Counters, Means
from stack.services.duid import duid
from stack.services.port import Port
from stack.transport.datagram_seam import Received
from stack.transport.options import Outgoing
from stack.transport.seam import SHARE_EXCLUSIVE, Provider
from stack.wire import dhcp6, ipv6


class Dhcp6(Attendant, Port):
    """All clients of a host."""

    def __init__(self, host: IpHost, udp: Provider) -> None:
        super().__init__()
        self.counters = Dhcp6Counters()
        self.clients: dict[int, Client] = {}
        self._host = host
        self._udp = udp
        host.attendants.append(self)
        for nic in host.nics:
            self.nic_up(nic)

    def client(self, nic: Nic) -> Client | None:
        """The client of an interface, None where IPv6 cannot be."""
        known = self.clients.get(nic.index)
        if known is None and not nic.is_loopback and nic.mtu >= ipv6.MIN_MTU:
            means = Means(
                self._host, nic, duid(self._host), self.counters, self._send, self._finished
            )
            known = self.clients[nic.index] = Client(means, self._iaid(nic))
        return known

    def on_router_flags(self, nic: Nic, managed: bool, other: bool) -> None:
        """A router advertisement on `nic` says M and O (RFC 4861 4.2)."""
        client = self.client(nic)
        if client is not None:
            client.on_router_flags(managed, other)

    def state(self) -> list[dict[str, object]]:
        """Every client, for people and tools."""
        return [client.state() for client in self.clients.values()]

    def _iaid(self, nic: Nic) -> int:
        iaid = int.from_bytes(nic.mac[2:], "big")
        taken = {client.lease.iaid for client in self.clients.values()}
        while iaid in taken:
            iaid = (iaid + 1) & 0xFFFFFFFF
        return iaid

    # Attendant.

    def nic_up(self, nic: Nic) -> None:
        client = self.client(nic)
        if client is not None:
            client.nic_up()
            mode = self._host.config.dhcp6
            if mode in ("stateless", "stateful"):
                client.start(mode == "stateful")

    def nic_down(self, nic: Nic) -> None:
        client = self.clients.get(nic.index)
        if client is not None:
            client.nic_down()

    def address_changed(self, entry: LocalAddress) -> None:
        client = self.clients.get(entry.nic.index)
        if client is not None:
            client.address_changed(entry)

    # The way out and in.

    def _send(self, nic: Nic, wire: bytes) -> int:
        source = self._host.layers[16].link_local(nic)
        if not source:
            return status.NOT_LOCAL
        if self._socket is None:
            result = self._open(self._udp, addr.V6, dhcp6.CLIENT_PORT, SHARE_EXCLUSIVE)
            if result != status.OK:
                return result
        assert self._socket is not None
        how = Outgoing()
        how.source = source
        return self._socket.send(
            (wire,), len(wire), dhcp6.ALL_SERVERS, dhcp6.SERVER_PORT, nic.index, how
        )

    def _finished(self) -> None:
        """A client has stopped; the last one leaves the port free."""
        if not any(client.active for client in self.clients.values()):
            self._close()

    def hear(self, one: Received) -> None:
        data = bytes(one.view)
        client = self.clients.get(one.scope)
        active = client is not None and client.active
        reason = client.receive(one, data) if client and active else fate.DHCP6_NO_CLIENT
        if reason:
            self._host.door.drop_frame(data, reason)
