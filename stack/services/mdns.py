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

from stack.base.packet import MULTICAST, UNICAST
from stack.link.nic import Nic
from stack.services import link_message, mdns_link
from stack.services.link_means import LinkMeans, MdnsCounters
from stack.services.link_query import MDNS
from stack.services.mdns_link import MdnsLink
from stack.services.responder import Responder
from stack.transport.datagram_seam import Received
from stack.transport.seam import SHARE_REUSE


class Mdns(Responder[MdnsLink]):
    """The responder of one host."""

    __slots__ = ("counters",)

    protocol = MDNS
    sharing = SHARE_REUSE
    """Others on this host may want to hear mDNS too (RFC 6762 15)."""

    def __init__(self, means: LinkMeans, counters: MdnsCounters, label: str) -> None:
        super().__init__(means, label)
        self.counters = counters

    def make(self, nic: Nic) -> MdnsLink:
        assert self._socket is not None
        return MdnsLink(self._means, self.counters, self.label, nic, self._socket)

    def name(self, nic: Nic) -> str:
        """The name on `nic`, as far as it has got."""
        link = self._names.get(nic.index)
        return "" if link is None else link.name

    def owns(self, nic: Nic, name: str) -> bool:
        return self.state(nic) >= mdns_link.ANNOUNCING and self.name(nic) == name

    def hear(self, one: Received) -> None:
        if self._socket is None:
            return
        counters = self.counters
        link = self._names.get(one.scope)
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
