# SPDX-License-Identifier: MIT
"""Floor 0: the knobs of the network layer and what is below it.  The first part of `config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base.units import DAY, KIB, MIB, MINUTE, SECOND

ADDRESS_POLICY: Final = (
    ("::1", 128, 50, 0),
    ("::", 0, 40, 1),
    ("::ffff:0:0", 96, 35, 4),
    ("2002::", 16, 30, 2),
    ("2001::", 32, 5, 5),
    ("fc00::", 7, 3, 13),
    ("::", 96, 1, 3),
    ("fec0::", 10, 1, 11),
    ("3ffe::", 16, 1, 12),
)
"""RFC 6724 2.1: prefix, length, precedence, label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IpConfig:
    """IP.

    hop_limit               TTL and hop limit of what we send, 1 .. 255 (RFC 1122 3.2.1.7)
    dad                     probe an address before using it (RFC 5227, RFC 4862 5.4).  Off
                            makes an address usable at once: right on a private wire
    dad_transmits           probes for an IPv6 address, 0 .. 16 (DupAddrDetectTransmits, RFC 4862
                            5.1); 0 is as good as `dad` off, for IPv6
    enhanced_dad            mark them, so that one that comes back is known (RFC 7527)
    optimistic_dad          use an address that the host made up, or DHCPv6 gave, from the first
                            probe on (RFC 4429)
    conflict_policy         when another station uses an IPv4 address of ours (RFC 5227 2.4):
                            "abandon" it (a), "defend" it, unless that was in vain within the last
                            ten seconds (b), "insist" on it whatever happens (c)
    slaac                   form addresses from advertised prefixes (RFC 4862 5.5)
    slaac_ids               with "opaque" identifiers (RFC 7217, as RFC 8064 wants it), or such as
                            show the MAC: "eui64"
    slaac_limit             and from so many prefixes of an interface at most
    link_local_ids          the same for link-local addresses, of which "eui64" ones are the ones
                            that people expect to find
    stable_secret           what opaque identifiers are made with, sixteen octets at least, so that
                            they are the same next time (RFC 7217 5); empty for a random one
    temporary_addresses     beside each, one that changes daily and is preferred (RFC 8981), as
                            hosts of today have it; given addresses have none
    temporary_exceptions    prefixes ("fd00::/8") for which the reverse of that holds
                            (RFC 8981 3.7)
    temporary_valid, temporary_preferred  TEMP_VALID_LIFETIME and TEMP_PREFERRED_LIFETIME, at most
    prefer_temporary        as sources (RFC 6724 5 rule 7); off prefers public addresses
    address_policy          RFC 6724 2.1's table: (prefix, length, precedence, label); ::/0 must be
                            there, and IPv4 prefixes may
    weak_host               accept packets for an address of another interface, and send from one;
                            off is the strong host model (RFC 1122 3.3.4.2).  Per interface:
                            `IpInterface.weak_receive` and `weak_send`
    forwarding              pass packets for others on (RFC 1812, RFC 8200); per interface:
                            `IpInterface.forwarding`
    neighbor_limit          neighbours remembered per interface, 16 at least
    neighbor_unresolved_limit  of these, how many may be in resolution at once (RFC 6583 7.1)
    neighbor_rate           resolutions begun per second and interface, and as many at once
    neighbor_queue          packets kept for a neighbour in resolution; the oldest gives way
    neighbor_hold_off       packets to a neighbour that did not answer fail at once for so long,
                            instead of asking again (RFC 1122 2.3.2.1)
    neighbor_patience       a neighbour that has stopped answering is still sent to, and asked for
                            ever more rarely, where there is no other way (RFC 7048); off forgets
                            it at once (RFC 4861 7.3.3)
    accept_ra               heed router advertisements (RFC 4861 6.3.4); per interface:
                            `IpInterface.accept_ra`.  An interface that forwards does not
    router_solicitations    ask for them when a link comes up, until one comes (RFC 7559)
    ra_router_limit         routers of which something is remembered, per interface
    ra_prefix_limit         prefixes on the link, per interface
    ra_route_limit          more specific routes (RFC 4191), per interface
    accept_redirects        heed redirects (RFC 4861 8.3, RFC 1122 3.2.2.2); per interface likewise
    redirect_limit          destinations of which a redirect is remembered; the oldest gives way
    redirect_age            how long a redirect is heeded without being repeated
    path_limit              destinations whose route is remembered
    reassembly_time         how long a datagram may be incomplete (RFC 8200 4.5, RFC 1122 3.3.2)
    reassembly_limit        incomplete datagrams held at once
    reassembly_source_limit incomplete datagrams of one source
    reassembly_fragments    fragments of one datagram: 64 KiB over the smallest MTU of IPv4
    reassembly_memory       octets that all of this may cost, everything included
    icmp_error_rate         ICMP errors per second to everybody together (RFC 4443 2.4 f)
    icmp_error_burst        and how many at once
    icmp_host_rate          ICMP errors per second to one host
    icmp_host_burst         and how many at once
    multicast_reports       tell routers and switches of the groups we listen to (IGMP, MLD)
    igmp_version            "auto" follows the queriers (RFC 3376 7.2); "1", "2" or "3" is the only
                            version spoken, and queries of older ones are not heeded (9.1)
    mld_version             the same (RFC 3810 8.2): "auto", "1" or "2"
    multicast_robustness    transmissions of a change until a querier says how many (RFC 3376 8.1)
    multicast_group_limit   groups that endpoints may join per interface and family
    multicast_source_limit  sources kept apart per group; beyond, everything sent to the group is
                            asked for, and endpoints still hear only what they want
    icmp_unreachables       tell senders that a destination is unreachable (RFC 4443 3.1)
    extension_limit         IPv6 extension headers in one packet (RFC 8504 5.3)
    extension_chain_limit   octets of all of them together (RFC 8883 3.3)
    option_limit            options in one IPv6 options header (RFC 8504 5.3)
    strict_padding          refuse padding that is longer than it has to be, or carries something
                            (RFC 8504 5.3)
    echo_broadcast          answer echo requests to IPv4 broadcast and multicast (RFC 1122 3.2.2.6)
    echo_multicast6         answer echo requests to IPv6 groups (RFC 4443 4.2)
    pmtu_age                how long a reduced path MTU is believed (RFC 1191 6.3, RFC 8201 5.3):
                            five minutes at least (RFC 8201 4)
    """

    hop_limit: int = 64
    dad: bool = True
    dad_transmits: int = 1
    enhanced_dad: bool = True
    optimistic_dad: bool = False
    conflict_policy: str = "defend"
    slaac: bool = True
    slaac_ids: str = "opaque"
    slaac_limit: int = 16
    link_local_ids: str = "eui64"
    stable_secret: bytes = b""
    temporary_addresses: bool = True
    temporary_exceptions: tuple[str, ...] = ()
    temporary_valid: int = 2 * DAY
    temporary_preferred: int = 1 * DAY
    prefer_temporary: bool = True
    address_policy: tuple[tuple[str, int, int, int], ...] = ADDRESS_POLICY
    weak_host: bool = False
    forwarding: bool = False
    neighbor_limit: int = 1024
    neighbor_unresolved_limit: int = 256
    neighbor_rate: int = 1000
    neighbor_queue: int = 16
    neighbor_hold_off: int = 1 * SECOND
    neighbor_patience: bool = True
    accept_ra: bool = True
    router_solicitations: bool = True
    ra_router_limit: int = 16
    ra_prefix_limit: int = 64
    ra_route_limit: int = 64
    accept_redirects: bool = True
    redirect_limit: int = 1024
    redirect_age: int = 10 * MINUTE
    path_limit: int = 4096
    reassembly_time: int = 60 * SECOND
    reassembly_limit: int = 256
    reassembly_source_limit: int = 64
    reassembly_fragments: int = 1400
    reassembly_memory: int = 4 * MIB
    icmp_error_rate: int = 1000
    icmp_error_burst: int = 100
    icmp_host_rate: int = 20
    icmp_host_burst: int = 20
    multicast_reports: bool = True
    igmp_version: str = "auto"
    mld_version: str = "auto"
    multicast_robustness: int = 2
    multicast_group_limit: int = 1024
    multicast_source_limit: int = 256
    icmp_unreachables: bool = True
    extension_limit: int = 8
    extension_chain_limit: int = 4096
    option_limit: int = 8
    strict_padding: bool = False
    echo_broadcast: bool = False
    echo_multicast6: bool = True
    pmtu_age: int = 10 * MINUTE


