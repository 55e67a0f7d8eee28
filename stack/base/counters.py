# SPDX-License-Identifier: MIT
"""Floor 0: counter blocks.  A counter is an attribute, so counting is one addition.

Each floor subclasses `Counters` beside the code that counts and names its fields after the
RFC's management objects (RFC 4293 for IP, RFC 4022 for TCP, RFC 4113 for UDP) in snake case.
"""

from __future__ import annotations


class Counters:
    """A block of non-negative integers, all starting at zero."""

    __slots__: tuple[str, ...] = ()

    def __init__(self) -> None:
        for name in self.__slots__:
            setattr(self, name, 0)

    def count(self, name: str) -> None:
        """One more of what has this name: for those who look it up in a table."""
        setattr(self, name, getattr(self, name) + 1)

    def snapshot(self) -> dict[str, int]:
        """Every counter by name."""
        return {name: getattr(self, name) for name in self.__slots__}

    def moved(self) -> dict[str, int]:
        """The counters that are not zero: what tests compare as a whole."""
        return {name: value for name, value in self.snapshot().items() if value}
