# SPDX-License-Identifier: MIT
"""Floor 0: every knob of the stack, its unit, its default and where the default comes from.

One immutable record per stack, given to `Stack` at construction.  Times are nanoseconds,
sizes octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base import addr
from stack.base.units import DAY, KIB, MIB, MINUTE, MS, SECOND

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
class Config:
    """Settings of one stack.

    IP

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
    pmtu_age                how long a reduced path MTU is believed (RFC 1191 6.3, RFC 8201 5.3)

    Transports

    port_low, port_high     ephemeral ports, both ends included (RFC 6335)
    udp_receive_buffer      octets of datagrams waiting for one UDP or raw endpoint
    tcp_receive_buffer      octets a connection may hold for its user: its first window
    tcp_autotuning          how far the receive window grows from there: "disabled",
                            "highlyrestricted" (256 KiB), "restricted" (1 MiB), "normal" (16 MiB),
                            "experimental" (1 GiB)
    tcp_congestion          congestion control by name, from stack.tcp.congestion.ALGORITHMS: cubic
                            (RFC 9438), reno (RFC 5681), compound, ledbat, bbr
    tcp_pacing              spread what a congestion window allows over the round trip: two windows
                            per round trip in slow start, 1.2 later.  BBR paces in any case
    tcp_initial_window      initial congestion window in segments (RFC 6928)
    tcp_rto_initial         before the first measurement (RFC 6298 2.1)
    tcp_rto_min, tcp_rto_max  bounds.  RFC 6298 2.4 asks for 1 s at least; like every stack in
                            use we take 200 ms, which RFC 8961 has made respectable
    tcp_delayed_ack         longest delay of an ACK, below 500 ms (RFC 9293 MUST-40)
    tcp_user_timeout        R2: data unacknowledged for so long ends the connection (SHLD-11:
                            100 s at least)
    tcp_user_timeout_option tell the peer, and be as patient as he would be (RFC 5482)
    tcp_user_timeout_low, tcp_user_timeout_high  bounds of what comes of that (RFC 5482 3.1)
    tcp_syn_timeout         R2 of a SYN (MUST-23: 3 minutes at least)
    tcp_syn_ack_retries     retransmissions of a SYN-ACK to a peer that vanished
    tcp_time_wait           2*MSL.  RFC 9293 takes an MSL of 2 minutes and allows less: 30 s
    tcp_time_wait_limit     TIME-WAIT records kept; the oldest gives way
    tcp_backlog             connections of one listener in handshake, and as many waiting to be
                            accepted
    tcp_connection_limit    connections of the whole stack
    tcp_keepalive_time      silence before a keep-alive probe, where one is asked for (MUST-28: 2 h)
    tcp_keepalive_interval, tcp_keepalive_count  between probes, and how many unanswered ones end
                            the connection (MUST-29: more than one)
    tcp_keepalive_garbage   a probe carries one octet, for peers that answer to nothing less (MAY-6)
    tcp_challenge_rate      challenge ACKs per second and connection (RFC 5961 10)
    tcp_reorder_limit       out-of-order ranges held per connection
    tcp_reorder_memory      octets held out of order by all connections together
    tcp_scoreboard_limit    spans in flight beyond which a peer's SACK blocks are not looked at
    tcp_timestamps, tcp_sack, tcp_window_scaling   offer the option (RFC 7323, RFC 2018)
    tcp_strict_timestamps   drop a segment without one where timestamps were agreed on (RFC 7323
                            3.2, a SHOULD); off lets it pass, as Linux does
    tcp_rack                loss detection by time and tail loss probes (RFC 8985), with SACK
    tcp_mss_clamp           the largest MSS announced and used, whatever interface and path allow
                            (RFC 9293 3.7.1), 48 at least
    tcp_black_hole_detection   try a smaller path MTU when full segments keep vanishing (RFC 4821)
    tcp_mtu_probing         find the path MTU by larger segments now and then (RFC 4821): "always"
                            begins at the base, "black-hole" once full segments have vanished,
                            "off" never.  Linux calls them 2, 1 and 0
    tcp_base_mss            the MSS that probing begins with: 1024, less for what is in the way
                            (RFC 4821 7.2).  IPv6 begins with 1280 octets at least
    tcp_mtu_probe_floor     the MSS that is tried when even the base vanishes: 536 (RFC 9293's
                            default); packets of IPv6 never go below 1280
    tcp_mtu_probe_interval  a finished search is believed for so long (RFC 4821 7.3: 10 minutes)
    tcp_connect_errors      ICMP errors that end an attempt to connect: "hard" (RFC 1122 4.2.3.9),
                            "all" (soft ones too, RFC 5461 4.1), "none" (RFC 5927 5.2)
    tcp_pended_syns         SYNs of one listener that wait for a conditional accept (wsk.md 3.5)
    tcp_pended_syn_time     one that has not been sent again for so long is forgotten: a peer who
                            has not given up doubles his time-out up to a minute (RFC 6298)
    tcp_syn_cookies         answer SYNs beyond the backlog without keeping state (RFC 4987 3.6)
    tcp_fast_open           data in SYNs (RFC 7413), where both users ask for it
    tcp_fast_open_cache     servers of which a cookie is remembered
    tcp_frto                find spurious time-outs by two new segments (RFC 5682)
    tcp_ecn                 explicit congestion notification: "on" asks for the classic kind (RFC
                            3168), "accurate" for the one that counts (RFC 9768), "passive"
                            agrees to what it is asked for, "off" does neither
    tcp_estats              count what RFC 4898 wants counted, per connection
    tcp_fast_path           header prediction; off sends every segment through every step

    Names

    dns_servers             addresses of recursive name servers, the preferred one first, eight at
                            most; a link-local one with %index
    dns_search              domains tried behind a name that is not absolute, sixteen at most; the
                            first is the local domain
    dns_ndots               a name with so many dots is tried as it is before the domains
    dns_hosts               the text of a hosts file; its names are never asked for
    dns_timeout             a server's time for its first answer, doubled every round (RFC 1035
                            4.2.1, RFC 1536 1)
    dns_attempts            rounds through the servers
    dns_tcp_timeout         a server's time for an answer by TCP, connecting included (RFC 7766)
    dns_edns_size           octets of a UDP answer that are asked for (RFC 6891, RFC 9715): 1232
    dns_max_ttl             an answer is kept no longer (RFC 2181 8)
    dns_negative_ttl        nor "there is none" (RFC 2308 5)
    dns_failure_ttl         nor "nobody answers" (RFC 9520 3.2: 1 s at least)
    dns_cache_limit         answers kept; the oldest gives way
    dns_lookup_limit        lookups of all users at once

    Addresses from the network (`Compartment.autoconf4`)

    dhcp_duid               who this host is to DHCP servers of both families (RFC 8415 11), 3 to
                            130 octets; empty: made of the first interface's hardware address
    dhcp4_client_id         the client identifier instead of RFC 4361's, 2 to 255 octets.  One for
                            all interfaces: only for hosts that have but one
    dhcp4_hostname          a name for the server to know this host by (option 12), 63 octets at
                            most; empty: none is sent
    dhcp4_initial_delay     the longest random wait before the first message, the shortest is a
                            tenth of it.  RFC 2131 4.4.1 wants 1 to 10 s; we take a second, since
                            the storms after a power cut that it fears come from many hosts
    dhcp4_offer_wait        how long offers of other servers are waited for after the first one;
                            0 takes the first
    dhcp4_lease_min         a lease of less is not taken
    dhcp4_decline_wait      pause after an address turned out to be taken (RFC 2131 3.1.5: 10 s at
                            least)
    dhcp4_mtu_min           a server's interface MTU below this is not believed.  RFC 2132 5.1
                            allows 68; less than 576 (RFC 791) is likelier a mistake, or a trick
    linklocal4              take a link-local address (RFC 3927) while there is no other
    linklocal4_delay        after so long without one
    linklocal4_linger       it stays so long, deprecated, once there is another (RFC 3927 1.9)
    Configuration from servers

    dhcp6                   DHCPv6 (RFC 8415): "auto" does what the M and O flags of router
                            advertisements hint at, "stateful" asks for addresses and everything
                            else, "stateless" for everything else, "off" nothing
    dhcp6_rapid_commit      offer to take addresses in two messages instead of four (RFC 8415
                            18.2.1): good where there is one server
    dhcp6_reconfigure       let a server that gave us a key tell us to ask again (RFC 8415 20.4)
    dhcp6_refresh_max       what was got without addresses is asked for again after so long at the
                            latest, whatever the server says (RFC 8415 21.23): 600 s at least
    dhcp6_uuid              sixteen octets in hexadecimal, dashes or none, by which servers know
                            this host (RFC 6355); empty: by its first interface's address
    host_name               this host's name, one label.  Empty: it answers for no name
    llmnr                   speak LLMNR (RFC 4795): answer for the host name on every link, and ask
                            for names of one label that the DNS does not have.  Anybody on the link
                            can answer such questions as he likes
    mdns                    speak mDNS (RFC 6762): answer for host_name.local, and ask for .local
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

    port_low: int = 49152
    port_high: int = 65535
    udp_receive_buffer: int = 1 * MIB
    tcp_receive_buffer: int = 2 * MIB
    tcp_autotuning: str = "normal"
    tcp_congestion: str = "cubic"
    tcp_pacing: bool = False
    tcp_initial_window: int = 10
    tcp_rto_initial: int = 1 * SECOND
    tcp_rto_min: int = 200 * MS
    tcp_rto_max: int = 60 * SECOND
    tcp_delayed_ack: int = 40 * MS
    tcp_user_timeout: int = 120 * SECOND
    tcp_user_timeout_option: bool = False
    tcp_user_timeout_low: int = 100 * SECOND
    tcp_user_timeout_high: int = 3600 * SECOND
    tcp_syn_timeout: int = 180 * SECOND
    tcp_syn_ack_retries: int = 5
    tcp_time_wait: int = 60 * SECOND
    tcp_time_wait_limit: int = 16384
    tcp_backlog: int = 256
    tcp_mss_clamp: int = 0xFFFF
    tcp_black_hole_detection: bool = True
    tcp_mtu_probing: str = "off"
    tcp_base_mss: int = 1024
    tcp_mtu_probe_floor: int = 536
    tcp_mtu_probe_interval: int = 10 * MINUTE
    tcp_connect_errors: str = "hard"
    tcp_pended_syns: int = 256
    tcp_pended_syn_time: int = 2 * MINUTE
    tcp_syn_cookies: bool = True
    tcp_connection_limit: int = 65536
    tcp_keepalive_time: int = 7200 * SECOND
    tcp_keepalive_interval: int = 1 * SECOND
    tcp_keepalive_count: int = 10
    tcp_keepalive_garbage: bool = False
    tcp_challenge_rate: int = 10
    tcp_reorder_limit: int = 1024
    tcp_reorder_memory: int = 64 * MIB
    tcp_scoreboard_limit: int = 16384
    tcp_timestamps: bool = True
    tcp_sack: bool = True
    tcp_strict_timestamps: bool = True
    tcp_rack: bool = True
    tcp_fast_open: bool = True
    tcp_fast_open_cache: int = 1024
    tcp_frto: bool = True
    tcp_window_scaling: bool = True
    tcp_ecn: str = "passive"
    tcp_estats: bool = False
    tcp_fast_path: bool = True

    dns_servers: tuple[str, ...] = ()
    dns_search: tuple[str, ...] = ()
    dns_ndots: int = 1
    dns_hosts: str = ""
    dns_timeout: int = 1 * SECOND
    dns_attempts: int = 3
    dns_tcp_timeout: int = 5 * SECOND
    dns_edns_size: int = 1232
    dns_max_ttl: int = 86400 * SECOND
    dns_negative_ttl: int = 15 * MINUTE
    dns_failure_ttl: int = 1 * SECOND
    dns_cache_limit: int = 1024
    dns_lookup_limit: int = 256
    host_name: str = ""
    llmnr: bool = False
    mdns: bool = False

    dhcp_duid: bytes = b""
    dhcp4_client_id: bytes = b""
    dhcp4_hostname: str = ""
    dhcp4_initial_delay: int = 1 * SECOND
    dhcp4_offer_wait: int = 0
    dhcp4_lease_min: int = 10 * SECOND
    dhcp4_decline_wait: int = 10 * SECOND
    dhcp4_mtu_min: int = 576
    linklocal4: bool = True
    linklocal4_delay: int = 20 * SECOND
    linklocal4_linger: int = 60 * SECOND
    dhcp6: str = "auto"
    dhcp6_rapid_commit: bool = False
    dhcp6_reconfigure: bool = True
    dhcp6_refresh_max: int = 7 * 86400 * SECOND
    dhcp6_uuid: str = ""

    def __post_init__(self) -> None:
        """Refuse what could not work, naming the field."""
        for field, low, high in _BOUNDS:
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Config.{field} is {value}: it must be {low} .. {high}")
        if self.tcp_autotuning not in AUTOTUNING:
            levels = ", ".join(AUTOTUNING)
            raise ValueError(f"Config.tcp_autotuning is {self.tcp_autotuning!r}: {levels}")
        for field, names in _NAMES:
            if getattr(self, field) not in names:
                known = ", ".join(names)
                raise ValueError(f"Config.{field} is {getattr(self, field)!r}: {known}")
        self._check_addresses()
        if self.port_low > self.port_high:
            raise ValueError("Config.port_low is above Config.port_high")
        if self.dhcp6_uuid and not _is_uuid(self.dhcp6_uuid):
            raise ValueError(f"Config.dhcp6_uuid: {self.dhcp6_uuid!r} is no UUID")
        if self.host_name and not is_label(self.host_name):
            raise ValueError(f"Config.host_name: {self.host_name!r} is not one label of a name")
        for server in self.dns_servers:
            try:
                addr.parse(server)
            except ValueError:
                raise ValueError(f"Config.dns_servers: {server!r} is no address") from None
        for field, least, most in _IDENTITIES:
            size = len(getattr(self, field))
            if size and not least <= size <= most:
                raise ValueError(f"Config.{field} has {size} octets: {least} .. {most}, or none")
        if not self.dhcp4_hostname.isascii() or not self.dhcp4_hostname.isprintable():
            raise ValueError(f"Config.dhcp4_hostname: {self.dhcp4_hostname!r} is no host name")
        for field, most in (("dns_servers", 8), ("dns_search", 16)):
            if len(getattr(self, field)) > most:
                raise ValueError(f"Config.{field} has more than {most} entries")

    def _check_addresses(self) -> None:
        if 0 < len(self.stable_secret) < 16:
            raise ValueError("Config.stable_secret is too short: sixteen octets at least")
        if self.temporary_preferred >= self.temporary_valid:
            raise ValueError("Config.temporary_preferred must be below Config.temporary_valid")
        for text in self.temporary_exceptions:
            base, _, length = text.partition("/")
            _check_prefix("temporary_exceptions", base, int(length) if length.isdigit() else -1)
        for text, number, precedence, label in self.address_policy:
            _check_prefix("address_policy", text, number)
            if not (0 <= precedence < 256 and 0 <= label < 256):
                raise ValueError(f"Config.address_policy: {text}: numbers below 256, please")
        if not any(addr.parse(row[0]) == addr.ANY6 and not row[1] for row in self.address_policy):
            raise ValueError("Config.address_policy has no row for ::/0")


