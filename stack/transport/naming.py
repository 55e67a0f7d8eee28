# SPDX-License-Identifier: MIT
"""Floor 5 seam, continued: names.  Whoever looks names up knows `NameService`, and no resolver.

The rules are those of `seam`: bytes for addresses, tokens for requests, the stack's thread.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class Found:
    """What a name service found.

    addresses   best first (RFC 6724 6); empty when a name was asked for
    canonical   the name the addresses belong to, after aliases; or the name of an address
    name        the name that was found: the one asked for with the domain it was found in
    scopes      interfaces of link-local addresses that were heard of on the link itself
    """

    __slots__ = ("addresses", "canonical", "name", "scopes")

    def __init__(
        self,
        name: str,
        canonical: str,
        addresses: Sequence[bytes] = (),
        scopes: Mapping[bytes, int] | None = None,
    ) -> None:
        self.name = name
        self.canonical = canonical
        self.addresses = list(addresses)
        self.scopes = scopes or {}


class NameSink:
    """Who asks a `NameService`."""

    __slots__ = ()

    def named(self, token: object, status: int, found: Found | None) -> None:
        """The lookup of `token` is over: OK and what was found, or a status and None.

        NO_NAME (it does not exist, or has nothing of the kind), TIMED_OUT, SERVER_FAILED,
        NO_ROUTE, HOST_UNREACHABLE, PORT_UNREACHABLE (of the servers), NO_PORTS, NO_MEMORY.
        """


class NameService:
    """Turns names into addresses and back."""

    __slots__ = ()

    def find_addresses(
        self, name: str, families: int, configured: bool, sink: NameSink, token: object
    ) -> int:
        """Look a name up.  `families` is a mask of `addr.V4` and `addr.V6`; with `configured` only
        those are asked for of which this host has an address.

        PENDING; INVALID (no name can look like that), NO_MEMORY (too many lookups).
        """
        raise NotImplementedError

    def find_name(self, address: bytes, sink: NameSink, token: object) -> int:
        """Look an address's name up.  PENDING; INVALID, NO_MEMORY."""
        raise NotImplementedError

    def cancel(self, token: object) -> bool:
        """Withdraw a lookup.  True if it was withdrawn; the sink is not told then."""
        raise NotImplementedError

    def order(self, addresses: Sequence[bytes]) -> list[bytes]:
        """The same addresses in the order to try them (RFC 6724 6)."""
        raise NotImplementedError

    def families(self) -> int:
        """The families of which this host has an address other than loopback and link-local."""
        raise NotImplementedError

    def domain(self) -> str:
        """The local domain, empty if there is none."""
        raise NotImplementedError
