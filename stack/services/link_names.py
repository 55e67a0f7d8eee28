# SPDX-License-Identifier: MIT
"""Floor 6: the switches of names on the link, LLMNR (RFC 4795) and mDNS (RFC 6762).

Both are off unless `Config` or somebody at run time switches them on: then this host answers for
its name on every link, and the resolver asks there.  Without a host name it asks and does not
answer.  While both are off there is no socket, no group and no frame.

Made by `on_demand` when it is first asked for; an attendant of the host, which tells it of
interfaces and addresses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from stack.base import status
from stack.base.config import is_label
from stack.ip.addrconf import LocalAddress
from stack.ip.host import IpHost
from stack.ip.seam import Attendant
from stack.link.nic import Nic
from stack.services.link_means import LinkMeans, LlmnrCounters, MdnsCounters
from stack.services.means import MDNS, Means
from stack.transport.seam import Provider

if TYPE_CHECKING:
    from stack.services.exchange import Asker, Exchanger
    from stack.services.llmnr import Llmnr
    from stack.services.mdns import Mdns
    from stack.services.resolver import Resolver
    from stack.services.responder import Responder

R = TypeVar("R", bound="Responder[Any]")


class LinkNames(Attendant):
    """Names on the links of one host.

    asks_llmnr, asks_mdns   the resolver asks there
    llmnr, mdns             the responders, None while there is none
    """

    def __init__(self, host: IpHost, udp: Provider, tcp: Provider, resolver: Resolver) -> None:
        self.asks_llmnr = False
        self.asks_mdns = False
        self.llmnr: Llmnr | None = None
        self.mdns: Mdns | None = None
        self.llmnr_counters = LlmnrCounters()
        self.mdns_counters = MdnsCounters()
        self._means = LinkMeans(host, udp, tcp)
        self._label = host.config.host_name.lower()
        self._resolver = resolver
        resolver.link = self
        host.attendants.append(self)

    # Switches.

    def configure(self) -> None:
        """Switch on what `Config` says."""
        config = self._means.config
        self.switch_llmnr(config.llmnr)
        self.switch_mdns(config.mdns)

    @property
    def host_name(self) -> str:
        """The name that is answered for, empty if there is none."""
        return self._label

    def set_host_name(self, text: str) -> int:
        """Be called something else, or with an empty `text` nothing.  INVALID: no such label."""
        if text and not is_label(text):
            return status.INVALID
        llmnr, mdns = self.asks_llmnr, self.asks_mdns
        self.switch_llmnr(False)
        self.switch_mdns(False)
        self._label = text.lower()
        return self.switch_llmnr(llmnr) or self.switch_mdns(mdns)

    def switch_llmnr(self, on: bool) -> int:
        """Speak LLMNR, or no longer.  OK, or why nothing can be answered (IN_USE, ACCESS)."""
        self.asks_llmnr = on
        self.llmnr, result = self._switch(self.llmnr, on, self._make_llmnr)
        return result

    def switch_mdns(self, on: bool) -> int:
        """Speak mDNS, or no longer, after a goodbye.  OK, or why nothing can be answered."""
        self.asks_mdns = on
        self.mdns, result = self._switch(self.mdns, on, self._make_mdns)
        return result

    def _switch(self, responder: R | None, on: bool, make: Callable[[], R]) -> tuple[R | None, int]:
        """The responder from now on, and why there is none though there should be."""
        self._resolver.link_changed()
        if not on:
            if responder is not None:
                responder.stop()
            return None, status.OK
        if responder is not None or not self._label:
            return responder, status.OK
        made = make()
        result = made.start()
        return (made if result == status.OK else None), result

    def _make_llmnr(self) -> Llmnr:
        from stack.services.llmnr import Llmnr

        return Llmnr(self._means, self.llmnr_counters, self._label)

    def _make_mdns(self) -> Mdns:
        from stack.services.mdns import Mdns

        return Mdns(self._means, self.mdns_counters, self._label)

    # Attendant.

    def nic_up(self, nic: Nic) -> None:
        for responder in (self.llmnr, self.mdns):
            if responder is not None and not nic.is_loopback:
                responder.nic_up(nic)

    def nic_down(self, nic: Nic) -> None:
        for responder in (self.llmnr, self.mdns):
            if responder is not None:
                responder.nic_down(nic)

    def address_changed(self, entry: LocalAddress) -> None:
        for responder in (self.llmnr, self.mdns):
            if responder is not None:
                responder.address_changed(entry)

    # For the resolver.

    def own(self, name: str) -> dict[bytes, int]:
        """This host's addresses if `name` is its own, and the interface of each."""
        means = self._means
        return {
            address: nic.index
            for nic in means.links()
            if any(one is not None and one.owns(nic, name) for one in (self.llmnr, self.mdns))
            for size in (4, 16)
            for address in means.addresses(nic, size)
        }

    def exchange(self, asker: Asker, name: str, kind: int, via: int, means: Means) -> Exchanger:
        """Ask everybody on the links."""
        from stack.services import link_query
        from stack.services.link_exchange import LinkExchange

        mdns = via == MDNS
        counters = self.mdns_counters if mdns else self.llmnr_counters
        protocol = link_query.MDNS if mdns else link_query.LLMNR
        return LinkExchange(asker, self._means, counters, protocol, (name, kind), means)

    # Looking.

    def snapshot(self) -> dict[str, dict[str, int]]:
        """The counters of both."""
        return {"llmnr": self.llmnr_counters.snapshot(), "mdns": self.mdns_counters.snapshot()}