def _check_prefix(field: str, text: str, length: int) -> None:
    try:
        packed = addr.parse(text)
    except ValueError:
        raise ValueError(f"Config.{field}: {text!r} is no address") from None
    if not 0 <= length <= len(packed) * 8:
        raise ValueError(f"Config.{field}: {text} has no prefix length of {length}")


def _is_uuid(text: str) -> bool:
    """Sixteen octets in hexadecimal, however they are grouped by dashes."""
    digits = text.replace("-", "")
    return len(digits) == 32 and all(digit in "0123456789abcdefABCDEF" for digit in digits)


def is_label(text: str) -> bool:
    """`text` can be a host's name: letters, digits and hyphens inside (RFC 1123 2.1), and not
    digits alone."""
    sound = 0 < len(text) <= 63 and text.isascii() and text.replace("-", "a").isalnum()
    return sound and text[0] != "-" and text[-1] != "-" and not text.isdigit()


ECN: Final = ("off", "passive", "on", "accurate")

AUTOTUNING: Final = {
    "disabled": 0,
    "highlyrestricted": 0xFFFF << 2,
    "restricted": 0xFFFF << 4,
    "normal": 0xFFFF << 8,
    "experimental": 0xFFFF << 14,
}
"""The most that a receive window grows to, by level: what its field can say with a scale of 2, 4,
8 and 14.  0 is `Config.tcp_receive_buffer`."""

