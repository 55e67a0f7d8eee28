# SPDX-License-Identifier: MIT
"""Floor 0: the knobs of TCP and UDP.  The second part of `config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base.config_ip import IpConfig
from stack.base.units import MIB, MINUTE, MS, SECOND

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


# Only `Config` is ever made: methods here would cost every import time for nothing.
@dataclass(init=False, repr=False, eq=False, frozen=True, slots=True, kw_only=True)
class TransportConfig(IpConfig):
    """Transports.

    port_low, port_high     ephemeral ports, both ends included (RFC 6335)
    shard, shards           this stack is number `shard`, from 0, of so many that are one host
                            together: ephemeral ports and IPv4 identifications are divided
    udp_receive_buffer      octets of datagrams waiting for one UDP or raw endpoint; as many
                            super-frames as are read in one turn should fit
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
    tcp_joint_acks          ordinary ACKs that arrive in one turn are taken together, by the last
    """

    port_low: int = 49152
    port_high: int = 65535
    shard: int = 0
    shards: int = 1
    udp_receive_buffer: int = 4 * MIB
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
    tcp_joint_acks: bool = True


NAMES: Final = (
    ("tcp_ecn", ECN),
    ("tcp_mtu_probing", ("off", "black-hole", "always")),
    ("tcp_connect_errors", ("none", "hard", "all")),
    ("tcp_autotuning", tuple(AUTOTUNING)),
)
BOUNDS: Final = (
    ("tcp_mss_clamp", 48, 0xFFFF),
    ("tcp_base_mss", 48, 0xFFFF),
    ("tcp_mtu_probe_floor", 48, 0xFFFF),
    ("tcp_mtu_probe_interval", 1, 1 << 62),
    ("port_low", 1, 65535),
    ("port_high", 1, 65535),
    ("shards", 1, 256),
    ("shard", 0, 255),
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
)
