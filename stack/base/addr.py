# SPDX-License-Identifier: MIT
"""Floor 0: addresses as `bytes`.  The length is the family: 4 for IPv4, 16 for IPv6, 6 for MAC.

Classes of addresses after RFC 1122 3.2.1.3, RFC 4291 2; text forms through the standard
library (RFC 5952 output).  IPv4-mapped addresses are not known here: they exist only at
the WSK interface.
"""

from __future__ import annotations

import ipaddress
from typing import Final

V4: Final = 1
"""Family mask bit: IPv4."""
V6: Final = 2
"""Family mask bit: IPv6."""

ANY4: Final = bytes(4)
ANY6: Final = bytes(16)
BROADCAST4: Final = b"\xff\xff\xff\xff"
LOOPBACK4: Final = b"\x7f\x00\x00\x01"
LOOPBACK6: Final = bytes(15) + b"\x01"
ALL_NODES: Final = bytes.fromhex("ff02") + bytes(13) + b"\x01"
ALL_ROUTERS4: Final = b"\xe0\x00\x00\x02"
ALL_ROUTERS: Final = bytes.fromhex("ff02") + bytes(13) + b"\x02"
ALL_HOSTS: Final = b"\xe0\x00\x00\x01"
MAC_BROADCAST: Final = b"\xff" * 6
MAC_NONE: Final = bytes(6)

_SOLICITED_PREFIX: Final = bytes.fromhex("ff0200000000000000000001ff")
_LINK_LOCAL_PREFIX: Final = bytes.fromhex("fe80") + bytes(6)


def parse(text: str) -> bytes:
    """The address written as `text`.  Raises ValueError for anything else."""
    return ipaddress.ip_address(text).packed


def text(address: bytes) -> str:
    """The usual spelling of an address of either family."""
    return str(ipaddress.ip_address(address))


def family(address: bytes) -> int:
    """V4 or V6."""
    return V4 if len(address) == 4 else V6


def mac_text(mac: bytes) -> str:
    """aa:bb:cc:dd:ee:ff."""
    return mac.hex(":")


def parse_mac(text: str) -> bytes:
    """The MAC address written as `text`.  Raises ValueError for anything else."""
    mac = bytes.fromhex(text.replace(":", "").replace("-", ""))
    if len(mac) != 6:
        raise ValueError(f"{text!r} is not a MAC address: write six octets like 02:00:00:00:00:01")
    return mac


def is_multicast(address: bytes) -> bool:
    """224.0.0.0/4 or ff00::/8."""
    return address[0] & 0xF0 == 0xE0 if len(address) == 4 else address[0] == 0xFF


def is_unspecified(address: bytes) -> bool:
    """0.0.0.0 or ::."""
    return not any(address)


def is_loopback(address: bytes) -> bool:
    """127.0.0.0/8 or ::1."""
    return address[0] == 127 if len(address) == 4 else address == LOOPBACK6


def is_link_local(address: bytes) -> bool:
    """169.254.0.0/16 or fe80::/10."""
    if len(address) == 4:
        return address[:2] == b"\xa9\xfe"
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def is_link_scope(address: bytes) -> bool:
    """An IPv6 address that means something only together with a link (RFC 4007)."""
    if len(address) == 4:
        return False
    return is_link_local(address) or (address[0] == 0xFF and address[1] & 0x0F <= 2)


def is_reserved4(address: bytes) -> bool:
    """An IPv4 address that no host may have: 0/8 and class E (RFC 1122 3.2.1.3, RFC 1112 4)."""
    return address[0] == 0 or address[0] >= 240


def is_mapped(address: bytes) -> bool:
    """::ffff:0:0/96, which never appears on a wire (RFC 4291 2.5.5.2)."""
    return len(address) == 16 and address[:12] == bytes(10) + b"\xff\xff"


def mask(address: bytes, length: int) -> bytes:
    """The first `length` bits of `address`, the rest zero."""
    bits = len(address) * 8
    keep = (1 << bits) - (1 << (bits - length))
    return (int.from_bytes(address, "big") & keep).to_bytes(len(address), "big")


def common_prefix(a: bytes, b: bytes) -> int:
    """How many leading bits two addresses of one family share (RFC 6724 2.2)."""
    difference = int.from_bytes(a, "big") ^ int.from_bytes(b, "big")
    return len(a) * 8 - difference.bit_length()


def directed_broadcast(address: bytes, length: int) -> bytes:
    """The broadcast address of an IPv4 subnet (RFC 1122 3.2.1.3, form c)."""
    host = (1 << (32 - length)) - 1
    return (int.from_bytes(address, "big") | host).to_bytes(4, "big")


def solicited_node(address: bytes) -> bytes:
    """The solicited-node multicast address of an IPv6 address (RFC 4291 2.7.1)."""
    return _SOLICITED_PREFIX + address[13:]


def multicast_mac(address: bytes) -> bytes:
    """The group MAC of a multicast address (RFC 1112 6.4, RFC 2464 7)."""
    if len(address) == 4:
        return b"\x01\x00\x5e" + bytes((address[1] & 0x7F,)) + address[2:]
    return b"\x33\x33" + address[12:]


def eui64(mac: bytes) -> bytes:
    """The modified EUI-64 interface identifier of a MAC (RFC 4291 appendix A)."""
    return bytes((mac[0] ^ 0x02,)) + mac[1:3] + b"\xff\xfe" + mac[3:]


def link_local(mac: bytes) -> bytes:
    """The link-local address formed from a MAC (RFC 4862 5.3)."""
    return _LINK_LOCAL_PREFIX + eui64(mac)
