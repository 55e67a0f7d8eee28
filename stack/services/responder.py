# SPDX-License-Identifier: MIT
"""Floor 6: what the responders of names on the link, LLMNR and mDNS, have in common.

One port for all interfaces and both families, in the protocol's groups wherever names are spoken,
and the host's name on each interface, which stands there as it stands.  Filled in by `llmnr` and
`mdns`; told of interfaces and addresses by `link_names`.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from stack.base import status
from stack.base.addr import V4, V6
from stack.base.seam import TimerOwner
from stack.ip.addrconf import LocalAddress
from stack.link.nic import Nic
from stack.services.link_means import LinkMeans
from stack.services.link_query import Protocol
from stack.services.port import Port
from stack.transport.options import JOIN, LEAVE, OPTION_GROUP_LOOP

IDLE = 0
"""The state of a name that is not spoken for, in both protocols."""


class LinkName(TimerOwner):
    """The host's name on one interface, in one of the protocol's states."""

    __slots__ = ("_means", "nic", "state")

    states: tuple[str, ...]
    """Their names."""

    def __init__(self, means: LinkMeans, nic: Nic) -> None:
        self.nic = nic
        self.state = IDLE
        self._means = means

    @property
    def name(self) -> str:
        """As it is wanted at the moment."""
        raise NotImplementedError

    def refresh(self) -> None:
        """The interface came up, or its addresses changed.  Waits for the turn to be over."""
        raise NotImplementedError

    def stop(self, goodbye: bool) -> None:
        """The name is not wanted any more, or without `goodbye` the link is gone already."""
        raise NotImplementedError

    def _enter(self, state: int) -> None:
        if state == self.state:
            return
        self.state = state
        trace = self._means.env.trace
        if trace is not None:
            trace.name(self.nic.name, self.name, self.states[state])


N = TypeVar("N", bound=LinkName)


class Responder(Port, Generic[N]):
    """The responder of one host."""

    __slots__ = ("_means", "_names", "label")

    protocol: Protocol
    sharing: int

    def __init__(self, means: LinkMeans, label: str) -> None:
        super().__init__()
        self.label = label
        self._means = means
        self._names: dict[int, N] = {}

    def make(self, nic: Nic) -> N:
        """The name on `nic`, not spoken yet."""
        raise NotImplementedError

    def start(self) -> int:
        """Listen on every interface.  OK, or why that cannot be (IN_USE, ACCESS)."""
        result = self._open(
            self._means.udp, V4 | V6, self.protocol.port, self.sharing, ((OPTION_GROUP_LOOP, 0),)
        )
        if result == status.OK:
            for nic in self._means.links():
                self.nic_up(nic)
        return result

    def stop(self) -> None:
        """Say goodbye and leave nothing open."""
        for name in self._names.values():
            name.stop(True)
        self._names.clear()
        self._close()

    def state(self, nic: Nic) -> int:
        """Where the name stands on `nic`."""
        name = self._names.get(nic.index)
        return IDLE if name is None else name.state

    def owns(self, nic: Nic, name: str) -> bool:
        """`name` is this host's on `nic`, and nobody else's as far as is known."""
        raise NotImplementedError

    def nic_up(self, nic: Nic) -> None:
        """Speak on `nic`."""
        if self._socket is None or nic.index in self._names:
            return
        for group in self.protocol.groups.values():
            self._socket.membership(JOIN, group, nic.index, b"")
        name = self._names[nic.index] = self.make(nic)
        name.refresh()

    def nic_down(self, nic: Nic) -> None:
        """Do not speak on `nic` any more."""
        name = self._names.pop(nic.index, None)
        if name is None or self._socket is None:
            return
        name.stop(False)
        for group in self.protocol.groups.values():
            self._socket.membership(LEAVE, group, nic.index, b"")

    def address_changed(self, entry: LocalAddress) -> None:
        """An address is new, or gone."""
        name = self._names.get(entry.nic.index)
        if name is not None:
            name.refresh()
