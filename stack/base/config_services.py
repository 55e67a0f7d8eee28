# SPDX-License-Identifier: MIT
"""Floor 0: the knobs of names and of configuration by servers.  The third part of `config`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base.config_transport import TransportConfig
from stack.base.units import MINUTE, MS, SECOND


# Only `Config` is ever made: methods here would cost every import time for nothing.
@dataclass(init=False, repr=False, eq=False, frozen=True, slots=True, kw_only=True)
class ServiceConfig(TransportConfig):
    """Names and servers.

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

    Configuration from servers (`Compartment.autoconf4`, `Compartment.dhcp6`)

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
    dhcp6                   DHCPv6 (RFC 8415): "auto" does what the M and O flags of router
                            advertisements hint at, "stateful" asks for addresses and everything
                            else, "stateless" for everything else, "off" nothing
    dhcp6_rapid_commit      offer to take addresses in two messages instead of four (RFC 8415
                            18.2.1): good where there is one server
    dhcp6_reconfigure       let a server that gave us a key tell us to ask again (RFC 8415 20.4)
    dhcp6_refresh_max       what was got without addresses is asked for again after so long at the
                            latest, whatever the server says (RFC 8415 21.23): 600 s at least
    """

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


IDENTITIES: Final = (("dhcp_duid", 3, 130), ("dhcp4_client_id", 2, 255), ("dhcp4_hostname", 1, 63))
"""Octets that they may have, if any."""
NAMES: Final = (("dhcp6", ("off", "auto", "stateless", "stateful")),)
BOUNDS: Final = (
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
