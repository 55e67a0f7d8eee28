# SPDX-License-Identifier: MIT
"""One machine's WSK: the provider as it arrives and leaves (wsk.md 1).

On Windows there is one WSK subsystem per machine.  Here a process may hold several stacks, so a
registration block says which `Subsystem` it belongs to; the process's default one is meant when
none is named.

    subsystem = Subsystem()
    subsystem.attach(stack.providers, runtime)      the provider arrives
    subsystem.detach()                              and leaves; another may come

Clients come by `registration` or, through the registrar, by `nmr`.
"""

from __future__ import annotations

import logging
from typing import Any, Final

from stack.base.seam import Executor
from stack.transport.naming import NameService
from stack.transport.seam import Provider
from wsk_api import provider, versions
from wsk_api.completions import Completions
from wsk_api.constants import NPI_WSK_INTERFACE_ID, WSK_MINOR_VERSION
from wsk_api.departure import depart
from wsk_api.extension import Extension
from wsk_api.nmr import (
    NPI_PROVIDER_CHARACTERISTICS,
    NPI_REGISTRATION_INSTANCE,
    Handle,
    NmrDeregisterProvider,
    NmrRegisterProvider,
    Registrar,
    default_registrar,
)
from wsk_api.ntstatus import (
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_SUCCESS,
)
from wsk_api.provider import Client
from wsk_api.requests import Engine
from wsk_api.transports import Transports
from wsk_api.types import WSK_CLIENT_DISPATCH, WSK_PROVIDER_CHARACTERISTICS, Ref
from wsk_api.waiting import Changes

log = logging.getLogger("wskstack.wsk")


class Loaded:
    """A provider that is there: its transports, its thread, its versions and its clients."""

    def __init__(
        self,
        providers: list[Provider],
        names: NameService | None,
        executor: Executor,
        lowest: int,
        highest: int,
    ) -> None:
        self.executor = executor
        self.transports = Transports(providers, names)
        self.completions = Completions(executor)
        self.lowest = lowest
        self.highest = highest
        self.table = provider.table(highest)
        self.clients: set[Client] = set()
        self.handle: Ref[Handle] = Ref()

    def offers(self, dispatch: WSK_CLIENT_DISPATCH) -> bool:
        """Whether it has the version a client asks for."""
        return versions.offered(dispatch.Version, self.lowest, self.highest)

    def client(self) -> Client:
        """A new client object."""
        engine = Engine(self.executor, self.completions)
        client = Client(engine, self.transports, WSK_MINOR_VERSION(self.highest))
        self.clients.add(client)
        return client

    def characteristics(self) -> WSK_PROVIDER_CHARACTERISTICS:
        """The range of its versions."""
        about = WSK_PROVIDER_CHARACTERISTICS()
        about.LowestVersion, about.HighestVersion = self.lowest, self.highest
        return about


class Subsystem:
    """One machine's WSK: the provider, once it is there, and who waits for it.

    `executor` is needed only where threads wait before the first provider was there: in a virtual
    world, whose waits run the world, and to refuse waits on that executor's own thread.
    """

    def __init__(
        self, executor: Executor | None = None, registrar: Registrar | None = None
    ) -> None:
        self.changes = Changes(executor)
        self.registrar = registrar or Registrar(executor)
        self.loaded: Loaded | None = None

    @property
    def executor(self) -> Executor | None:
        """The thread of the provider that is there, or was last."""
        return self.changes.executor

    @property
    def transports(self) -> Transports | None:
        """What the provider offers, while it is there."""
        return self.loaded.transports if self.loaded is not None else None

    def offer(self, extension: Extension) -> None:
        """Offer an extension interface of sockets (wsk.md 4.7); the provider must be there."""
        assert self.transports is not None
        self.transports.extensions[extension.NpiId] = extension

    def attach(
        self,
        providers: list[Provider],
        executor: Executor,
        names: NameService | None = None,
        HighestVersion: int = versions.HIGHEST,
        LowestVersion: int = versions.LOWEST,
    ) -> None:
        """The provider arrives: WSK over these transports, on that thread, with those names.

        Waiting captures wake, and clients of the registrar are offered the provider, on the
        calling thread.
        """
        assert self.loaded is None, "a provider is there already; detach it first"
        loaded = Loaded(providers, names, executor, LowestVersion, HighestVersion)
        with self.changes.lock:
            self.loaded = loaded
            self.changes.executor = self.registrar.changes.executor = executor
        self.changes.tell()
        instance = NPI_REGISTRATION_INSTANCE(
            NPI_WSK_INTERFACE_ID, NpiSpecificCharacteristics=loaded.characteristics()
        )
        about = NPI_PROVIDER_CHARACTERISTICS(self._bind, self._unbind, None, instance)
        NmrRegisterProvider(about, loaded, loaded.handle, self.registrar)

    def detach(self) -> None:
        """The provider leaves: open sockets are dead from now on (see `departure`).

        Any thread.  Returns when every client knows, except on the stack's own thread, where
        that happens in the next turn.
        """
        with self.changes.lock:
            loaded, self.loaded = self.loaded, None
        if loaded is None:
            return
        executor = loaded.executor
        told: list[bool] = []

        def leave() -> None:
            for client in list(loaded.clients):
                depart(client)
            if loaded.handle.value is not None:
                NmrDeregisterProvider(loaded.handle.value)
            told.append(True)

        executor.submit(leave)
        if executor.may_wait() and not executor.wait(lambda: bool(told), None):
            log.error("the provider's thread has ended: its sockets cannot be told")

    # The provider's side of the registrar.

    def _bind(
        self,
        NmrBindingHandle: Any,
        ProviderContext: Loaded,
        ClientRegistrationInstance: NPI_REGISTRATION_INSTANCE,
        ClientBindingContext: Any,
        ClientDispatch: WSK_CLIENT_DISPATCH,
        ProviderBindingContext: Ref[Any],
        ProviderDispatch: Ref[Any],
    ) -> int:
        if ClientDispatch is None or ClientDispatch.Reserved != 0:
            return STATUS_INVALID_PARAMETER
        with self.changes.lock:
            if self.loaded is not ProviderContext or not ProviderContext.offers(ClientDispatch):
                return STATUS_NOINTERFACE
            ProviderBindingContext.value = ProviderContext.client()
        ProviderDispatch.value = ProviderContext.table
        return STATUS_SUCCESS

    @staticmethod
    def _unbind(ProviderBindingContext: Client) -> int:
        """The sockets are the client's to close; its end of the binding says when they are."""
        ProviderBindingContext.leave()
        return STATUS_SUCCESS


_default: Final = Subsystem(None, default_registrar())


def default_subsystem() -> Subsystem:
    """The process's own subsystem, which `WSK_REGISTRATION()` uses."""
    return _default
