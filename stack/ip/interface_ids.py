# SPDX-License-Identifier: MIT
"""Floor 4: interface identifiers, the lower 64 bits of a configured address.

Done: stable opaque ones (RFC 7217 5), random ones for temporary addresses (RFC 8981 3.3.1), and
the reserved ones that nobody may have (RFC 5453).  Those made from a MAC are `addr.eui64`.
RFC 7136: no bit of an identifier means anything.  Called by `slaac`.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from stack.base.seam import Env

LENGTH: Final = 8
"""Octets: 64 bits on every link that is carried by Ethernet (RFC 2464 4)."""

_RESERVED: Final = (
    (0x0000000000000000, 0x0000000000000000),  # subnet-router anycast (RFC 4291 2.6.1)
    (0x02005EFFFE000000, 0x02005EFFFEFFFFFF),  # IANA's block of Ethernet addresses
    (0xFDFFFFFFFFFFFF80, 0xFDFFFFFFFFFFFFFF),  # subnet anycast (RFC 2526)
)
"""RFC 5453 and its registry, both ends included."""


def is_reserved(identifier: bytes) -> bool:
    """RFC 5453: no host may have it."""
    value = int.from_bytes(identifier, "big")
    return any(low <= value <= high for low, high in _RESERVED)


def opaque(prefix: bytes, interface: str, counter: int, secret: bytes) -> bytes:
    """RFC 7217 5: F(prefix, interface, counter, secret), the lowest 64 bits of a SHA-256.

    The same for the same four; of another prefix, interface or host nothing can be told from it.
    The interface is its name, and there is no Network_ID.
    """
    name = interface.encode()
    parts = (prefix[:8], len(name).to_bytes(2, "big"), name, counter.to_bytes(4, "big"), secret)
    return sha256(b"".join(parts)).digest()[-LENGTH:]


def temporary(env: Env) -> bytes:
    """RFC 8981 3.3.1: a random identifier that is not reserved."""
    while True:
        found = env.random(LENGTH)
        if not is_reserved(found):
            return found