NAMES: Final = (
    ("igmp_version", ("auto", "1", "2", "3")),
    ("mld_version", ("auto", "1", "2")),
    ("conflict_policy", ("abandon", "defend", "insist")),
    ("slaac_ids", ("opaque", "eui64")),
    ("link_local_ids", ("opaque", "eui64")),
)
BOUNDS: Final = (
    ("hop_limit", 1, 255),
    ("dad_transmits", 0, 16),
    ("slaac_limit", 0, 1024),
    ("temporary_valid", SECOND, 1 << 61),
    ("temporary_preferred", SECOND, 30 * DAY),
    ("neighbor_limit", 16, 1 << 20),
    ("neighbor_unresolved_limit", 1, 1 << 20),
    ("neighbor_rate", 1, SECOND),
    ("neighbor_queue", 1, 1 << 16),
    ("neighbor_hold_off", 0, MINUTE),
    ("ra_router_limit", 2, 256),
    ("ra_prefix_limit", 1, 1 << 12),
    ("ra_route_limit", 1, 1 << 12),
    ("redirect_limit", 1, 1 << 20),
    ("redirect_age", SECOND, 1 << 62),
    ("pmtu_age", 5 * MINUTE, 1 << 62),
    ("path_limit", 16, 1 << 20),
    ("multicast_robustness", 1, 7),
    ("multicast_group_limit", 1, 1 << 16),
    ("multicast_source_limit", 1, 1 << 12),
    ("reassembly_limit", 1, 1 << 20),
    ("reassembly_source_limit", 1, 1 << 20),
    ("reassembly_fragments", 2, 8192),
    ("reassembly_memory", 64 * KIB, 1 << 40),
)
