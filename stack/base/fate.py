# SPDX-License-Identifier: MIT
"""Floor 0: the one drop door.  Every packet the stack discards passes `DropDoor.drop`.

A drop has a named reason with a counter.  "It never arrived" is thereby always answerable,
and a test can demand that a malformed frame met exactly one named fate.  Nothing here
raises, whatever the packet looks like.
"""

from __future__ import annotations

from typing import Final

from stack.base.packet import Packet
from stack.base.seam import Env

_names: list[str] = ["delivered"]


def _reason(name: str) -> int:
    _names.append(name)
    return len(_names) - 1


DELIVERED: Final = 0
"""Not a drop: what a check returns when it has no objection."""

# link
FRAME_SHORT: Final = _reason("frame_short")
FRAME_OTHER_HOST: Final = _reason("frame_other_host")
FRAME_SOURCE_INVALID: Final = _reason("frame_source_invalid")
FRAME_LENGTH_FIELD: Final = _reason("frame_length_field")  # 802.3 instead of Ethernet II
ETHERTYPE_UNKNOWN: Final = _reason("ethertype_unknown")
VNET_INVALID: Final = _reason("vnet_invalid")
ARP_MALFORMED: Final = _reason("arp_malformed")
ARP_SENDER_INVALID: Final = _reason("arp_sender_invalid")
ARP_NOT_FOR_US: Final = _reason("arp_not_for_us")
NEIGHBOR_QUEUE_FULL: Final = _reason("neighbor_queue_full")
NEIGHBOR_FAILED: Final = _reason("neighbor_failed")
NEIGHBOR_TABLE_FULL: Final = _reason("neighbor_table_full")
NEIGHBOR_RATE: Final = _reason("neighbor_rate")  # too many to be resolved in a second
DEVICE_FULL: Final = _reason("device_full")

