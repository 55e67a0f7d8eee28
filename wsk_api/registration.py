# SPDX-License-Identifier: MIT
"""Registration: WskRegister, capture, release, WskDeregister (wsk.md 1).

On Windows there is one WSK subsystem per machine.  Here a process may hold several stacks, so a
registration block says which `Subsystem` it belongs to; `WSK_REGISTRATION()` takes the process's
default one and reads like the original.

    subsystem = Subsystem()
    subsystem.attach(stack.providers, runtime, stack.names)
    registration = WSK_REGISTRATION(subsystem)
    WskRegister(WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0))), registration)
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from stack.base.seam import Executor
from stack.transport.seam import NameService, Provider
from wsk_api import provider
from wsk_api.constants import WSK_INFINITE_WAIT, WSK_MAJOR_VERSION, WSK_MINOR_VERSION
from wsk_api.ntstatus import (
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_SUCCESS,
)
from wsk_api.provider import Client
from wsk_api.requests import Engine
from wsk_api.transports import Transports
from wsk_api.types import WSK_CLIENT_NPI, WSK_PROVIDER_CHARACTERISTICS, WSK_PROVIDER_NPI

log = logging.getLogger("wskstack.wsk")


class Subsystem:
    """One machine's WSK: the provider, once it is there, and who waits for it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.engine: Engine | None = None
        self.transports: Transports | None = None

    def attach(
        self, providers: list[Provider], executor: Executor, names: NameService | None = None
    ) -> None:
        """The provider arrives: WSK over these transports, on that thread, with those names."""
        with self.changed:
            self.transports = Transports(providers, names)
            self.engine = Engine(executor)
            self.changed.notify_all()


_default = Subsystem()


def default_subsystem() -> Subsystem:
    """The process's own subsystem, which `WSK_REGISTRATION()` uses."""
    return _default


class WSK_REGISTRATION:
    """A registration block.  Opaque; made by the client, kept until WskDeregister returned."""

    __slots__ = ("captures", "client", "npi", "registered", "subsystem")

    def __init__(self, subsystem: Subsystem | None = None) -> None:
        self.subsystem = subsystem or _default
        self.npi: WSK_CLIENT_NPI | None = None
        self.client: Client | None = None
        self.captures = 0
        self.registered = False


def WskRegister(WskClientNpi: WSK_CLIENT_NPI, WskRegistration: WSK_REGISTRATION) -> int:
    """Register a client.  Does not wait for a provider.

    STATUS_SUCCESS; STATUS_INVALID_PARAMETER if the block is in use or Reserved is not 0.
    """
    dispatch = WskClientNpi.Dispatch
    if WskRegistration.registered or dispatch is None or dispatch.Reserved != 0:
        return STATUS_INVALID_PARAMETER
    WskRegistration.npi = WskClientNpi
    WskRegistration.client = None
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
    """
    registration = WskRegistration
    subsystem = registration.subsystem
    with subsystem.changed:
        _wait_for(
            subsystem,
            lambda: subsystem.engine is not None or not registration.registered,
            WaitTimeout,
        )
        engine, transports = subsystem.engine, subsystem.transports
        if not registration.registered or engine is None or transports is None:
            return STATUS_DEVICE_NOT_READY
        assert registration.npi is not None
        if not _offers(registration.npi.Dispatch.Version):
            return STATUS_NOINTERFACE
        if registration.client is None:
            registration.client = Client(engine, transports)
        registration.captures += 1
    WskProviderNpi.Client = registration.client
    WskProviderNpi.Dispatch = provider.DISPATCH
    return STATUS_SUCCESS


def WskReleaseProviderNPI(WskRegistration: WSK_REGISTRATION) -> None:
    """Undo one capture.  Open sockets keep working."""
    subsystem = WskRegistration.subsystem
    with subsystem.changed:
        assert WskRegistration.captures > 0, "WskReleaseProviderNPI without a capture"
        WskRegistration.captures -= 1
        subsystem.changed.notify_all()


def WskQueryProviderCharacteristics(
    WskRegistration: WSK_REGISTRATION, Characteristics: WSK_PROVIDER_CHARACTERISTICS
) -> int:
    """The versions the provider has.  STATUS_DEVICE_NOT_READY if there is none."""
    if WskRegistration.subsystem.engine is None or not WskRegistration.registered:
        return STATUS_DEVICE_NOT_READY
    Characteristics.HighestVersion = provider.VERSION
    Characteristics.LowestVersion = provider.VERSION
    return STATUS_SUCCESS


def WskDeregister(WskRegistration: WSK_REGISTRATION) -> None:
    """End a registration.  Blocks until every capture is released, every call is complete and
    every socket is closed; threads that wait in a capture are woken with
    STATUS_DEVICE_NOT_READY.  An open socket blocks it for ever.

    On the stack's own thread it cannot wait: what is still open is logged, and stays usable.
    """
    registration = WskRegistration
    subsystem = registration.subsystem
    with subsystem.changed:
        registration.registered = False
        subsystem.changed.notify_all()

    def idle() -> bool:
        client = registration.client
        return registration.captures == 0 and (
            client is None or (not client.sockets and client.calls == 0)
        )

    engine = subsystem.engine
    if engine is None:
        return
    if not engine.executor.wait(idle, None):
        client = registration.client
        log.error(
            "WskDeregister could not wait on the stack's thread: %d captures, %d sockets open",
            registration.captures,
            len(client.sockets) if client else 0,
        )


def _offers(version: int) -> bool:
    """Same major version, and a minor one not above the provider's."""
    ours = provider.VERSION
    same = WSK_MAJOR_VERSION(version) == WSK_MAJOR_VERSION(ours)
    return same and WSK_MINOR_VERSION(version) <= WSK_MINOR_VERSION(ours)


def _wait_for(subsystem: Subsystem, done: Callable[[], bool], timeout: int) -> None:
    """Wait on the subsystem's condition, which the caller holds."""
    if done() or timeout == 0:
        return
    if timeout == WSK_INFINITE_WAIT:
        while not done():
            subsystem.changed.wait()
        return
    limit = time.monotonic() + timeout / 1000
    while not done():
        left = limit - time.monotonic()
        if left <= 0:
            return
        subsystem.changed.wait(left)