_IDENTITIES = (("dhcp_duid", 3, 130), ("dhcp4_client_id", 2, 255), ("dhcp4_hostname", 1, 63))
_NAMES = (
    ("igmp_version", ("auto", "1", "2", "3")),
    ("mld_version", ("auto", "1", "2")),
    ("conflict_policy", ("abandon", "defend", "insist")),
    ("slaac_ids", ("opaque", "eui64")),
    ("link_local_ids", ("opaque", "eui64")),
    ("tcp_ecn", ECN),
    ("tcp_mtu_probing", ("off", "black-hole", "always")),
    ("tcp_connect_errors", ("none", "hard", "all")),
    ("dhcp6", ("off", "auto", "stateless", "stateful")),
)
_BOUNDS = (
    ("tcp_mss_clamp", 48, 0xFFFF),
    ("tcp_base_mss", 48, 0xFFFF),
    ("tcp_mtu_probe_floor", 48, 0xFFFF),
    ("tcp_mtu_probe_interval", 1, 1 << 62),
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
    ("path_limit", 16, 1 << 20),
    ("multicast_robustness", 1, 7),
    ("multicast_group_limit", 1, 1 << 16),
    ("multicast_source_limit", 1, 1 << 12),
    ("port_low", 1, 65535),
    ("port_high", 1, 65535),
    ("reassembly_limit", 1, 1 << 20),
    ("reassembly_source_limit", 1, 1 << 20),
    ("reassembly_fragments", 2, 8192),
    ("reassembly_memory", 64 * KIB, 1 << 40),
    ("udp_receive_buffer", 1, 1 << 40),
    ("tcp_receive_buffer", 1, 1 << 30),
    ("tcp_initial_window", 1, 1000),
    ("tcp_delayed_ack", 0, 500 * MS - 1),
    ("tcp_rto_min", 1, 60 * SECOND),
    ("tcp_backlog", 1, 1 << 20),
    ("tcp_pended_syns", 1, 1 << 20),
    ("tcp_pended_syn_time", 1, 1 << 62),
    ("tcp_fast_open_cache", 1, 1 << 20),
    ("tcp_keepalive_time", MS, 1 << 62),
    ("tcp_keepalive_interval", MS, 1 << 62),
    ("tcp_keepalive_count", 2, 255),
    ("tcp_challenge_rate", 1, 1 << 20),
    ("tcp_reorder_limit", 1, 1 << 20),
    ("dns_ndots", 0, 15),
    ("dns_timeout", MS, 60 * SECOND),
    ("dns_attempts", 1, 10),
    ("dns_tcp_timeout", MS, 60 * SECOND),
    ("dns_edns_size", 512, 4096),
    ("dns_max_ttl", 0, 7 * 86400 * SECOND),
    ("dns_negative_ttl", 0, 3 * 3600 * SECOND),
    ("dns_failure_ttl", 1 * SECOND, 300 * SECOND),
    ("dns_cache_limit", 1, 1 << 20),
    ("dns_lookup_limit", 1, 1 << 16),
    ("dhcp4_initial_delay", 0, 60 * SECOND),
    ("dhcp4_offer_wait", 0, 10 * SECOND),
    ("dhcp4_lease_min", 1 * SECOND, 3600 * SECOND),
    ("dhcp4_decline_wait", 10 * SECOND, 3600 * SECOND),
    ("dhcp4_mtu_min", 68, 1500),
    ("linklocal4_delay", 0, 3600 * SECOND),
    ("linklocal4_linger", 0, 86400 * SECOND),
    ("dhcp6_refresh_max", 600 * SECOND, 1 << 62),
)
