# SPDX-License-Identifier: MIT
"""Floor 6: who this host is, to DHCP servers of both families (RFC 8415 11, RFC 4361 6.1).

The same DUID in both families lets a server see that it is one host.  Without stable storage it is
of type DUID-LL (11.4), from the first interface that has a hardware address, unless
`Config.dhcp_duid` gives one.
"""

from __future__ import annotations

from typing import Final

from stack.base import addr
from stack.ip.host import IpHost

_LINK_LAYER: Final = b"\x00\x03\x00\x01"  # DUID-LL, Ethernet


def duid(host: IpHost) -> bytes:
    """The host's DUID: type and identifier, as they go into an option."""
    if host.config.dhcp_duid:
        return host.config.dhcp_duid
    first = next((nic.mac for nic in host.nics if not nic.is_loopback), addr.MAC_NONE)
    return _LINK_LAYER + first
