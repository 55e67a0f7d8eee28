# SPDX-License-Identifier: MIT
"""Floor 4: `Membership`, what IGMP and MLD have in common beside the machine: who listens where,
what is said to whom, what is counted, and when a query is believed.

One per family.  It hears of joins from `groups` and of links and addresses as an `Attendant`, and
keeps one `Listener` per interface.  Nothing is ever said about all-nodes groups, nor about IPv6
groups whose scope does not reach the link (RFC 3376 5, RFC 3810 6), nor on the loopback interface,
nor anywhere if `Config.multicast_reports` is off.

`igmp` and `mld` fill in what differs; `compartment` makes them.
"""

from __future__ import annotations

from collections.abc import Sequence

from stack.base import addr, fate
from stack.base.counters import Counters
from stack.base.packet import Packet
from stack.base.timers import NEVER
from stack.ip.groups import Filter, Watcher
from stack.ip.layer import IpLayer
from stack.ip.listener import Listener
from stack.ip.reports import pack
from stack.ip.seam import Attendant
from stack.link.nic import Nic
from stack.wire.groups import Query, Record


class MembershipCounters(Counters):
    """What came and went, by version of the protocol.  MLD has no version 3."""

    __slots__ = (
        "in_errors",
        "in_reports",
        "in_v1_queries",
        "in_v2_queries",
        "in_v3_queries",
        "out_leaves",
        "out_records",
        "out_v1_reports",
        "out_v2_reports",
        "out_v3_reports",
        "suppressed",
    )
    in_errors: int  # malformed, from beyond the link, or not to be believed
    in_reports: int  # of other hosts, in versions in which these matter
    in_v1_queries: int
    in_v2_queries: int
    in_v3_queries: int
    out_leaves: int
    out_records: int  # in reports of the newest version
    out_v1_reports: int
    out_v2_reports: int
    out_v3_reports: int
    suppressed: int  # reports that another host's made unnecessary


class Membership(Watcher, Attendant):
    """The protocol of one family."""

    oldest: int
    """The oldest version of the protocol."""
    newest: int
    """The newest."""
    knob: str
    """The field of `Config` that may fix the version."""

    def __init__(self, layer: IpLayer) -> None:
        host, config = layer.host, layer.config
        self.layer = layer
        self.env = host.env
        self.timers = host.timers
        self.door = host.door
        self.counters = MembershipCounters()
        self.enabled = config.multicast_reports
        self.robustness = config.multicast_robustness
        self.group_limit = config.multicast_group_limit
        self.source_limit = config.multicast_source_limit
        chosen: str = getattr(config, self.knob)
        self.forced = 0 if chosen == "auto" else int(chosen)
        """The only version spoken and believed, 0 if the queriers decide."""
        self.listeners: dict[int, Listener] = {}
        if self.enabled:
            host.groups.watchers[layer.size] = self
            host.attendants.append(self)

    # What a protocol must say.

    def reported(self, group: bytes) -> bool:
        """Routers and switches are told of `group`."""
        raise NotImplementedError

    def proves_older(self, query: Query) -> bool:
        """An older version's `query` shows that a querier of that version is present."""
        raise NotImplementedError

    def room(self, nic: Nic) -> int:
        """Octets for records in one report on `nic`."""
        raise NotImplementedError

    def send_report(self, listener: Listener, records: Sequence[Record]) -> None:
        """One report of the newest version."""
        raise NotImplementedError

    def send_old(self, listener: Listener, group: bytes, leave: bool) -> bool:
        """A report or leave in an older version.  False if the version has no such message."""
        raise NotImplementedError

    # Of the host.

    def changed(self, nic: Nic, group: bytes, before: Filter, after: Filter) -> None:
        if not nic.is_loopback and self.reported(group):
            self._listener(nic).changed(group, before, after)

    def pending(self, nic: Nic, group: bytes) -> tuple[int, int]:
        listener = self.listeners.get(nic.index)
        return (NEVER, NEVER) if listener is None else listener.pending(group)

    def nic_up(self, nic: Nic) -> None:
        """Tell of all groups again: there may be another router (RFC 3376 5.1)."""
        listener = self.listeners.get(nic.index)
        if listener is not None:
            listener.announce()

    def nic_down(self, nic: Nic) -> None:
        listener = self.listeners.get(nic.index)
        if listener is not None:
            listener.down()

    def _listener(self, nic: Nic) -> Listener:
        found = self.listeners.get(nic.index)
        if found is None:
            found = self.listeners[nic.index] = Listener(self, nic)
        return found

    # Speaking.

    def report(self, listener: Listener, records: Sequence[Record]) -> None:
        """Say `records`, in as many reports as it takes."""
        for part in pack(records, self.room(listener.nic)):
            self._count_report(self.newest)
            self.counters.out_records += len(part)
            self.send_report(listener, part)

    def report_old(self, listener: Listener, group: bytes) -> None:
        """Report `group` in the version of the listener's mode."""
        self._count_report(listener.version)
        self.send_old(listener, group, False)

    def leave_old(self, listener: Listener, group: bytes) -> None:
        """Leave `group`, in the same way."""
        if self.send_old(listener, group, True):
            self.counters.out_leaves += 1

    def _count_report(self, version: int) -> None:
        if version == 1:
            self.counters.out_v1_reports += 1
        elif version == 2:
            self.counters.out_v2_reports += 1
        else:
            self.counters.out_v3_reports += 1

    # Listening.

    def take_query(self, pkt: Packet, query: Query) -> None:
        """A query whose sender and packet are in order."""
        if query.group and not addr.is_multicast(query.group):
            self.refuse(pkt, fate.MEMBERSHIP_MALFORMED)
            return
        if query.version < self.forced:
            self.refuse(pkt, fate.MEMBERSHIP_VERSION)
            return
        if query.version == 1:
            self.counters.in_v1_queries += 1
        elif query.version == 2:
            self.counters.in_v2_queries += 1
        else:
            self.counters.in_v3_queries += 1
        nic = pkt.nic
        assert isinstance(nic, Nic)
        self._listener(nic).query(query)

    def take_report(self, pkt: Packet, group: bytes) -> None:
        """Another host's report in an older version."""
        if not group:
            self.refuse(pkt, fate.MEMBERSHIP_MALFORMED)
            return
        self.counters.in_reports += 1
        listener = self.listeners.get(pkt.nic.index)
        if listener is not None and listener.heard(group):
            self.counters.suppressed += 1

    def refuse(self, pkt: Packet, reason: int) -> None:
        """Count and drop."""
        self.counters.in_errors += 1
        self.door.drop(pkt, reason)
