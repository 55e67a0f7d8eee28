# SPDX-License-Identifier: MIT
"""Floor 0: who must be settled this turn.

An endpoint that has something to indicate or to send is *marked*; a transport takes the
whole list once per turn.  Whoever is marked while the list is being worked off waits for
the next turn, which bounds every turn.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from stack.base.seam import Executor


class Workable:
    """Base of what can be on a worklist."""

    __slots__ = ("marked",)

    def __init__(self) -> None:
        self.marked = False


W = TypeVar("W", bound=Workable)


class Worklist(Generic[W]):
    """Marked items in order of marking, each at most once.

    items   for those who look every turn; changed here only
    """

    __slots__ = ("_executor", "items")

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.items: list[W] = []

    def __len__(self) -> int:
        return len(self.items)

    def mark(self, item: W) -> None:
        """Settle `item` in this turn, or in the next if this one is already settling."""
        if not item.marked:
            item.marked = True
            if not self.items:
                self._executor.wanted()
            self.items.append(item)

    def begin(self) -> list[W]:
        """Everything marked so far, for who unmarks each when its turn has come: marking it until
        then changes nothing."""
        items = self.items
        self.items = []
        return items

    def take(self) -> list[W]:
        """Everything marked so far, unmarked again."""
        items = self.begin()
        for item in items:
            item.marked = False
        return items
