# SPDX-License-Identifier: MIT
"""Floor 6: domain names as text.

Names are kept in lower case, without the final dot, in ASCII.  RFC 1123 2.1 (with underscores,
which services have), RFC 1035 2.3.4 lengths, RFC 5890 A-labels by Python's codec (IDNA 2003), RFC
6761 and RFC 7686 special names, the search list as resolv.conf has it, reverse names (RFC 1035
3.5, RFC 3596 2.5), and which names are the link's own (RFC 6762 3, 4).
"""

from __future__ import annotations

import string
from typing import Final

ORDINARY: Final = 0
LOOPBACK: Final = 1
"""Always this host (RFC 6761 6.3)."""
NOWHERE: Final = 2
"""Never anything, and not to be asked for (RFC 6761 6.4, RFC 7686 2)."""

_LONGEST: Final = 1024
_LINK: Final = (
    ".local",
    ".254.169.in-addr.arpa",
    *(f".{nibble}.e.f.ip6.arpa" for nibble in "89ab"),
)
_LETTERS: Final = frozenset(string.ascii_lowercase + string.digits + "-_")


def sound(name: str) -> bool:
    """`name` can be a host's: letters, digits, hyphens, underscores in labels of 1 to 63."""
    if not 0 < len(name) <= 253:
        return False
    return all(_sound_label(label) for label in name.split("."))


def _sound_label(label: str) -> bool:
    if not 0 < len(label) <= 63 or label[0] == "-" or label[-1] == "-":
        return False
    return _LETTERS.issuperset(label)


def read(text: str) -> tuple[str, bool]:
    """(name, absolute) of what a user wrote; the name is empty if it cannot be one."""
    absolute = text.endswith(".")
    if len(text) > _LONGEST:
        return "", absolute  # before the codec, whose work grows with the square
    name = text.removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            return "", absolute
    name = name.lower()
    return name if sound(name) else "", absolute


def kind(name: str) -> int:
    """ORDINARY, LOOPBACK or NOWHERE."""
    last = name.rpartition(".")[2]
    if last == "localhost":
        return LOOPBACK
    # A last label of digits is a bad address, not a name (RFC 1123 2.1).
    if last in ("invalid", "onion") or last.isdigit():
        return NOWHERE
    return ORDINARY


def single(name: str) -> bool:
    """A name of one label that is nothing special: what LLMNR is asked for (RFC 4795 3.1)."""
    return "." not in name and kind(name) == ORDINARY


def of_link(name: str) -> bool:
    """A name that means something on a link only: .local, and what link-local addresses have
    (RFC 6762 3, 4)."""
    return ("." + name).endswith(_LINK)


def candidates(name: str, absolute: bool, search: list[str], ndots: int) -> list[str]:
    """The names to try for what a user wrote, in order."""
    if absolute or kind(name) != ORDINARY:
        return [name]
    longer = [f"{name}.{domain}" for domain in search]
    longer = [candidate for candidate in longer if sound(candidate)]
    return [name, *longer] if name.count(".") >= ndots else [*longer, name]


def reverse(address: bytes) -> str:
    """The name that an address's name is found under."""
    if len(address) == 4:
        return ".".join(str(octet) for octet in reversed(address)) + ".in-addr.arpa"
    return ".".join(reversed(address.hex())) + ".ip6.arpa"
