# SPDX-License-Identifier: MIT
"""Floor 6: the hosts file (RFC 952's successor, as every system has it).

A line is an address, its canonical name, aliases; `#` begins a comment.  What cannot be read is
passed over: hosts files in use contain everything.  The text is configuration: no file is opened.
"""

from __future__ import annotations

from stack.base import addr
from stack.services import domain


class Hosts:
    """Names and addresses of one hosts file."""

    __slots__ = ("_canonical", "_forward", "_reverse")

    def __init__(self, text: str = "") -> None:
        self._forward: dict[str, list[bytes]] = {}
        self._canonical: dict[str, str] = {}
        self._reverse: dict[bytes, str] = {}
        for line in text.splitlines():
            self._read(line.partition("#")[0].split())

    def _read(self, words: list[str]) -> None:
        if len(words) < 2:
            return
        try:
            address = addr.parse(words[0])
        except ValueError:
            return
        names = [name for name, _ in map(domain.read, words[1:]) if name]
        for name in names:
            addresses = self._forward.setdefault(name, [])
            if address not in addresses:
                addresses.append(address)
            self._canonical.setdefault(name, names[0])
        if names:
            self._reverse.setdefault(address, names[0])

    def addresses(self, name: str) -> list[bytes] | None:
        """What the file says of `name`; None if it says nothing."""
        return self._forward.get(name)

    def canonical(self, name: str) -> str:
        """The first name on the line that has `name`."""
        return self._canonical.get(name, name)

    def name(self, address: bytes) -> str:
        """The name of an address, empty if there is none."""
        return self._reverse.get(address, "")
