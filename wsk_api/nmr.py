# SPDX-License-Identifier: MIT
"""The Network Module Registrar: clients and providers of an interface find each other (wsk.md 1.5).

On Windows there is one registrar per machine; here each `Subsystem` has one, and the process's
default subsystem has the one that is meant when none is named.  The registrar knows no WSK: the
WSK provider registers with it like any other (see `subsystem`).

For each pair of a client and a provider of one NPI there is a binding, which goes
offered -> attached -> detaching -> gone.  Callbacks run on the thread that caused them, without a
lock: attaching on the thread of whoever registered second, detaching because the WSK provider
leaves on the stack's thread.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from stack.base.seam import Executor
from wsk_api.ntstatus import (
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_PENDING,
    STATUS_SUCCESS,
    status_name,
)
from wsk_api.types import Ref
from wsk_api.waiting import Changes

log = logging.getLogger("wskstack.wsk")


class NPI_REGISTRATION_INSTANCE:
    """Who registers for which interface."""

    __slots__ = ("ModuleId", "NpiId", "NpiSpecificCharacteristics", "Number", "Size", "Version")

    def __init__(
        self,
        NpiId: str,
        ModuleId: object = None,
        Number: int = 0,
        NpiSpecificCharacteristics: Any = None,
    ) -> None:
        self.Version = 0
        self.Size = 0
        self.NpiId = NpiId
        self.ModuleId = ModuleId
        self.Number = Number
        self.NpiSpecificCharacteristics = NpiSpecificCharacteristics


class NPI_CLIENT_CHARACTERISTICS:
    """A client's callbacks: (binding, ClientContext, provider's instance) -> NTSTATUS, and twice
    (ClientBindingContext)."""

    __slots__ = (
        "ClientAttachProvider",
        "ClientCleanupBindingContext",
        "ClientDetachProvider",
        "ClientRegistrationInstance",
        "Length",
        "Version",
    )

    def __init__(
        self,
        ClientAttachProvider: Callable[..., int],
        ClientDetachProvider: Callable[..., int],
        ClientCleanupBindingContext: Callable[..., None] | None,
        ClientRegistrationInstance: NPI_REGISTRATION_INSTANCE,
    ) -> None:
        self.Version = 0
        self.Length = 0
        self.ClientAttachProvider = ClientAttachProvider
        self.ClientDetachProvider = ClientDetachProvider
        self.ClientCleanupBindingContext = ClientCleanupBindingContext
        self.ClientRegistrationInstance = ClientRegistrationInstance


class NPI_PROVIDER_CHARACTERISTICS:
    """A provider's callbacks: (binding, ProviderContext, client's instance, ClientBindingContext,
    ClientDispatch, out context, out table) -> NTSTATUS, and twice (ProviderBindingContext)."""

    __slots__ = (
        "Length",
        "ProviderAttachClient",
        "ProviderCleanupBindingContext",
        "ProviderDetachClient",
        "ProviderRegistrationInstance",
        "Version",
    )

    def __init__(
        self,
        ProviderAttachClient: Callable[..., int],
        ProviderDetachClient: Callable[..., int],
        ProviderCleanupBindingContext: Callable[..., None] | None,
        ProviderRegistrationInstance: NPI_REGISTRATION_INSTANCE,
    ) -> None:
        self.Version = 0
        self.Length = 0
        self.ProviderAttachClient = ProviderAttachClient
        self.ProviderDetachClient = ProviderDetachClient
        self.ProviderCleanupBindingContext = ProviderCleanupBindingContext
        self.ProviderRegistrationInstance = ProviderRegistrationInstance


# States of a binding.
OFFERED: Final = 0
ATTACHED: Final = 1
DETACHING: Final = 2
GONE: Final = 3


class Party:
    """A registration: a client or a provider, its NPI and its bindings."""

    __slots__ = ("attach", "bindings", "cleanup", "context", "detach", "instance", "leaving")

    def __init__(
        self,
        context: Any,
        instance: NPI_REGISTRATION_INSTANCE,
        attach: Callable[..., int],
        detach: Callable[..., int],
        cleanup: Callable[..., None] | None,
    ) -> None:
        self.context = context
        self.instance = instance
        self.attach = attach
        self.detach = detach
        self.cleanup = cleanup
        self.bindings: list[Binding] = []
        self.leaving = False


class Side:
    """One end of a binding."""

    __slots__ = ("context", "detached", "party", "pending")

    def __init__(self, party: Party) -> None:
        self.party = party
        self.context: Any = None
        self.pending = False  # its detach callback was called and owes an answer
        self.detached = False


class Binding:
    """What an NmrBindingHandle stands for."""

    __slots__ = ("client", "provider", "registrar", "state")

    def __init__(self, registrar: Registrar, client: Party, provider: Party) -> None:
        self.registrar = registrar
        self.client = Side(client)
        self.provider = Side(provider)
        self.state = OFFERED


class Handle:
    """What NmrRegisterClient and NmrRegisterProvider hand out."""

    __slots__ = ("party", "registrar")

    def __init__(self, registrar: Registrar, party: Party) -> None:
        self.registrar = registrar
        self.party = party


class Registrar:
    """Everybody who is registered."""

    def __init__(self, executor: Executor | None = None) -> None:
        self.changes = Changes(executor)
        self._clients: list[Party] = []
        self._providers: list[Party] = []

    # Registering.

    def add_client(self, client: Party) -> Handle:
        with self.changes.lock:
            self._clients.append(client)
            known = list(self._providers)
        for provider in known:
            self._offer(client, provider)
        return Handle(self, client)

    def add_provider(self, provider: Party) -> Handle:
        with self.changes.lock:
            self._providers.append(provider)
            known = list(self._clients)
        for client in known:
            self._offer(client, provider)
        return Handle(self, provider)

    def _offer(self, client: Party, provider: Party) -> None:
        if client.instance.NpiId != provider.instance.NpiId:
            return
        binding = Binding(self, client, provider)
        with self.changes.lock:
            client.bindings.append(binding)
            provider.bindings.append(binding)
        status = _call(client.attach, binding, client.context, provider.instance)
        with self.changes.lock:
            attached = binding.state == ATTACHED
            if not attached:
                binding.state = GONE
                self._forget(binding)
        if attached != (status == STATUS_SUCCESS):
            log.error("ClientAttachProvider returned %s, which is not so", status_name(status))
        if attached and (client.leaving or provider.leaving or status != STATUS_SUCCESS):
            self.detach(binding, binding.client, binding.provider)

    def attach(
        self, binding: Binding, context: Any, dispatch: Any, out: tuple[Ref[Any], Ref[Any]]
    ) -> int:
        """The client's answer to an offer: ask the provider."""
        client, provider = binding.client, binding.provider
        if binding.state != OFFERED:
            return STATUS_INVALID_DEVICE_STATE
        if client.party.leaving or provider.party.leaving:
            return STATUS_NOINTERFACE
        kept: Ref[Any] = Ref()
        instance = client.party.instance
        ask = provider.party.attach
        status = _call(
            ask, binding, provider.party.context, instance, context, dispatch, kept, out[1]
        )
        if status != STATUS_SUCCESS:
            return status
        client.context, provider.context = context, kept.value
        out[0].value = kept.value
        binding.state = ATTACHED
        return STATUS_SUCCESS

    # Leaving.

    def remove(self, party: Party) -> int:
        """Deregister.  STATUS_PENDING unless every binding is gone at once."""
        with self.changes.lock:
            assert not party.leaving, "this registration is already given up"
            party.leaving = True
            for known in (self._clients, self._providers):
                if party in known:
                    known.remove(party)
            bindings = list(party.bindings)
        for binding in bindings:
            own = binding.client if binding.client.party is party else binding.provider
            other = binding.provider if own is binding.client else binding.client
            # Whoever leaves goes first: a provider's sockets die before its clients are asked.
            self.detach(binding, own, other)
        return STATUS_PENDING if party.bindings else STATUS_SUCCESS

    def wait(self, party: Party, what: str) -> None:
        """Block until every binding of `party` is gone."""
        if not self.changes.wait(lambda: not party.bindings, None, what):
            log.error("%s could not wait: %d bindings are left", what, len(party.bindings))

    def detach(self, binding: Binding, first: Side, second: Side) -> None:
        """Ask both ends of an attached binding to let go."""
        with self.changes.lock:
            if binding.state != ATTACHED:
                return
            binding.state = DETACHING
        for side in (first, second):
            side.pending = True
            status = _call(side.party.detach, side.context)
            if status == STATUS_SUCCESS:
                self.detached(binding, side)
            elif status != STATUS_PENDING:
                log.error("a detach callback returned %s", status_name(status))
                self.detached(binding, side)

    def detached(self, binding: Binding, side: Side) -> None:
        """One end has let go."""
        with self.changes.lock:
            if side.detached:
                return  # completed inside of its own callback
            assert side.pending, "completes a detach that nobody asked for"
            side.detached = True
            if not (binding.client.detached and binding.provider.detached):
                return
            binding.state = GONE
        for end in (binding.client, binding.provider):
            if end.party.cleanup is not None:
                _call(end.party.cleanup, end.context)
        with self.changes.lock:
            self._forget(binding)
        self.changes.tell()

    def _forget(self, binding: Binding) -> None:
        binding.client.party.bindings.remove(binding)
        binding.provider.party.bindings.remove(binding)


