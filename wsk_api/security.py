# SPDX-License-Identifier: MIT
"""Security descriptors, as far as sharing an address needs them (wsk.md 2.9, 4.1, 4.2).

A descriptor says which security contexts (process and thread) may bind to an address that a socket
holds already.  Sockets take cached descriptors only: WSK_CACHE_SD makes one, WSK_RELEASE_SD gives
it up.  A socket keeps what it was given, also when the cached one is released afterwards.

There is no security subsystem to ask: a process is any object, compared by identity, and one
Python process is `CURRENT_PROCESS`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, Final

from stack.transport.options import Claim

log = logging.getLogger("wskstack.wsk")


class Process:
    """Stands for a PEPROCESS.  (A convenience: any object does.)"""

    __slots__ = ("name",)

    def __init__(self, name: str = "") -> None:
        self.name = name


CURRENT_PROCESS: Final = Process("current")
"""Whose context counts where OwningProcess is None."""


class SECURITY_DESCRIPTOR:
    """Who may share: the owner, the allowed processes, and whom `AccessCheck` lets in.

    `AccessCheck(process, thread) -> bool`.  What it raises counts as a refusal.
    """

    __slots__ = ("AccessCheck", "Allowed", "Owner")

    def __init__(
        self,
        Owner: Any = None,
        Allowed: Iterable[Any] = (),
        AccessCheck: Callable[[Any, Any], bool] | None = None,
    ) -> None:
        self.Owner = Owner
        self.Allowed = tuple(Allowed)
        self.AccessCheck = AccessCheck

    def admits(self, process: Any, thread: Any) -> bool:
        """This context may share the address."""
        if process is self.Owner or any(process is one for one in self.Allowed):
            return True
        if self.AccessCheck is None:
            return False
        try:
            return bool(self.AccessCheck(process, thread))
        except Exception:
            log.exception("an access check raised; it counts as refused")
            return False


class CachedDescriptor(SECURITY_DESCRIPTOR):
    """What WSK_CACHE_SD returns: a copy that later changes of the original do not reach."""

    __slots__ = ("client", "released")

    def __init__(self, client: Any, original: SECURITY_DESCRIPTOR) -> None:
        super().__init__(original.Owner, original.Allowed, original.AccessCheck)
        self.client = client
        self.released = False

    def usable(self, client: Any) -> bool:
        """`client` may hand this to a socket."""
        return self.client is client and not self.released


DEFAULT: Final = SECURITY_DESCRIPTOR(Owner=Process("nobody"))
"""The default descriptor: nobody shares."""


class SocketClaim(Claim):
    """The security side of a socket: what it allows, and in whose name it binds."""

    __slots__ = ("descriptor", "process", "thread")

    def __init__(self) -> None:
        super().__init__()
        self.descriptor: SECURITY_DESCRIPTOR = DEFAULT
        self.process: Any = CURRENT_PROCESS
        self.thread: Any = None

    def owned_by(self, process: Any, thread: Any) -> None:
        """OwningProcess and OwningThread of WskSocket."""
        self.process = CURRENT_PROCESS if process is None else process
        self.thread = thread

    def admits(self, other: Claim) -> bool:
        return isinstance(other, SocketClaim) and self.descriptor.admits(
            other.process, other.thread
        )
