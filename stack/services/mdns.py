# SPDX-License-Identifier: MIT
"""Floor 6: mDNS responder for this host's name (RFC 6762).

Done: 5.4 to 7.4 answering (in `mdns_answer`), 8 to 10 names (in `mdns_link`), 6.1 NSEC, 11 what is
from the link, 17 sizes, 18 the header.  Every interface is a link of its own: if somebody else has
the name on one of them, it is host-2 there and keeps its name elsewhere.
Not done: services and other records (RFC 6763), continuous querying and a cache of what others say
(5.2, 10; lookups use one-shot queries, see `link_query`), names that are not ASCII (16).

Made by `link_names`.
"""

from __future__ import annotations

from stack.base import status
from stack.base.addr import V4, V6
from stack.base.packet import MULTICAST, UNICAST
from stack.ip.addrconf import LocalAddress
from stack.link.nic import Nic
from stack.services import link_message, mdns_link
from stack.services.link_means import LinkMeans, MdnsCounters
from stack.services.link_query import MDNS
from stack.services.mdns_link import MdnsLink
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.options import JOIN, LEAVE, OPTION_GROUP_LOOP
from stack.transport.seam import SHARE_REUSE


class Mdns(DatagramSink):
    """The responder of one host."""

    __slots__ = ("_links", "_means", "_socket", "counters", "label")

    def __init__(self, means: LinkMeans, counters: MdnsCounters, label: str) -> None:
        self.counters = counters
        self.label = label
        self._means = means
        self._links: dict[int, MdnsLink] = {}
        self._socket: Datagram | None = None

    def start(self) -> int:
        """Listen on every interface.  OK, or why that cannot be (IN_USE, ACCESS)."""
        socket = self._means.udp.open_datagram(V4 | V6)
        if socket is None:
            return status.NOT_SUPPORTED
        socket.attach(self)
        # Others on this host may want to hear mDNS too (RFC 6762 15).
        result = socket.bind(b"", MDNS.port, SHARE_REUSE)
        if result != status.OK:
            return result
        socket.set_option(OPTION_GROUP_LOOP, 0)
        self._socket = socket
        for nic in self._means.links():
            self.nic_up(nic)
        return status.OK

    def stop(self) -> None:
        """Say goodbye and leave nothing open."""
        for link in self._links.values():
            link.stop(True)
        self._links.clear()
        socket, self._socket = self._socket, None
        if socket is not None:
            socket.close()

    def name(self, nic: Nic) -> str:
        """The name on `nic`, as far as it has got."""
        link = self._links.get(nic.index)
        return "" if link is None else link.name

    def state(self, nic: Nic) -> int:
        """Where the name stands on `nic`: a state of `mdns_link`."""
        link = self._links.get(nic.index)
        return mdns_link.IDLE if link is None else link.state

    def owns(self, nic: Nic, name: str) -> bool:
        """`name` is this host's on `nic`, and nobody else's as far as is known."""
        return self.state(nic) >= mdns_link.ANNOUNCING and self.name(nic) == name

    # Interfaces and addresses, told by `link_names`.

    def nic_up(self, nic: Nic) -> None:
        """Speak on `nic`."""
        if self._socket is None or nic.index in self._links:
            return
        for group in MDNS.groups.values():
            self._socket.membership(JOIN, group, nic.index, b"")
        link = MdnsLink(self._means, self.counters, self.label, nic, self._socket)
        self._links[nic.index] = link
        link.refresh()

    def nic_down(self, nic: Nic) -> None:
        """Do not speak on `nic` any more."""
        link = self._links.pop(nic.index, None)
        if link is None or self._socket is None:
            return
        link.stop(False)
        for group in MDNS.groups.values():
            self._socket.membership(LEAVE, group, nic.index, b"")

    def address_changed(self, entry: LocalAddress) -> None:
        """An address is new, or gone."""
        link = self._links.get(entry.nic.index)
        if link is not None:
            link.refresh()

    # Hearing.

    def received(self, batch: list[Received]) -> int:
        if self._socket is not None:
            self._socket.grant(sum(one.charge for one in batch))
        for one in batch:
            if self._socket is not None:
                self._hear(one)
        return len(batch)

    def _hear(self, one: Received) -> None:
        counters = self.counters
        link = self._links.get(one.scope)
        if link is None or not self._from_link(link.nic, one) or len(one.view) > MDNS.most:
            counters.refused += 1
            return
        message = link_message.read(bytes(one.view))
        if message is None:
            counters.malformed += 1
        elif message.opcode or message.rcode:  # 18.3, 18.11
            counters.refused += 1
        elif not message.response:
            counters.queries += 1
            link.query(message, one)
        elif one.port != MDNS.port:  # 6
            counters.refused += 1
        else:
            counters.responses += 1
            link.response(message, one, one.group == MULTICAST)

    def _from_link(self, nic: Nic, one: Received) -> bool:
        """RFC 6762 11: what went to the group is from the link, whatever address it bears."""
        if one.group == MULTICAST:
            return one.local in MDNS.groups.values()
        return one.group == UNICAST and self._means.on_link(nic, one.address)
