# SPDX-License-Identifier: MIT
"""Numbers of the WSK interface, as the public headers have them (wsk.md 0.3, 2.2, 3, 4, 5.5).

Flag values overlap: what a bit means depends on the function it is given to.
"""

from __future__ import annotations

from typing import Final

AF_UNSPEC: Final = 0
AF_INET: Final = 2
AF_INET6: Final = 23

SOCK_STREAM: Final = 1
SOCK_DGRAM: Final = 2
SOCK_RAW: Final = 3

IPPROTO_IP: Final = 0
IPPROTO_ICMP: Final = 1
IPPROTO_TCP: Final = 6
IPPROTO_UDP: Final = 17
IPPROTO_IPV6: Final = 41
IPPROTO_ICMPV6: Final = 58
IPPROTO_RAW: Final = 255

SOL_SOCKET: Final = 0xFFFF

# WskSocket
WSK_FLAG_BASIC_SOCKET: Final = 0x0
WSK_FLAG_LISTEN_SOCKET: Final = 0x1
WSK_FLAG_CONNECTION_SOCKET: Final = 0x2
WSK_FLAG_DATAGRAM_SOCKET: Final = 0x4
WSK_FLAG_STREAM_SOCKET: Final = 0x8

# WskSend
WSK_FLAG_OOB: Final = 0x1
WSK_FLAG_NODELAY: Final = 0x2
# WskReceive
WSK_FLAG_WAITALL: Final = 0x2
WSK_FLAG_DRAIN: Final = 0x4
# WskDisconnect, WskDisconnectEvent
WSK_FLAG_ABORTIVE: Final = 0x1
# WskReceiveEvent
WSK_FLAG_RELEASE_ASAP: Final = 0x2
WSK_FLAG_ENTIRE_MESSAGE: Final = 0x4
# any event
WSK_FLAG_AT_DISPATCH_LEVEL: Final = 0x8

# Control flags of received datagrams
MSG_TRUNC: Final = 0x100
MSG_CTRUNC: Final = 0x200
MSG_BCAST: Final = 0x400
MSG_MCAST: Final = 0x800

# Event mask
WSK_EVENT_SEND_BACKLOG: Final = 0x10
WSK_EVENT_RECEIVE: Final = 0x40
WSK_EVENT_DISCONNECT: Final = 0x80
WSK_EVENT_RECEIVE_FROM: Final = 0x100
WSK_EVENT_ACCEPT: Final = 0x200
WSK_EVENT_DISABLE: Final = 0x80000000

# WskControlSocket request types
WskSetOption: Final = 0
WskGetOption: Final = 1
WskIoctl: Final = 2

# WSK_INSPECT_ACTION
WskInspectReject: Final = 0
WskInspectAccept: Final = 1
WskInspectPend: Final = 2
WskInspectMax: Final = 3

# WskControlClient
WSK_TRANSPORT_LIST_QUERY: Final = 2
WSK_TRANSPORT_LIST_CHANGE: Final = 3
WSK_CACHE_SD: Final = 4
WSK_RELEASE_SD: Final = 5
WSK_TDI_DEVICENAME_MAPPING: Final = 6
WSK_SET_STATIC_EVENT_CALLBACKS: Final = 7
WSK_TDI_BEHAVIOR: Final = 8

# Options
SO_ACCEPTCONN: Final = 0x2
SO_REUSEADDR: Final = 0x4
SO_KEEPALIVE: Final = 0x8
SO_BROADCAST: Final = 0x20
SO_TYPE: Final = 0x1008
SO_WSK_EVENT_CALLBACK: Final = 0x4002
SO_EXCLUSIVEADDRUSE: Final = 0xFFFFFFFB
TCP_NODELAY: Final = 1
TCP_KEEPIDLE: Final = 3
TCP_MAXRT: Final = 5
TCP_FASTOPEN: Final = 15
TCP_KEEPCNT: Final = 16
TCP_KEEPINTVL: Final = 17
IPV6_V6ONLY: Final = 27

# WskGetAddressInfo: flags of hints, name spaces
AI_PASSIVE: Final = 0x1
AI_CANONNAME: Final = 0x2
AI_NUMERICHOST: Final = 0x4
AI_NUMERICSERV: Final = 0x8
AI_ALL: Final = 0x100
AI_ADDRCONFIG: Final = 0x400
AI_V4MAPPED: Final = 0x800
AI_FQDN: Final = 0x20000
NS_ALL: Final = 0
NS_DNS: Final = 12

# WskGetNameInfo
NI_NOFQDN: Final = 0x01
NI_NUMERICHOST: Final = 0x02
NI_NAMEREQD: Final = 0x04
NI_NUMERICSERV: Final = 0x08
NI_DGRAM: Final = 0x10
NI_MAXHOST: Final = 1025
NI_MAXSERV: Final = 32

# Waits of WskCaptureProviderNPI
WSK_NO_WAIT: Final = 0
WSK_INFINITE_WAIT: Final = 0xFFFFFFFF

NPI_WSK_INTERFACE_ID: Final = "2227E803-8D8B-11D4-ABAD-009027719E09"
"""Names the WSK interface where an NPI identifier is asked for."""


def MAKE_WSK_VERSION(Major: int, Minor: int) -> int:
    """(Major << 8) | Minor."""
    return (Major & 0xFF) << 8 | Minor & 0xFF


def WSK_MAJOR_VERSION(Version: int) -> int:
    """The high byte."""
    return Version >> 8 & 0xFF


def WSK_MINOR_VERSION(Version: int) -> int:
    """The low byte."""
    return Version & 0xFF
