# SPDX-License-Identifier: MIT
"""Registration: WskRegister, capture, release, WskDeregister (wsk.md 1).

    registration = WSK_REGISTRATION(subsystem)
    WskRegister(WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))), registration)

`WSK_REGISTRATION()` takes the process's default subsystem and reads like the original.  A
registration outlives the provider: when another one arrives it is captured like the first, with
a new client object, which knows nothing of the static callbacks of the old one.
"""

from __future__ import annotations

import logging
from typing import Final

from wsk_api.constants import WSK_INFINITE_WAIT
from wsk_api.ntstatus import (
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_SUCCESS,
)
from wsk_api.provider import Client
from wsk_api.subsystem import Loaded, Subsystem, default_subsystem
from wsk_api.types import WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI
from wsk_api.waiting import refuse_on_stack_thread

log = logging.getLogger("wskstack.wsk")

_MS: Final = 1_000_000


class WSK_REGISTRATION:
    """A registration block.  Opaque; made by the client, kept until WskDeregister returned."""

    __slots__ = ("captures", "client", "loaded", "npi", "old_clients", "registered", "subsystem")

    def __init__(self, subsystem: Subsystem | None = None) -> None:
        self.subsystem = subsystem or default_subsystem()
        self.npi: WSK_CLIENT_NPI | None = None
        self.captures = 0
        self.registered = False
        self.loaded: Loaded | None = None  # the provider that `client` is a client of
        self.client: Client | None = None
        self.old_clients: list[Client] = []  # of providers that have left

    def clients(self) -> list[Client]:
        """Every client object, also those whose provider has left."""
        return self.old_clients + ([self.client] if self.client is not None else [])


def WskRegister(WskClientNpi: WSK_CLIENT_NPI, WskRegistration: WSK_REGISTRATION) -> int:
    """Register a client.  Does not wait for a provider.

    STATUS_SUCCESS; STATUS_INVALID_PARAMETER if the block is in use, there is no table, or
    Reserved is not 0.  WskClientEvent may be None: no event of it is defined, none is called.
    """
    dispatch = WskClientNpi.Dispatch
    if WskRegistration.registered or dispatch is None or dispatch.Reserved != 0:
        return STATUS_INVALID_PARAMETER
    WskRegistration.npi = WskClientNpi
    WskRegistration.loaded = None
    WskRegistration.client = None
    WskRegistration.old_clients = []
    WskRegistration.captures = 0
    WskRegistration.registered = True
    return STATUS_SUCCESS


def WskCaptureProviderNPI(
    WskRegistration: WSK_REGISTRATION, WaitTimeout: int, WskProviderNpi: WSK_PROVIDER_NPI
) -> int:
    """Get hold of the provider, waiting up to `WaitTimeout` ms for it to arrive.

    Each STATUS_SUCCESS needs one WskReleaseProviderNPI.  STATUS_DEVICE_NOT_READY: no provider in
    time, or deregistered meanwhile.  STATUS_NOINTERFACE: the provider has not the version asked
    for.  WSK_NO_WAIT does not wait, WSK_INFINITE_WAIT does so for ever.

    On the stack's own thread a wait is refused (`StackThreadWait`) unless the provider is there.
    """
    registration = WskRegistration
    answers: list[int] = []

    def attempt() -> bool:
        with registration.subsystem.changes.lock:
            status = _capture(registration, WskProviderNpi)
        if status == STATUS_DEVICE_NOT_READY and registration.registered:
            return False
        answers.append(status)
        return True

    timeout = None if WaitTimeout == WSK_INFINITE_WAIT else WaitTimeout * _MS
    registration.subsystem.changes.wait(attempt, timeout, "WskCaptureProviderNPI")
    return answers[0] if answers else STATUS_DEVICE_NOT_READY


def _capture(registration: WSK_REGISTRATION, npi: WSK_PROVIDER_NPI) -> int:
    """One look, under the subsystem's lock."""
    loaded = registration.subsystem.loaded
    if not registration.registered or registration.npi is None or loaded is None:
        return STATUS_DEVICE_NOT_READY
    if not loaded.offers(registration.npi.Dispatch):
        return STATUS_NOINTERFACE
    if registration.loaded is not loaded:
        registration.old_clients = [old for old in registration.clients() if not old.gone()]
        registration.client = loaded.client()
        registration.loaded = loaded
    registration.captures += 1
    npi.Client = registration.client
    npi.Dispatch = loaded.table
    return STATUS_SUCCESS


def WskReleaseProviderNPI(WskRegistration: WSK_REGISTRATION) -> None:
    """Undo one capture.  Open sockets keep working."""
    changes = WskRegistration.subsystem.changes
    with changes.lock:
        assert WskRegistration.captures > 0, "WskReleaseProviderNPI without a capture"
        WskRegistration.captures -= 1
    changes.tell()


def WskQueryProviderCharacteristics(
    WskRegistration: WSK_REGISTRATION, Characteristics: WSK_PROVIDER_CHARACTERISTICS
) -> int:
    """The versions the provider has.  STATUS_DEVICE_NOT_READY if there is none."""
    loaded = WskRegistration.subsystem.loaded
    if loaded is None or not WskRegistration.registered:
        return STATUS_DEVICE_NOT_READY
    Characteristics.HighestVersion = loaded.highest
    Characteristics.LowestVersion = loaded.lowest
    return STATUS_SUCCESS


def WskDeregister(WskRegistration: WSK_REGISTRATION) -> None:
    """End a registration, once per successful WskRegister.  Blocks until every capture is
    released, every call is complete and every socket is closed; threads that wait in a capture
    are woken with STATUS_DEVICE_NOT_READY, and what waits for changes is cancelled.  An open
    socket blocks it for ever.

    On the stack's own thread, where it cannot wait, it is refused (`StackThreadWait`) and changes
    nothing unless everything is closed.  In a virtual world "for ever" ends when nothing is left
    to happen: what is still open is logged.
    """
    registration = WskRegistration
    changes = registration.subsystem.changes
    with changes.lock:
        assert registration.registered, "WskDeregister without WskRegister"
        clients = registration.clients()
        if registration.captures or not all(client.quiet() for client in clients):
            refuse_on_stack_thread(changes.executor, "WskDeregister")
        registration.registered = False
    changes.tell()
    for client in clients:
        client.leave()
    left = not changes.wait(lambda: registration.captures == 0, None, "WskDeregister")
    for client in clients:
        executor = client.engine.executor
        if executor.may_wait():
            left = not executor.wait(client.heard, None) or left
        if registration.loaded is not None:
            registration.loaded.clients.discard(client)
    if left:
        log.error(
            "WskDeregister could not wait for ever: %d captures, %d sockets open",
            registration.captures,
            sum(len(client.sockets) for client in clients),
        )