# network
IP_SHORT: Final = _reason("ip_short")
IP_VERSION: Final = _reason("ip_version")
IP_HEADER_LENGTH: Final = _reason("ip_header_length")
IP_TOTAL_LENGTH: Final = _reason("ip_total_length")
IP_TRUNCATED: Final = _reason("ip_truncated")  # the frame holds less than the header says
IP_CHECKSUM: Final = _reason("ip_checksum")
IP_SOURCE_INVALID: Final = _reason("ip_source_invalid")
IP_DESTINATION_INVALID: Final = _reason("ip_destination_invalid")
IP_NOT_LOCAL: Final = _reason("ip_not_local")
IP_TENTATIVE: Final = _reason("ip_tentative")
IP_DISABLED: Final = _reason("ip_disabled")  # RFC 4862 5.4.5
IP_LINK_BROADCAST: Final = _reason("ip_link_broadcast")  # unicast IP in a broadcast frame
FORWARD_ADDRESS: Final = _reason("forward_address")  # never crosses a router
FORWARD_SCOPE: Final = _reason("forward_scope")  # a link-local source
FORWARD_HOPS: Final = _reason("forward_hops")
FORWARD_NO_ROUTE: Final = _reason("forward_no_route")
FORWARD_TOO_BIG: Final = _reason("forward_too_big")
FORWARD_HEADERS: Final = _reason("forward_headers")  # a super-frame that cannot be cut
IP_OPTION_MALFORMED: Final = _reason("ip_option_malformed")
IP_SOURCE_ROUTE: Final = _reason("ip_source_route")
IP_PROTOCOL_UNKNOWN: Final = _reason("ip_protocol_unknown")
IP_NO_NEXT_HEADER: Final = _reason("ip_no_next_header")
EXT_MALFORMED: Final = _reason("ext_malformed")
EXT_ORDER: Final = _reason("ext_order")
EXT_OPTION_UNKNOWN: Final = _reason("ext_option_unknown")
EXT_ROUTING: Final = _reason("ext_routing")
EXT_TOO_MANY: Final = _reason("ext_too_many")
EXT_TOO_LONG: Final = _reason("ext_too_long")  # all of them together
EXT_PADDING: Final = _reason("ext_padding")  # RFC 8504 5.3, where that is configured
EXT_JUMBO: Final = _reason("ext_jumbo")  # RFC 2675 is not done
FRAGMENT_MALFORMED: Final = _reason("fragment_malformed")
FRAGMENT_TOO_LONG: Final = _reason("fragment_too_long")
FRAGMENT_OVERLAP: Final = _reason("fragment_overlap")
FRAGMENT_DUPLICATE: Final = _reason("fragment_duplicate")
FRAGMENT_ECN: Final = _reason("fragment_ecn")  # RFC 3168 5.3
FRAGMENT_TIMEOUT: Final = _reason("fragment_timeout")
FRAGMENT_TOO_MANY: Final = _reason("fragment_too_many")  # of one datagram
FRAGMENT_TABLE_FULL: Final = _reason("fragment_table_full")
FRAGMENT_HEADERS: Final = _reason("fragment_headers")  # RFC 7112
ICMP_SHORT: Final = _reason("icmp_short")
ICMP_CHECKSUM: Final = _reason("icmp_checksum")
ICMP_TYPE_UNKNOWN: Final = _reason("icmp_type_unknown")
ICMP_DEPRECATED: Final = _reason("icmp_deprecated")  # RFC 6633, RFC 6918
ICMP_MTU_INVALID: Final = _reason("icmp_mtu_invalid")  # below what every link has
ICMP_ERROR_GROUP: Final = _reason("icmp_error_group")  # an error sent to a group
ICMP_QUOTE_INVALID: Final = _reason("icmp_quote_invalid")
ICMP_ECHO_GROUP: Final = _reason("icmp_echo_group")  # echo request to broadcast
ICMP_REPLY_UNEXPECTED: Final = _reason("icmp_reply_unexpected")
ICMP_FRAGMENTED: Final = _reason("icmp_fragmented")
NDP_MALFORMED: Final = _reason("ndp_malformed")
NDP_HOP_LIMIT: Final = _reason("ndp_hop_limit")
NDP_NOT_FOR_US: Final = _reason("ndp_not_for_us")
NDP_NOT_FOR_HOSTS: Final = _reason("ndp_not_for_hosts")
NDP_UNKNOWN_NEIGHBOR: Final = _reason("ndp_unknown_neighbor")
MULTICAST_MEMBERSHIP: Final = _reason("multicast_membership")  # IGMP or MLD, which is off here
MEMBERSHIP_MALFORMED: Final = _reason("membership_malformed")
MEMBERSHIP_CHECKSUM: Final = _reason("membership_checksum")
MEMBERSHIP_OFF_LINK: Final = _reason("membership_off_link")  # TTL not 1, not link-local
MEMBERSHIP_NO_ALERT: Final = _reason("membership_no_alert")  # a query without router alert
MEMBERSHIP_DESTINATION: Final = _reason("membership_destination")
MEMBERSHIP_VERSION: Final = _reason("membership_version")  # older than the only one we speak
MEMBERSHIP_NOT_FOR_HOSTS: Final = _reason("membership_not_for_hosts")
MEMBERSHIP_TYPE: Final = _reason("membership_type")
NDP_OWN_LLADDR: Final = _reason("ndp_own_lladdr")  # somebody with our MAC address
NDP_SOURCE: Final = _reason("ndp_source")  # no router's: not link-local
RA_REFUSED: Final = _reason("ra_refused")  # not wanted on this interface
RA_TOO_MANY_ROUTERS: Final = _reason("ra_too_many_routers")
RA_TOO_MANY_PREFIXES: Final = _reason("ra_too_many_prefixes")  # some of them were taken
RA_TOO_MANY_ROUTES: Final = _reason("ra_too_many_routes")  # likewise
REDIRECT_REFUSED: Final = _reason("redirect_refused")  # not wanted on this interface
REDIRECT_INVALID: Final = _reason("redirect_invalid")
REDIRECT_NOT_FIRST_HOP: Final = _reason("redirect_not_first_hop")

