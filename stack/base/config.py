# SPDX-License-Identifier: MIT
"""Floor 0: every knob of the stack, its unit, its default and where the default comes from.

One immutable record per stack, given to `Stack` at construction.  Times are nanoseconds,
sizes octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base import addr
from stack.base.units import KIB, MIB, MINUTE, MS, SECOND


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of one stack.

    IP

    hop_limit               TTL and hop limit of what we send, 1 .. 255 (RFC 1122 3.2.1.7)
    dad                     probe an address before using it (RFC 5227, RFC 4862 5.4).  Off
                            makes an address usable at once: right on a private wire
    weak_host               accept packets for an address of another interface, and send from one;
                            off is the strong host model (RFC 1122 3.3.4.2).  Per interface:
                            `IpInterface.weak_receive` and `weak_send`
    forwarding              pass packets for others on (RFC 1812, RFC 8200); per interface:
                            `IpInterface.forwarding`
    neighbor_limit          neighbours remembered per interface, 16 at least
    path_limit              destinations whose route is remembered
    reassembly_time         how long a datagram may be incomplete (RFC 8200 4.5, RFC 1122 3.3.2)
    reassembly_limit        incomplete datagrams held at once
    reassembly_memory       octets of fragments held at once
    icmp_error_rate         ICMP errors per second to everybody together (RFC 4443 2.4 f)
    icmp_error_burst        and how many at once
    icmp_host_rate          ICMP errors per second to one host
    icmp_host_burst         and how many at once
    extension_limit         IPv6 extension headers in one packet (RFC 8504 5.3)
    option_limit            options in one IPv6 options header (RFC 8504 5.3)
    echo_broadcast          answer echo requests to IPv4 broadcast and multicast (RFC 1122 3.2.2.6)
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
    host_name               this host's name, one label.  Empty: it answers for no name
    llmnr                   speak LLMNR (RFC 4795): answer for the host name on every link, and ask
                            for names of one label that the DNS does not have.  Anybody on the link
                            can answer such questions as he likes
    mdns                    speak mDNS (RFC 6762): answer for host_name.local, and ask for .local
    """

    hop_limit: int = 64
    dad: bool = True
    weak_host: bool = False
    forwarding: bool = False
    neighbor_limit: int = 1024
    path_limit: int = 4096
    reassembly_time: int = 60 * SECOND
    reassembly_limit: int = 256
    reassembly_memory: int = 4 * MIB
    icmp_error_rate: int = 1000
    icmp_error_burst: int = 100
    icmp_host_rate: int = 20
    icmp_host_burst: int = 20
    extension_limit: int = 8
    option_limit: int = 8
    echo_broadcast: bool = False
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
        if self.port_low > self.port_high:
            raise ValueError("Config.port_low is above Config.port_high")
        if self.host_name and not is_label(self.host_name):
            raise ValueError(f"Config.host_name: {self.host_name!r} is not one label of a name")
        for server in self.dns_servers:
            try:
                addr.parse(server)
            except ValueError:
                raise ValueError(f"Config.dns_servers: {server!r} is no address") from None
        for field, most in (("dns_servers", 8), ("dns_search", 16)):
            if len(getattr(self, field)) > most:
                raise ValueError(f"Config.{field} has more than {most} entries")


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

_NAMES = (
    ("tcp_ecn", ECN),
    ("tcp_mtu_probing", ("off", "black-hole", "always")),
    ("tcp_connect_errors", ("none", "hard", "all")),
)
_BOUNDS = (
    ("tcp_mss_clamp", 48, 0xFFFF),
    ("tcp_base_mss", 48, 0xFFFF),
    ("tcp_mtu_probe_floor", 48, 0xFFFF),
    ("tcp_mtu_probe_interval", 1, 1 << 62),
    ("hop_limit", 1, 255),
    ("neighbor_limit", 16, 1 << 20),
    ("path_limit", 16, 1 << 20),
    ("port_low", 1, 65535),
    ("port_high", 1, 65535),
    ("reassembly_limit", 1, 1 << 20),
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
)