def _call(function: Callable[..., int | None], *arguments: Any) -> int:
    """What a module's callback raises is logged and counts as a refusal."""
    try:
        status = function(*arguments)
    except Exception:
        log.exception("a callback of a network module raised")
        return STATUS_NOINTERFACE
    return STATUS_SUCCESS if status is None else status


_default: Final = Registrar()


def default_registrar() -> Registrar:
    """The registrar of the process's default subsystem."""
    return _default


# The functions.  `registrar` is ours: which machine's, as with WSK_REGISTRATION.


def NmrRegisterClient(
    ClientCharacteristics: NPI_CLIENT_CHARACTERISTICS,
    ClientContext: Any,
    NmrClientHandle: Ref[Handle],
    registrar: Registrar | None = None,
) -> int:
    """Register a client: ClientAttachProvider is called for each provider that is there, now and
    later.  STATUS_SUCCESS; STATUS_INVALID_PARAMETER (characteristics)."""
    about = ClientCharacteristics
    instance = about.ClientRegistrationInstance
    if not _sound(about.Version, instance, about.ClientAttachProvider, about.ClientDetachProvider):
        return STATUS_INVALID_PARAMETER
    callbacks = (about.ClientAttachProvider, about.ClientDetachProvider)
    party = Party(ClientContext, instance, *callbacks, about.ClientCleanupBindingContext)
    home = registrar or _default
    # Known before the first callback, in which the client may want it.
    NmrClientHandle.value = Handle(home, party)
    home.add_client(party)
    return STATUS_SUCCESS


