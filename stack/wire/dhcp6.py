# SPDX-License-Identifier: MIT
"""Floor 1: what DHCPv6 messages between client and server consist of (RFC 8415 7, 21): the numbers,
and a record for each part.  `dhcp6_codec` reads and writes them.

Used by `services/dhcp6`.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr

CLIENT_PORT: Final = 546
SERVER_PORT: Final = 547
ALL_SERVERS: Final = addr.parse("ff02::1:2")
"""All_DHCP_Relay_Agents_and_Servers (7.1)."""

# Messages (7.3).
SOLICIT: Final = 1
ADVERTISE: Final = 2
REQUEST: Final = 3
CONFIRM: Final = 4
RENEW: Final = 5
REBIND: Final = 6
REPLY: Final = 7
RELEASE: Final = 8
DECLINE: Final = 9
RECONFIGURE: Final = 10
INFORMATION_REQUEST: Final = 11
RELAY_FORWARD: Final = 12
RELAY_REPLY: Final = 13

KIND_NAMES: Final = (
    "nothing",
    "solicit",
    "advertise",
    "request",
    "confirm",
    "renew",
    "rebind",
    "reply",
    "release",
    "decline",
    "reconfigure",
    "information-request",
    "relay-forward",
    "relay-reply",
)

# Options (21).
OPT_CLIENT_ID: Final = 1
OPT_SERVER_ID: Final = 2
OPT_IA_NA: Final = 3
OPT_IA_ADDRESS: Final = 5
OPT_REQUEST: Final = 6
OPT_PREFERENCE: Final = 7
OPT_ELAPSED_TIME: Final = 8
OPT_AUTH: Final = 11
OPT_STATUS: Final = 13
OPT_RAPID_COMMIT: Final = 14
OPT_RECONFIGURE: Final = 19
OPT_RECONFIGURE_ACCEPT: Final = 20
OPT_NAME_SERVERS: Final = 23
OPT_DOMAINS: Final = 24
OPT_REFRESH_TIME: Final = 32
OPT_NTP: Final = 56
OPT_SOL_MAX_RT: Final = 82
OPT_INF_MAX_RT: Final = 83

# Status codes (21.13).
SUCCESS: Final = 0
UNSPEC_FAIL: Final = 1
NO_ADDRS_AVAIL: Final = 2
NO_BINDING: Final = 3
NOT_ON_LINK: Final = 4
USE_MULTICAST: Final = 5

"""A lifetime, T1, T2 or refresh time that never ends."""
ABSENT: Final = -1
"""The value of a number whose option is not there."""

OPTION_LIMIT: Final = 64
"""Options in one message, or inside one option.  A message with more is not read."""
IA_LIMIT: Final = 8
"""Identity associations kept of a message."""
ADDRESS_LIMIT: Final = 16
"""Addresses kept of an association, and name servers and the like of a list."""
DUID_MIN: Final = 3
DUID_MAX: Final = 130  # the type, and 1 .. 128 octets (11.1)
TEXT_LIMIT: Final = 128
"""Characters kept of the text of a status."""


class IaAddress:
    """One address of an identity association; lifetimes in seconds (21.6)."""

    __slots__ = ("address", "preferred", "status", "valid")

    def __init__(self, address: bytes, preferred: int, valid: int, status: int = ABSENT) -> None:
        self.address = address
        self.preferred = preferred
        self.valid = valid
        self.status = status


class Ia:
    """An identity association for non-temporary addresses; times in seconds (21.4)."""

    __slots__ = ("addresses", "iaid", "status", "t1", "t2")

    def __init__(self, iaid: int, t1: int = 0, t2: int = 0, status: int = ABSENT) -> None:
        self.iaid = iaid
        self.t1 = t1
        self.t2 = t2
        self.status = status
        self.addresses: list[IaAddress] = []


class Auth:
    """An authentication option (21.11)."""

    __slots__ = ("algorithm", "at", "information", "protocol", "rdm", "replay")

    def __init__(
        self, protocol: int, algorithm: int, rdm: int, replay: int, information: bytes
    ) -> None:
        self.protocol = protocol
        self.algorithm = algorithm
        self.rdm = rdm
        self.replay = replay
        self.information = information
        self.at = 0  # where the information starts, counted from the message's first octet


class Message:
    """One message.  Numbers are ABSENT, octets and lists empty, where there is no such option."""

    __slots__ = (
        "associations",
        "auth",
        "client",
        "domains",
        "elapsed",
        "inf_max_rt",
        "kind",
        "name_servers",
        "ntp_servers",
        "preference",
        "rapid_commit",
        "reconfigure",
        "reconfigure_accept",
        "refresh_time",
        "server",
        "sol_max_rt",
        "status",
        "text",
        "transaction",
        "wanted",
    )

    def __init__(self, kind: int, transaction: int) -> None:
        self.kind = kind
        self.transaction = transaction
        self.client = b""
        self.server = b""
        self.associations: list[Ia] = []
        self.wanted: tuple[int, ...] = ()  # codes of the option request
        self.preference = ABSENT
        self.elapsed = ABSENT  # hundredths of a second
        self.auth: Auth | None = None
        self.status = ABSENT
        self.text = ""  # of the status, for people
        self.rapid_commit = False
        self.reconfigure = ABSENT  # the message a client is to answer with
        self.reconfigure_accept = False
        self.name_servers: list[bytes] = []
        self.domains: list[str] = []
        self.refresh_time = ABSENT
        self.ntp_servers: list[bytes] = []
        self.sol_max_rt = ABSENT
        self.inf_max_rt = ABSENT

    @property
    def failed(self) -> bool:
        """There is a status, and it is none of success."""
        return self.status > SUCCESS
