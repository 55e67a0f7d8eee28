# SPDX-License-Identifier: MIT
"""Floor 1: DHCP options for IPv4: their codes, and what those a client asks for contain.

Done: RFC 2132 (addresses, masks, numbers, static routes), RFC 3397 domain search with
compression, RFC 3442 classless static routes, RFC 4361 client identifiers.  A reader gives None
for a value that its RFC does not allow: the option is then as good as absent.

Called by `dhcp4` for the framing and by `services/dhcp4_lease` for the values.
"""

from __future__ import annotations

from typing import Final

SUBNET_MASK: Final = 1
ROUTER: Final = 3
NAME_SERVER: Final = 6
HOST_NAME: Final = 12
DOMAIN_NAME: Final = 15
INTERFACE_MTU: Final = 26
BROADCAST_ADDRESS: Final = 28
STATIC_ROUTE: Final = 33
REQUESTED_ADDRESS: Final = 50
LEASE_TIME: Final = 51
OVERLOAD: Final = 52
MESSAGE_TYPE: Final = 53
SERVER_ID: Final = 54
PARAMETER_LIST: Final = 55
MAXIMUM_SIZE: Final = 57
RENEWAL_TIME: Final = 58
REBINDING_TIME: Final = 59
CLIENT_ID: Final = 61
DOMAIN_SEARCH: Final = 119
CLASSLESS_ROUTES: Final = 121

# DHCP message types (RFC 2132 9.6).
DISCOVER: Final = 1
OFFER: Final = 2
REQUEST: Final = 3
DECLINE: Final = 4
ACK: Final = 5
NAK: Final = 6
RELEASE: Final = 7
INFORM: Final = 8

MESSAGE_NAMES: Final = {
    DISCOVER: "discover",
    OFFER: "offer",
    REQUEST: "request",
    DECLINE: "decline",
    ACK: "ack",
    NAK: "nak",
    RELEASE: "release",
    INFORM: "inform",
}

"""A lease time that never ends (RFC 2131 3.3)."""

_POINTER: Final = 0xC0
_NAMES: Final = 32
"""Domains of one search list that are read."""


def address(value: bytes | None) -> bytes | None:
    """One address."""
    return value if value is not None and len(value) == 4 else None


def addresses(value: bytes | None) -> list[bytes] | None:
    """One address or more, in order of preference (RFC 2132 3.5, 3.8)."""
    if not value or len(value) % 4:
        return None
    return [value[at : at + 4] for at in range(0, len(value), 4)]


def number(value: bytes | None, size: int) -> int | None:
    """An unsigned number of `size` octets."""
    if value is None or len(value) != size:
        return None
    return int.from_bytes(value, "big")


def prefix_length(value: bytes | None) -> int | None:
    """The length of a subnet mask (RFC 2132 3.3); None if its ones are not in one row."""
    mask = number(value, 4)
    if not mask:
        return None
    zeros = mask ^ 0xFFFFFFFF
    return None if zeros & (zeros + 1) else 32 - zeros.bit_length()


def static_routes(value: bytes | None) -> list[tuple[bytes, int, bytes]] | None:
    """(prefix, length, router) of option 33: whole classes of addresses (RFC 2132 5.8).

    The default route is illegal there.
    """
    if not value or len(value) % 8:
        return None
    routes = []
    for at in range(0, len(value), 8):
        destination, router = value[at : at + 4], value[at + 4 : at + 8]
        if any(destination):
            routes.append((destination, natural_length(destination), router))
    return routes


def natural_length(network: bytes) -> int:
    """The prefix length that an address or network had before there were masks (RFC 791 3.2).

    With bits beyond it the destination is a host.
    """
    first = network[0]
    length = 8 if first < 128 else 16 if first < 192 else 24
    return 32 if any(network[length // 8 :]) else length


def natural_mask(host: bytes) -> int:
    """The prefix length to assume for a host's own subnet when nobody says (RFC 950 2.2)."""
    return 8 if host[0] < 128 else 16 if host[0] < 192 else 24


def classless_routes(value: bytes | None) -> list[tuple[bytes, int, bytes]] | None:
    """(prefix, length, router) of option 121 (RFC 3442); router 0.0.0.0 means on the link.

    Bits of the destination beyond its mask are cleared, as RFC 3442 asks of clients.
    """
    if not value:
        return None
    routes = []
    at = 0
    while at < len(value):
        length = value[at]
        octets = (length + 7) // 8
        stop = at + 1 + octets + 4
        if length > 32 or stop > len(value):
            return None
        bits = int.from_bytes(value[at + 1 : at + 1 + octets].ljust(4, b"\0"), "big")
        keep = 0xFFFFFFFF << (32 - length) & 0xFFFFFFFF
        routes.append(((bits & keep).to_bytes(4, "big"), length, value[stop - 4 : stop]))
        at = stop
    return routes


def text(value: bytes | None) -> str | None:
    """NVT ASCII (RFC 2132 2): without the final NUL that some servers send."""
    stripped = (value or b"").rstrip(b"\0")
    if not stripped or any(not 32 <= octet < 127 for octet in stripped):
        return None
    return stripped.decode("ascii")


def domain_search(value: bytes | None) -> list[str] | None:
    """The names of option 119 (RFC 3397 2), compressed as in RFC 1035 4.1.4.

    Offsets count from the beginning of the option; only names that began before can be meant.
    """
    if not value:
        return None
    names: list[str] = []
    at = 0
    while at < len(value) and len(names) < _NAMES:
        found = _name(value, at)
        if found is None:
            return None
        name, at = found
        if name:
            names.append(name)
    return names


def _name(data: bytes, at: int) -> tuple[str, int] | None:
    """The name at `at`, and where the next one begins; None if malformed."""
    labels: list[str] = []
    limit = at  # a pointer leads before this, so the way is finite
    after = 0
    size = 0
    while at < len(data):
        count = data[at]
        if count == 0:
            return ".".join(labels), after or at + 1
        if count & _POINTER == _POINTER:
            if at + 2 > len(data):
                return None
            after = after or at + 2
            at = (count & 0x3F) << 8 | data[at + 1]
            if at >= limit:
                return None
            limit = at
            continue
        label = data[at + 1 : at + 1 + count]
        size += count + 1
        if count > 63 or len(label) < count or size > 254 or not label.isascii():
            return None
        labels.append(label.decode("ascii"))
        at += 1 + count
    return None


def client_id(iaid: bytes, duid: bytes) -> bytes:
    """A node-specific client identifier (RFC 4361 6.1): type 255, IAID of four octets, DUID."""
    return b"\xff" + iaid + duid


def encode_routes(routes: list[tuple[bytes, int, bytes]]) -> bytes:
    """The value of option 121."""
    return b"".join(
        bytes((length,)) + prefix[: (length + 7) // 8] + router for prefix, length, router in routes
    )
