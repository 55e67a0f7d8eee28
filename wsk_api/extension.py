# SPDX-License-Identifier: MIT
"""Extension interfaces of sockets (wsk.md 4.7): SIO_WSK_REGISTER_EXTENSION.

An extension is an NPI of its own with its own functions and events.  None is defined in public;
a provider may offer one with `Subsystem.offer`, and a client registers a socket for it.  Its
events are enabled through SO_WSK_EVENT_CALLBACK with the extension's NpiId.
"""

from __future__ import annotations

from typing import Any

from wsk_api.ntstatus import STATUS_NOT_SUPPORTED


class WSK_EXTENSION_CONTROL_IN:
    """Which extension, and the client's side of it."""

    __slots__ = ("ClientContext", "ClientDispatch", "NpiId")
    size = 24

    def __init__(self, NpiId: str, ClientContext: Any = None, ClientDispatch: Any = None) -> None:
        self.NpiId = NpiId
        self.ClientContext = ClientContext
        self.ClientDispatch = ClientDispatch


class WSK_EXTENSION_CONTROL_OUT:
    """The provider's side of an extension, filled in."""

    __slots__ = ("ProviderContext", "ProviderDispatch")
    size = 16

    def __init__(self) -> None:
        self.ProviderContext: Any = None
        self.ProviderDispatch: Any = None


class Extension:
    """An extension interface, for providers to subclass.  Stack thread."""

    NpiId: str
    """Names the interface."""
    ProviderDispatch: Any = None
    """Its table of functions."""

    def register(self, socket: Any, context: Any, dispatch: Any) -> tuple[int, Any]:
        """A client registers `socket`: (NTSTATUS, ProviderContext)."""
        raise NotImplementedError

    def enable(self, context: Any, mask: int) -> int:
        """SO_WSK_EVENT_CALLBACK with this NpiId, WSK_EVENT_DISABLE included; an NTSTATUS."""
        return STATUS_NOT_SUPPORTED

    def closed(self, context: Any) -> None:
        """The socket is being closed; the client's functions must not be called any more."""
