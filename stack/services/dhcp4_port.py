# SPDX-License-Identifier: MIT
"""Floor 6: the DHCP client port of a host, shared by the clients of all its interfaces.

One UDP endpoint on port 68, open while anybody needs it.  A message goes to the client of the
interface it came in on, after what can be said of it without knowing the client's state: that it
is a DHCP reply to this interface's hardware address (RFC 2131 4.1), and not to a client of
another identity (RFC 6842 3).  Servers answer from whatever port they like: none is demanded.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr, fate, status
from stack.base.counters import Counters
from stack.base.units import KIB
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.services.port import Port
from stack.transport.datagram_seam import Received
from stack.transport.options import OPTION_RECEIVE_BUFFER, Outgoing
from stack.transport.seam import OPTION_BROADCAST, SHARE_EXCLUSIVE, Provider
from stack.wire import dhcp4
from stack.wire.dhcp4 import Message
from stack.wire.dhcp4_options import (
    ACK,
    CLIENT_ID,
    DECLINE,
    DISCOVER,
    INFORM,
    NAK,
    OFFER,
    RELEASE,
    REQUEST,
)

_QUEUE: Final = 64 * KIB
"""Octets of answers that may wait for their turn."""


class Dhcp4Counters(Counters):
    """What the DHCP clients of a host said and heard.

    Messages by type, `in_` as far as they were meant for us; `malformed` and `ignored` the
    others.  conflicts: addresses that another station had; expiries: leases that ran out.
    """

    __slots__ = (
        "conflicts",
        "expiries",
        "ignored",
        "in_acks",
        "in_naks",
        "in_offers",
        "malformed",
        "out_declines",
        "out_discovers",
        "out_informs",
        "out_releases",
        "out_requests",
    )
    conflicts: int
    expiries: int
    ignored: int
    in_acks: int
    in_naks: int
    in_offers: int
    malformed: int
    out_declines: int
    out_discovers: int
    out_informs: int
    out_releases: int
    out_requests: int


_SENT: Final = {
    DISCOVER: "out_discovers",
    REQUEST: "out_requests",
    DECLINE: "out_declines",
    RELEASE: "out_releases",
    INFORM: "out_informs",
}
_HEARD: Final = {OFFER: "in_offers", ACK: "in_acks", NAK: "in_naks"}


class Party:
    """Who takes part in DHCP on one interface."""

    __slots__ = ("client_id",)
    client_id: bytes

    def heard(self, message: Message) -> int:
        """An OFFER, ACK or NAK for this interface: `fate.DELIVERED`, or why it is ignored."""
        raise NotImplementedError


class Dhcp4Port(Port):
    """Port 68 of one host."""

    def __init__(self, host: IpHost, udp: Provider) -> None:
        super().__init__()
        self.counters = Dhcp4Counters()
        self._host = host
        self._udp = udp
        self._parties: dict[int, Party] = {}

    # Who takes part.

    def join(self, nic: Nic, party: Party) -> int:
        """`party` hears what comes in on `nic`.  OK; IN_USE if somebody else does, or has the
        port; NOT_SUPPORTED without UDP."""
        if self._parties.get(nic.index, party) is not party:
            return status.IN_USE
        if self._socket is None:
            options = ((OPTION_BROADCAST, 1), (OPTION_RECEIVE_BUFFER, _QUEUE))
            result = self._open(self._udp, addr.V4, dhcp4.CLIENT_PORT, SHARE_EXCLUSIVE, options)
            if result != status.OK:
                return result
        self._parties[nic.index] = party
        return status.OK

    def leave(self, nic: Nic) -> None:
        """Nobody listens on `nic` any more."""
        self._parties.pop(nic.index, None)
        if not self._parties:
            self._close()

    # Sending.

    def send(self, nic: Nic, message: Message, source: bytes, server: bytes = b"") -> None:
        """Send `message` from `source`, 0.0.0.0 while there is none, to `server` or to everybody
        on `nic`.  What cannot be sent is lost, as on any wire."""
        if self._socket is None:
            return
        self.counters.count(_SENT[message.type])
        how = Outgoing()
        how.source = source
        how.interface = nic.index
        wire = dhcp4.build(message)
        target = server or addr.BROADCAST4
        self._socket.send((wire,), len(wire), target, dhcp4.SERVER_PORT, 0, how)

    # Hearing.

    def hear(self, one: Received) -> None:
        counters = self.counters
        message = dhcp4.parse(one.view, 0, len(one.view))
        if message is None or message.op != dhcp4.BOOTREPLY:
            counters.malformed += 1
            reason = fate.DHCP4_MALFORMED
        else:
            reason = self._judge(message, one.scope)
            counters.ignored += reason != fate.DELIVERED
        if reason != fate.DELIVERED:
            self._host.door.drop_frame(bytes(one.view.obj), reason)

    def _judge(self, message: Message, index: int) -> int:
        party = self._parties.get(index)
        if party is None:
            return fate.DHCP4_NOT_FOR_US
        mac = self._host.nics[index - 1].mac
        if message.htype != dhcp4.ETHERNET or message.chaddr != mac:
            return fate.DHCP4_NOT_FOR_US
        if message.options.get(CLIENT_ID, party.client_id) != party.client_id:
            return fate.DHCP4_NOT_FOR_US
        name = _HEARD.get(message.type)
        if name is None:
            return fate.DHCP4_UNEXPECTED
        self.counters.count(name)
        return party.heard(message)
