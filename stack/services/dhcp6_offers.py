# SPDX-License-Identifier: MIT
"""Floor 6: the Advertise messages that answered one Solicit (RFC 8415 18.2.9).

The order: preference, then whether name servers come along, then who was first.  Used by
`dhcp6_client`.
"""

from __future__ import annotations

from typing import Final

from stack.services.dhcp6_retransmit import MAX_RT_HIGH, MAX_RT_LOW
from stack.wire.dhcp6 import Message

OFFER_LIMIT: Final = 16
"""Servers whose offers are kept; the worst gives way."""
AT_ONCE: Final = 255
"""A preference that ends the waiting for others."""


class Offer:
    """What one server offers."""

    __slots__ = ("addresses", "preference", "server", "worth")

    def __init__(self, message: Message, addresses: list[bytes]) -> None:
        self.server = message.server
        self.addresses = addresses
        self.preference = max(message.preference, 0)
        self.worth = (self.preference, bool(message.name_servers))


class Offers:
    """All of them, the best first."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Offer] = []

    def __len__(self) -> int:
        return len(self._all)

    def add(self, offer: Offer) -> None:
        """Another one, or a better one of a server that is known."""
        self._all = [other for other in self._all if other.server != offer.server]
        self._all.append(offer)
        self._all.sort(key=_worth, reverse=True)  # stable: who was first stays first
        del self._all[OFFER_LIMIT:]

    def take(self) -> Offer | None:
        """The best one, which is not there any more."""
        return self._all.pop(0) if self._all else None


def _worth(offer: Offer) -> tuple[int, bool]:
    return offer.worth


class MaxRt:
    """SOL_MAX_RT or INF_MAX_RT of one interface, in seconds: by default, or as servers want it."""

    __slots__ = ("_default", "_heard", "_mixed", "value")

    def __init__(self, default: int) -> None:
        self._default = default
        self.value = default
        self._heard = -1
        self._mixed = False

    def begin(self) -> None:
        """A new round of Advertise messages."""
        self._heard = -1
        self._mixed = False

    def advertised(self, said: int) -> None:
        """An Advertise says so.  If they do not agree the default counts (18.2.9)."""
        if not MAX_RT_LOW <= said <= MAX_RT_HIGH:
            return
        self._mixed = self._mixed or self._heard not in (-1, said)
        self._heard = said
        self.value = self._default if self._mixed else said

    def replied(self, said: int) -> None:
        """The server in charge says so (18.2.10)."""
        if MAX_RT_LOW <= said <= MAX_RT_HIGH:
            self.value = said