# transport
UDP_SHORT: Final = _reason("udp_short")
UDP_LENGTH: Final = _reason("udp_length")
UDP_SUPER_FRAME: Final = _reason("udp_super_frame")  # TCP's, or with less than one segment
UDP_CHECKSUM: Final = _reason("udp_checksum")
UDP_NO_CHECKSUM: Final = _reason("udp_no_checksum")  # zero over IPv6
UDP_PORT_ZERO: Final = _reason("udp_port_zero")
UDP_NO_PORT: Final = _reason("udp_no_port")
UDP_QUEUE_FULL: Final = _reason("udp_queue_full")
RAW_QUEUE_FULL: Final = _reason("raw_queue_full")
RAW_CHECKSUM: Final = _reason("raw_checksum")
UDP_FILTERED: Final = _reason("udp_filtered")  # not from the fixed remote address
UDP_NOT_MEMBER: Final = _reason("udp_not_member")  # of the group, or not from this source
TCP_SHORT: Final = _reason("tcp_short")
TCP_HEADER_LENGTH: Final = _reason("tcp_header_length")
TCP_CHECKSUM: Final = _reason("tcp_checksum")
TCP_GROUP: Final = _reason("tcp_group")  # multicast or broadcast
TCP_PORT_ZERO: Final = _reason("tcp_port_zero")
TCP_NO_PORT: Final = _reason("tcp_no_port")
TCP_FLAGS: Final = _reason("tcp_flags")
TCP_BACKLOG_FULL: Final = _reason("tcp_backlog_full")
TCP_PAWS: Final = _reason("tcp_paws")
TCP_NO_TIMESTAMP: Final = _reason("tcp_no_timestamp")
TCP_WINDOW: Final = _reason("tcp_window")  # unacceptable sequence number
TCP_RST_INVALID: Final = _reason("tcp_rst_invalid")
TCP_SYN_IN_WINDOW: Final = _reason("tcp_syn_in_window")
TCP_ACK_INVALID: Final = _reason("tcp_ack_invalid")
TCP_NO_ACK: Final = _reason("tcp_no_ack")
TCP_AFTER_FIN: Final = _reason("tcp_after_fin")
TCP_QUEUE_FULL: Final = _reason("tcp_queue_full")
TCP_TIME_WAIT: Final = _reason("tcp_time_wait")
TCP_SILENT: Final = _reason("tcp_silent")  # the user silenced the connection
TCP_MEMORY: Final = _reason("tcp_memory")  # the connection table is full

# services
DHCP4_MALFORMED: Final = _reason("dhcp4_malformed")  # no DHCP reply at all
DHCP4_NOT_FOR_US: Final = _reason("dhcp4_not_for_us")  # another client's, or transaction's
DHCP4_UNEXPECTED: Final = _reason("dhcp4_unexpected")  # not in this state, not of this server
DHCP4_INVALID: Final = _reason("dhcp4_invalid")  # without what it must have, or nonsensical
DHCP6_NO_CLIENT: Final = _reason("dhcp6_no_client")  # on the interface it came in on
DHCP6_NOT_UNICAST: Final = _reason("dhcp6_not_unicast")
DHCP6_MALFORMED: Final = _reason("dhcp6_malformed")
DHCP6_KIND: Final = _reason("dhcp6_kind")  # not one that servers send to clients
DHCP6_SERVER_ID: Final = _reason("dhcp6_server_id")  # there is none
DHCP6_CLIENT_ID: Final = _reason("dhcp6_client_id")  # there is none, or it is another's
DHCP6_TRANSACTION: Final = _reason("dhcp6_transaction")  # it answers nothing that was asked
DHCP6_RAPID_COMMIT: Final = _reason("dhcp6_rapid_commit")  # a Reply to Solicit without
DHCP6_NO_ADDRESSES: Final = _reason("dhcp6_no_addresses")  # an Advertise that offers nothing
DHCP6_NO_ASSOCIATION: Final = _reason("dhcp6_no_association")  # a Reply without ours
DHCP6_RECONFIGURE: Final = _reason("dhcp6_reconfigure")  # to something that cannot be
DHCP6_BUSY: Final = _reason("dhcp6_busy")  # Reconfigure during an exchange
DHCP6_AUTHENTICATION: Final = _reason("dhcp6_authentication")  # none, wrong, or an old one

NAMES: Final = tuple(_names)


class DropDoor:
    """Counts, and tells the trace, every packet that ends here."""

    __slots__ = ("_env", "counts")

    def __init__(self, env: Env) -> None:
        self._env = env
        self.counts = [0] * len(NAMES)

    def drop(self, pkt: Packet, reason: int, count: int = 1) -> None:
        """`pkt` ends here for `reason`, or `count` datagrams of it if it is a super-frame."""
        self.counts[reason] += count
        trace = self._env.trace
        if trace is not None:
            trace.dropped(reason, pkt.frame, pkt.net)

    def drop_frame(self, frame: bytes, reason: int) -> None:
        """The same for something that never became a packet, or for an outgoing one."""
        self.counts[reason] += 1
        trace = self._env.trace
        if trace is not None:
            trace.dropped(reason, frame, 0)

    def snapshot(self) -> dict[str, int]:
        """The reasons that occurred, by name, with how often."""
        return {NAMES[i]: n for i, n in enumerate(self.counts) if n}
