# SPDX-License-Identifier: MIT
"""Registration (wsk.md 1): captures wait and are released, versions, deregistration."""

from __future__ import annotations

import threading

import pytest

from tests.harness import World
from tests.wsk.kit import Party, close
from wsk_api import (
    MAKE_WSK_VERSION,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_SUCCESS,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_INFINITE_WAIT,
    WSK_NO_WAIT,
    WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskQueryProviderCharacteristics,
    WskRegister,
    WskReleaseProviderNPI,
)


def registered(subsystem: Subsystem, version: int = MAKE_WSK_VERSION(1, 0)) -> WSK_REGISTRATION:
    registration = WSK_REGISTRATION(subsystem)
    npi = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(version))
    assert WskRegister(npi, registration) == STATUS_SUCCESS
    return registration


def test_no_provider_yet() -> None:
    registration = registered(Subsystem())
    npi = WSK_PROVIDER_NPI()
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_DEVICE_NOT_READY
    assert WskCaptureProviderNPI(registration, 1, npi) == STATUS_DEVICE_NOT_READY
    about = WSK_PROVIDER_CHARACTERISTICS()
    assert WskQueryProviderCharacteristics(registration, about) == STATUS_DEVICE_NOT_READY
    WskDeregister(registration)


def test_a_capture_waits_for_the_provider(world: World) -> None:
    subsystem = Subsystem()
    registration = registered(subsystem)
    npi = WSK_PROVIDER_NPI()
    answers: list[int] = []
    waiter = threading.Thread(
        target=lambda: answers.append(WskCaptureProviderNPI(registration, WSK_INFINITE_WAIT, npi))
    )
    waiter.start()
    host, _ = world.host()
    subsystem.attach(host.stack.providers, world.env.executor)
    waiter.join(10)
    assert answers == [STATUS_SUCCESS]
    assert npi.Client is not None
    WskReleaseProviderNPI(registration)
    WskDeregister(registration)


def test_deregistering_wakes_who_waits() -> None:
    registration = registered(Subsystem())
    answers: list[int] = []
    waiter = threading.Thread(
        target=lambda: answers.append(
            WskCaptureProviderNPI(registration, WSK_INFINITE_WAIT, WSK_PROVIDER_NPI())
        )
    )
    waiter.start()
    WskDeregister(registration)
    waiter.join(10)
    assert answers == [STATUS_DEVICE_NOT_READY]


def test_deregistering_waits_for_releases(world: World) -> None:
    """With a capture outstanding it blocks; the release lets it through."""
    host, _ = world.host()
    subsystem = Subsystem()
    subsystem.attach(host.stack.providers, world.env.executor)
    registration = registered(subsystem)
    npi = WSK_PROVIDER_NPI()
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_SUCCESS
    order: list[str] = []
    began = threading.Event()

    def leave() -> None:
        began.set()
        WskDeregister(registration)
        order.append("deregistered")

    leaver = threading.Thread(target=leave)
    leaver.start()
    began.wait(10)
    WskReleaseProviderNPI(registration)
    order.append("released")
    WskReleaseProviderNPI(registration)
    leaver.join(10)
    assert not leaver.is_alive()
    assert order[-1] == "deregistered" or order == ["deregistered", "released"]
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_DEVICE_NOT_READY


@pytest.mark.parametrize("version", [MAKE_WSK_VERSION(0, 9), MAKE_WSK_VERSION(2, 0)])
def test_a_version_the_provider_has_not(world: World, version: int) -> None:
    host, _ = world.host()
    subsystem = Subsystem()
    subsystem.attach(host.stack.providers, world.env.executor)
    registration = registered(subsystem, version)
    npi = WSK_PROVIDER_NPI()
    assert WskCaptureProviderNPI(registration, WSK_NO_WAIT, npi) == STATUS_NOINTERFACE
    about = WSK_PROVIDER_CHARACTERISTICS()
    assert WskQueryProviderCharacteristics(registration, about) == STATUS_SUCCESS
    assert about.LowestVersion == about.HighestVersion == MAKE_WSK_VERSION(1, 0)
    WskDeregister(registration)


def test_a_block_is_registered_once_and_can_be_used_again(world: World) -> None:
    registration = registered(Subsystem())
    npi = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0)))
    assert WskRegister(npi, registration) == STATUS_INVALID_PARAMETER
    WskDeregister(registration)
    assert WskRegister(npi, registration) == STATUS_SUCCESS
    reserved = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0), 1))
    assert WskRegister(reserved, WSK_REGISTRATION()) == STATUS_INVALID_PARAMETER


def test_sockets_outlive_the_release_but_hold_up_deregistration(world: World) -> None:
    a, _ = world.pair()
    party = Party(world, a)
    socket = party.socket(WSK_FLAG_LISTEN_SOCKET)
    WskReleaseProviderNPI(party.registration)
    assert close(socket).status == "STATUS_SUCCESS"
    WskDeregister(party.registration)
