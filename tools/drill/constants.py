# SPDX-License-Identifier: MIT
"""Names of constants and error numbers, with the values they have on Linux.

Only names are compared between a script and this interpreter, so the values matter only where
a script writes a number.
"""

from __future__ import annotations

import errno
import os
from typing import Final

CONSTANTS: Final[dict[str, int]] = {
    "AF_UNSPEC": 0, "AF_INET": 2, "AF_INET6": 10, "PF_INET": 2, "PF_INET6": 10,
    "SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3,
    "SOCK_NONBLOCK": 0o4000, "SOCK_CLOEXEC": 0o2000000,
    "IPPROTO_IP": 0, "IPPROTO_ICMP": 1, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41,
    "INADDR_ANY": 0,
    "SOL_SOCKET": 1, "SOL_IP": 0, "SOL_TCP": 6, "SOL_UDP": 17, "SOL_IPV6": 41,
    "SO_REUSEADDR": 2, "SO_TYPE": 3, "SO_ERROR": 4, "SO_DONTROUTE": 5, "SO_BROADCAST": 6,
    "SO_SNDBUF": 7, "SO_RCVBUF": 8, "SO_KEEPALIVE": 9, "SO_OOBINLINE": 10, "SO_NO_CHECK": 11,
    "SO_PRIORITY": 12, "SO_LINGER": 13, "SO_REUSEPORT": 15, "SO_RCVLOWAT": 18,
    "SO_SNDLOWAT": 19, "SO_RCVTIMEO": 20, "SO_SNDTIMEO": 21, "SO_TIMESTAMP": 29,
    "SO_ACCEPTCONN": 30, "SO_SNDBUFFORCE": 32, "SO_RCVBUFFORCE": 33, "SO_MARK": 36,
    "SO_TIMESTAMPING": 37, "SO_PROTOCOL": 38, "SO_DOMAIN": 39, "SO_BUSY_POLL": 46,
    "SO_MAX_PACING_RATE": 47, "SO_ZEROCOPY": 60, "SO_TXTIME": 61,
    "TCP_NODELAY": 1, "TCP_MAXSEG": 2, "TCP_CORK": 3, "TCP_NOPUSH": 3, "TCP_KEEPIDLE": 4,
    "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 6, "TCP_SYNCNT": 7, "TCP_LINGER2": 8,
    "TCP_DEFER_ACCEPT": 9, "TCP_WINDOW_CLAMP": 10, "TCP_INFO": 11, "TCP_QUICKACK": 12,
    "TCP_CONGESTION": 13, "TCP_MD5SIG": 14, "TCP_THIN_LINEAR_TIMEOUTS": 16,
    "TCP_USER_TIMEOUT": 18, "TCP_FASTOPEN": 23, "TCP_TIMESTAMP": 24,
    "TCP_NOTSENT_LOWAT": 25, "TCP_CC_INFO": 26, "TCP_SAVE_SYN": 27, "TCP_SAVED_SYN": 28,
    "TCP_FASTOPEN_CONNECT": 30, "TCP_FASTOPEN_KEY": 33, "TCP_INQ": 36, "TCP_TX_DELAY": 37,
    "IP_TOS": 1, "IP_TTL": 2, "IP_MTU_DISCOVER": 10, "IP_RECVERR": 11, "IP_MTU": 14,
    "IPV6_V6ONLY": 26, "IPV6_TCLASS": 67, "IPV6_UNICAST_HOPS": 16, "IPV6_MTU_DISCOVER": 23,
    "IPV6_RECVERR": 25, "IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2,
    "MSG_OOB": 1, "MSG_PEEK": 2, "MSG_DONTROUTE": 4, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40,
    "MSG_EOR": 0x80, "MSG_WAITALL": 0x100, "MSG_ERRQUEUE": 0x2000, "MSG_NOSIGNAL": 0x4000,
    "MSG_MORE": 0x8000, "MSG_ZEROCOPY": 0x4000000, "MSG_FASTOPEN": 0x20000000,
    "SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2,
    "F_GETFD": 1, "F_SETFD": 2, "F_GETFL": 3, "F_SETFL": 4,
    "O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_NONBLOCK": 0o4000,
    "POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 16, "POLLNVAL": 32,
    "POLLRDNORM": 64, "POLLRDBAND": 128, "POLLWRNORM": 256, "POLLWRBAND": 512,
    "POLLRDHUP": 0x2000,
    "FIONREAD": 0x541B, "SIOCINQ": 0x541B, "FIONBIO": 0x5421, "SIOCOUTQ": 0x5411,
    "SIOCOUTQNSD": 0x894B, "SOMAXCONN": 4096,
    "NULL": 0, "true": 1, "false": 0,
}  # fmt: skip

TCP_STATES: Final = {
    "TCP_ESTABLISHED": 1, "TCP_SYN_SENT": 2, "TCP_SYN_RECV": 3, "TCP_FIN_WAIT1": 4,
    "TCP_FIN_WAIT2": 5, "TCP_TIME_WAIT": 6, "TCP_CLOSE": 7, "TCP_CLOSE_WAIT": 8,
    "TCP_LAST_ACK": 9, "TCP_LISTEN": 10, "TCP_CLOSING": 11,
}  # fmt: skip
BSD_STATES: Final = {
    "CLOSED": "TCP_CLOSE", "LISTEN": "TCP_LISTEN", "SYN_SENT": "TCP_SYN_SENT",
    "SYN_RCVD": "TCP_SYN_RECV", "SYN_RECEIVED": "TCP_SYN_RECV", "ESTABLISHED": "TCP_ESTABLISHED",
    "CLOSE_WAIT": "TCP_CLOSE_WAIT", "FIN_WAIT_1": "TCP_FIN_WAIT1", "CLOSING": "TCP_CLOSING",
    "LAST_ACK": "TCP_LAST_ACK", "FIN_WAIT_2": "TCP_FIN_WAIT2", "TIME_WAIT": "TCP_TIME_WAIT",
}  # fmt: skip
CA_STATES: Final = {
    "TCP_CA_Open": 0, "TCP_CA_Disorder": 1, "TCP_CA_CWR": 2, "TCP_CA_Recovery": 3,
    "TCP_CA_Loss": 4,
}  # fmt: skip

_ALIASES: Final = {"EWOULDBLOCK": "EAGAIN", "ENOTSUP": "EOPNOTSUPP"}


def canonical(name: str) -> str:
    """Two names of one error become one."""
    return _ALIASES.get(name, name)


def is_errno(name: str) -> bool:
    """Is this the name of an error?"""
    return hasattr(errno, name)


def explain(name: str) -> str:
    """An error by name and in words."""
    number = getattr(errno, name, None)
    return name if number is None else f"{name} ({os.strerror(number)})"