def NmrClientAttachProvider(
    NmrBindingHandle: Binding,
    ClientBindingContext: Any,
    ClientDispatch: Any,
    ProviderBindingContext: Ref[Any],
    ProviderDispatch: Ref[Any],
) -> int:
    """Inside ClientAttachProvider: attach.  The outputs are the PWSK_CLIENT and the table.

    STATUS_SUCCESS; STATUS_NOINTERFACE (version): try another one, or give up this provider;
    STATUS_INVALID_PARAMETER (Reserved); STATUS_INVALID_DEVICE_STATE (attached, or too late).
    """
    out = (ProviderBindingContext, ProviderDispatch)
    handle = NmrBindingHandle
    return handle.registrar.attach(handle, ClientBindingContext, ClientDispatch, out)


def NmrClientDetachProviderComplete(NmrBindingHandle: Binding) -> None:
    """After ClientDetachProvider returned STATUS_PENDING: every socket is closed now."""
    NmrBindingHandle.registrar.detached(NmrBindingHandle, NmrBindingHandle.client)


def NmrDeregisterClient(NmrClientHandle: Handle) -> int:
    """End a registration: ClientDetachProvider is called for each binding.

    STATUS_SUCCESS, or STATUS_PENDING: then NmrWaitForClientDeregisterComplete follows.
    """
    return NmrClientHandle.registrar.remove(NmrClientHandle.party)


def NmrWaitForClientDeregisterComplete(NmrClientHandle: Handle) -> int:
    """Block until every binding is detached and cleaned up.  STATUS_SUCCESS.

    Refused on the stack's own thread (`StackThreadWait`).
    """
    what = "NmrWaitForClientDeregisterComplete"
    NmrClientHandle.registrar.wait(NmrClientHandle.party, what)
    return STATUS_SUCCESS


def NmrRegisterProvider(
    ProviderCharacteristics: NPI_PROVIDER_CHARACTERISTICS,
    ProviderContext: Any,
    NmrProviderHandle: Ref[Handle],
    registrar: Registrar | None = None,
) -> int:
    """Register a provider, which is offered to each client.  Statuses as NmrRegisterClient."""
    about = ProviderCharacteristics
    instance = about.ProviderRegistrationInstance
    if not _sound(about.Version, instance, about.ProviderAttachClient, about.ProviderDetachClient):
        return STATUS_INVALID_PARAMETER
    callbacks = (about.ProviderAttachClient, about.ProviderDetachClient)
    party = Party(ProviderContext, instance, *callbacks, about.ProviderCleanupBindingContext)
    home = registrar or _default
    NmrProviderHandle.value = Handle(home, party)
    home.add_provider(party)
    return STATUS_SUCCESS


def NmrProviderDetachClientComplete(NmrBindingHandle: Binding) -> None:
    """After ProviderDetachClient returned STATUS_PENDING: nothing of the client is in use now."""
    NmrBindingHandle.registrar.detached(NmrBindingHandle, NmrBindingHandle.provider)


def NmrDeregisterProvider(NmrProviderHandle: Handle) -> int:
    """End a registration.  STATUS_SUCCESS, or STATUS_PENDING."""
    return NmrProviderHandle.registrar.remove(NmrProviderHandle.party)


def NmrWaitForProviderDeregisterComplete(NmrProviderHandle: Handle) -> int:
    """Block until every binding is detached and cleaned up.  STATUS_SUCCESS."""
    what = "NmrWaitForProviderDeregisterComplete"
    NmrProviderHandle.registrar.wait(NmrProviderHandle.party, what)
    return STATUS_SUCCESS


def _sound(version: int, instance: Any, *callbacks: Any) -> bool:
    named = isinstance(instance, NPI_REGISTRATION_INSTANCE) and instance.Version == 0
    return version == 0 and named and all(map(callable, callbacks))
