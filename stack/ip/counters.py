# SPDX-License-Identifier: MIT
"""Floor 4: what the IP layer counts, by RFC 4293's names.

One block per interface and family (ipIfStatsTable), and one for what happens where there is no
interface yet; ipSystemStatsTable is their sum.  Kept by `layer`, `v4`, `v6` and `outbound`.
"""

from __future__ import annotations

from collections.abc import Iterable

from stack.base.counters import Counters


class IpCounters(Counters):
    """ipIfStatsTable's columns.  A super-frame counts as one packet, here as on the link.

    Every datagram that comes in meets one of these::

        in_receives + reasm_oks == in_hdr_errors + in_truncated_pkts + in_addr_errors
                                   + in_unknown_protos + in_discards + in_forw_datagrams
                                   + reasm_reqds + in_delivers

    in_no_routes are some of in_forw_datagrams, the attempts to pass something on.  A request is
    counted once an interface is known; until then only out_no_routes is.
    """

    __slots__ = (
        "in_addr_errors",
        "in_bcast_pkts",
        "in_delivers",
        "in_discards",
        "in_forw_datagrams",
        "in_hdr_errors",
        "in_mcast_octets",
        "in_mcast_pkts",
        "in_no_routes",
        "in_octets",
        "in_receives",
        "in_truncated_pkts",
        "in_unknown_protos",
        "out_bcast_pkts",
        "out_discards",
        "out_forw_datagrams",
        "out_frag_creates",
        "out_frag_fails",
        "out_frag_oks",
        "out_frag_reqds",
        "out_mcast_octets",
        "out_mcast_pkts",
        "out_no_routes",
        "out_octets",
        "out_requests",
        "reasm_fails",
        "reasm_oks",
        "reasm_reqds",
    )
    in_addr_errors: int
    in_bcast_pkts: int
    in_delivers: int
    in_discards: int
    in_forw_datagrams: int
    in_hdr_errors: int
    in_mcast_octets: int
    in_mcast_pkts: int
    in_no_routes: int
    in_octets: int
    in_receives: int
    in_truncated_pkts: int
    in_unknown_protos: int
    out_bcast_pkts: int
    out_discards: int
    out_forw_datagrams: int
    out_frag_creates: int
    out_frag_fails: int
    out_frag_oks: int
    out_frag_reqds: int
    out_mcast_octets: int
    out_mcast_pkts: int
    out_no_routes: int
    out_octets: int
    out_requests: int
    reasm_fails: int
    reasm_oks: int
    reasm_reqds: int

    @property
    def out_transmits(self) -> int:
        """Datagrams and fragments handed to the link: it follows from the others (RFC 4293)."""
        datagrams = self.out_requests + self.out_forw_datagrams - self.out_frag_reqds
        return datagrams + self.out_frag_creates - self.out_discards

    def snapshot(self) -> dict[str, int]:
        return {**super().snapshot(), "out_transmits": self.out_transmits}


def total(blocks: Iterable[IpCounters]) -> IpCounters:
    """The sum of several blocks: a snapshot, not a view."""
    whole = IpCounters()
    for block in blocks:
        for name in IpCounters.__slots__:
            setattr(whole, name, getattr(whole, name) + getattr(block, name))
    return whole
