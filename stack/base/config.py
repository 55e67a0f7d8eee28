# SPDX-License-Identifier: MIT
"""Floor 0: every knob of the stack, its unit, its default and where the default comes from.

One immutable record per stack, given to `Stack` at construction.  Times are nanoseconds, sizes
octets.  The knobs are in `config_ip`, `config_transport` and `config_services`; here is what would
make no sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from stack.base import addr, config_ip, config_services, config_transport
from stack.base.config_services import IDENTITIES, ServiceConfig

_NAMES: Final = config_ip.NAMES + config_transport.NAMES + config_services.NAMES
_BOUNDS: Final = config_ip.BOUNDS + config_transport.BOUNDS + config_services.BOUNDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Config(ServiceConfig):
    """Settings of one stack: those of its bases.  Raises ValueError for what could not work."""

    def __post_init__(self) -> None:
        """Refuse what could not work, naming the field."""
        for field, low, high in _BOUNDS:
            value = getattr(self, field)
            if not low <= value <= high:
                raise ValueError(f"Config.{field} is {value}: it must be {low} .. {high}")
        for field, names in _NAMES:
            if getattr(self, field) not in names:
                known = ", ".join(names)
                raise ValueError(f"Config.{field} is {getattr(self, field)!r}: {known}")
        self._check_addresses()
        if self.port_low > self.port_high:
            raise ValueError("Config.port_low is above Config.port_high")
        if self.shard >= self.shards:
            raise ValueError(f"Config.shard is {self.shard} of {self.shards}: they count from 0")
        if self.port_high - self.port_low + 1 < self.shards:
            raise ValueError("Config.shards: there are fewer ephemeral ports than that")
        if self.host_name and not is_label(self.host_name):
            raise ValueError(f"Config.host_name: {self.host_name!r} is not one label of a name")
        for server in self.dns_servers:
            try:
                addr.parse(server)
            except ValueError:
                raise ValueError(f"Config.dns_servers: {server!r} is no address") from None
        for field, least, most in IDENTITIES:
            size = len(getattr(self, field))
            if size and not least <= size <= most:
                raise ValueError(f"Config.{field} has {size} octets: {least} .. {most}, or none")
        if not self.dhcp4_hostname.isascii() or not self.dhcp4_hostname.isprintable():
            raise ValueError(f"Config.dhcp4_hostname: {self.dhcp4_hostname!r} is no host name")
        for field, most in (("dns_servers", 8), ("dns_search", 16)):
            if len(getattr(self, field)) > most:
                raise ValueError(f"Config.{field} has more than {most} entries")

    def own_ports(self, shard: int) -> range:
        """The ephemeral ports of one of `shards`: the range is cut into parts of one size."""
        size = (self.port_high - self.port_low + 1) // self.shards
        first = self.port_low + shard * size
        return range(first, self.port_high + 1 if shard == self.shards - 1 else first + size)

    def _check_addresses(self) -> None:
        if 0 < len(self.stable_secret) < 16:
            raise ValueError("Config.stable_secret is too short: sixteen octets at least")
        if self.temporary_preferred >= self.temporary_valid:
            raise ValueError("Config.temporary_preferred must be below Config.temporary_valid")
        for text in self.temporary_exceptions:
            base, _, length = text.partition("/")
            _check_prefix("temporary_exceptions", base, int(length) if length.isdigit() else -1)
        if self.address_policy is not config_ip.ADDRESS_POLICY:
            self._check_policy()

    def _check_policy(self) -> None:
        for text, number, precedence, label in self.address_policy:
            _check_prefix("address_policy", text, number)
            if not (0 <= precedence < 256 and 0 <= label < 256):
                raise ValueError(f"Config.address_policy: {text}: numbers below 256, please")
        if not any(addr.parse(row[0]) == addr.ANY6 and not row[1] for row in self.address_policy):
            raise ValueError("Config.address_policy has no row for ::/0")


def _check_prefix(field: str, text: str, length: int) -> None:
    try:
        packed = addr.parse(text)
    except ValueError:
        raise ValueError(f"Config.{field}: {text!r} is no address") from None
    if not 0 <= length <= len(packed) * 8:
        raise ValueError(f"Config.{field}: {text} has no prefix length of {length}")


def is_label(text: str) -> bool:
    """`text` can be a host's name: letters, digits and hyphens inside (RFC 1123 2.1), and not
    digits alone."""
    sound = 0 < len(text) <= 63 and text.isascii() and text.replace("-", "a").isalnum()
    return sound and text[0] != "-" and text[-1] != "-" and not text.isdigit()
