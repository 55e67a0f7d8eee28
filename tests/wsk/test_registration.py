# SPDX-License-Identifier: MIT
"""Registration (wsk.md 1): captures wait and are released, versions, deregistration."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Party, Request, accept, close
from tests.wsk.real import Real, Threaded, after, registered
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    MAKE_WSK_VERSION,
    SOCK_STREAM,
    STATUS_CANCELLED,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_DISPATCH,
    WSK_CLIENT_NPI,
    WSK_EVENT_ACCEPT,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    WSK_FLAG_STREAM_SOCKET,
    WSK_INFINITE_WAIT,
    WSK_MAJOR_VERSION,
    WSK_MINOR_VERSION,
    WSK_NO_WAIT,
    WSK_PROVIDER_CHARACTERISTICS,
    WSK_PROVIDER_NPI,
    WSK_REGISTRATION,
    StackThreadWait,
    Subsystem,
    WskCaptureProviderNPI,
    WskDeregister,
    WskQueryProviderCharacteristics,
    WskRegister,
    WskReleaseProviderNPI,
    default_subsystem,
)

MS = 10**6
NEWEST = MAKE_WSK_VERSION(1, 3)


def attached(world: World, **versions: Any) -> Subsystem:
    host, _ = world.host()
    subsystem = Subsystem()
    subsystem.attach(host.stack.providers, world.env.executor, **versions)
    return subsystem


def capture(registration: WSK_REGISTRATION, wait: int = WSK_NO_WAIT) -> tuple[int, Any]:
    npi = WSK_PROVIDER_NPI()
    return WskCaptureProviderNPI(registration, wait, npi), npi


def characteristics(registration: WSK_REGISTRATION) -> tuple[int, int, int]:
    about = WSK_PROVIDER_CHARACTERISTICS()
    status = WskQueryProviderCharacteristics(registration, about)
    return status, about.LowestVersion, about.HighestVersion


# Capturing.


def test_versions_are_major_and_minor() -> None:
    version = MAKE_WSK_VERSION(0x12, 0x134)
    assert version == 0x1234
    assert (WSK_MAJOR_VERSION(version), WSK_MINOR_VERSION(version)) == (0x12, 0x34)


def test_no_provider_yet() -> None:
    registration = registered(Subsystem())
    assert capture(registration)[0] == STATUS_DEVICE_NOT_READY
    assert capture(registration, 1)[0] == STATUS_DEVICE_NOT_READY
    assert characteristics(registration)[0] == STATUS_DEVICE_NOT_READY
    WskDeregister(registration)


@pytest.mark.parametrize("wait", [500, WSK_INFINITE_WAIT])
def test_a_capture_waits_for_the_provider_in_virtual_time(world: World, wait: int) -> None:
    host, _ = world.host()
    subsystem = Subsystem(world.env.executor)
    registration = registered(subsystem)
    began = world.now
    after(
        world,
        host,
        300 * MS,
        lambda: subsystem.attach(host.stack.providers, world.env.executor),
    )
    assert capture(registration, wait)[0] == STATUS_SUCCESS
    assert world.now - began == 300 * MS


def test_a_capture_gives_up_after_its_milliseconds(world: World) -> None:
    host, _ = world.host()
    subsystem = Subsystem(world.env.executor)
    registration = registered(subsystem)
    providers, executor = host.stack.providers, world.env.executor
    after(world, host, 300 * MS, lambda: subsystem.attach(providers, executor))
    began = world.now
    assert capture(registration, 299)[0] == STATUS_DEVICE_NOT_READY
    assert world.now - began == 299 * MS
    assert capture(registration, 1000)[0] == STATUS_SUCCESS


def test_a_waiting_capture_can_end_with_another_version(world: World) -> None:
    host, _ = world.host()
    subsystem = Subsystem(world.env.executor)
    registration = registered(subsystem, MAKE_WSK_VERSION(2, 0))
    providers, executor = host.stack.providers, world.env.executor
    after(world, host, MS, lambda: subsystem.attach(providers, executor))
    assert capture(registration, WSK_INFINITE_WAIT)[0] == STATUS_NOINTERFACE
    assert characteristics(registration) == (STATUS_SUCCESS, MAKE_WSK_VERSION(1, 0), NEWEST)


def test_a_thread_waits_for_the_provider() -> None:
    with Real() as real:
        subsystem = Subsystem()
        registration = registered(subsystem)
        waiter = Threaded(lambda: capture(registration, WSK_INFINITE_WAIT))
        subsystem.attach(real.stack.providers, real.runtime)
        status, npi = waiter.result()
        assert status == STATUS_SUCCESS
        assert npi.Client is not None
        WskReleaseProviderNPI(registration)
        WskDeregister(registration)


def test_captures_from_many_threads_are_counted() -> None:
    with Real() as real:
        registration = registered(real.subsystem)
        start = threading.Barrier(8)

        def take() -> Any:
            start.wait(20)
            return capture(registration)

        taken = [each.result() for each in [Threaded(take) for _ in range(8)]]
        assert {status for status, _ in taken} == {STATUS_SUCCESS}
        assert len({id(npi.Client) for _, npi in taken}) == 1
        leaving = Threaded(lambda: WskDeregister(registration))
        for _ in range(8):
            assert leaving.running
            WskReleaseProviderNPI(registration)
        leaving.result()


def test_a_release_without_a_capture_is_a_bug_of_the_client(world: World) -> None:
    registration = registered(attached(world))
    with pytest.raises(AssertionError, match="without a capture"):
        WskReleaseProviderNPI(registration)


def test_a_wait_on_the_stacks_own_thread_is_refused() -> None:
    with Real() as real:
        subsystem = Subsystem(real.runtime)
        registration = registered(subsystem)
        refused = real.inside(lambda: capture(registration, WSK_INFINITE_WAIT))
        assert isinstance(refused, StackThreadWait)
        assert "WskCaptureProviderNPI" in str(refused)
        assert real.inside(lambda: capture(registration))[0] == STATUS_DEVICE_NOT_READY
        # With nothing to wait for, waiting is harmless.
        there = registered(real.subsystem)
        assert real.inside(lambda: capture(there, WSK_INFINITE_WAIT))[0] == STATUS_SUCCESS


def test_in_a_callback_of_a_virtual_world_a_wait_is_refused_too(world: World) -> None:
    host, _ = world.host()
    registration = registered(Subsystem(world.env.executor))
    caught: list[str] = []

    def deed() -> None:
        with pytest.raises(StackThreadWait) as refusal:
            capture(registration, 5)
        caught.append(str(refusal.value))

    after(world, host, MS, deed)
    world.run()
    assert caught == ["WskCaptureProviderNPI cannot wait on the stack's own thread"]


# Versions.


@pytest.mark.parametrize("version", [MAKE_WSK_VERSION(0, 9), MAKE_WSK_VERSION(2, 0), NEWEST + 1])
def test_a_version_the_provider_has_not(world: World, version: int) -> None:
    registration = registered(attached(world), version)
    assert capture(registration)[0] == STATUS_NOINTERFACE
    assert characteristics(registration) == (STATUS_SUCCESS, MAKE_WSK_VERSION(1, 0), NEWEST)
    # Falling back: deregister, register with another table.
    WskDeregister(registration)
    npi = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0)))
    assert WskRegister(npi, registration) == STATUS_SUCCESS
    assert capture(registration)[0] == STATUS_SUCCESS


@pytest.mark.parametrize("minor", [0, 1, 2, 3])
@pytest.mark.parametrize("asked", [0, 1, 2, 3])
def test_the_table_has_at_least_the_minor_version_asked_for(
    world: World, minor: int, asked: int
) -> None:
    highest = MAKE_WSK_VERSION(1, minor)
    registration = registered(attached(world, HighestVersion=highest), MAKE_WSK_VERSION(1, asked))
    status, npi = capture(registration)
    assert status == (STATUS_SUCCESS if asked <= minor else STATUS_NOINTERFACE)
    if status == STATUS_SUCCESS:
        assert npi.Dispatch.Version == highest
        assert npi.Dispatch.Reserved == 0
    assert characteristics(registration)[2] == highest


def test_a_provider_may_have_dropped_old_versions(world: World) -> None:
    subsystem = attached(world, LowestVersion=MAKE_WSK_VERSION(1, 2))
    assert capture(registered(subsystem, MAKE_WSK_VERSION(1, 1)))[0] == STATUS_NOINTERFACE
    assert capture(registered(subsystem, MAKE_WSK_VERSION(1, 2)))[0] == STATUS_SUCCESS


LATER = {
    "WskGetAddressInfo": 1,
    "WskFreeAddressInfo": 1,
    "WskGetNameInfo": 1,
    "WskSendMessages": 2,
    "WskConnectEx": 3,
}


@pytest.mark.parametrize("minor", [0, 1, 2])
def test_an_older_provider_lacks_later_members(world: World, minor: int) -> None:
    a, _ = world.pair()
    party = Party(world, a)
    older = Subsystem()
    older.attach(a.stack.providers, world.env.executor, HighestVersion=MAKE_WSK_VERSION(1, minor))
    _, npi = capture(registered(older))
    _, newest = capture(party.registration)
    pairs = [(npi.Dispatch, newest.Dispatch)]
    for flag in (WSK_FLAG_LISTEN_SOCKET, WSK_FLAG_CONNECTION_SOCKET):
        made = []
        for each in (npi, newest):
            kind = (each.Client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, flag, None, None)
            made.append(Request().issue(each.Dispatch.WskSocket, *kind, None, None, None).info)
        pairs.append((made[0].Dispatch, made[1].Dispatch))
    for old, new in pairs:
        missing = vars(new).keys() - vars(old).keys()
        assert missing == {name for name in vars(new) if LATER.get(name, 0) > minor}
    stream = (npi.Client, AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_STREAM_SOCKET, None, None)
    created = Request().issue(npi.Dispatch.WskSocket, *stream, None, None, None)
    assert created.status == "STATUS_NOT_SUPPORTED"


def test_sockets_accepted_from_an_older_provider_are_older_too(world: World) -> None:
    a, b = world.pair()
    near, far = Party(world, a), Party(world, b)
    far.subsystem.detach()
    highest = MAKE_WSK_VERSION(1, 0)
    far.subsystem.attach(b.stack.providers, world.env.executor, HighestVersion=highest)
    WskCaptureProviderNPI(far.registration, WSK_NO_WAIT, far.npi)
    listener = far.listener(80)
    accepting = accept(listener)
    near.connecting(far.address(1, 80))
    world.run(10**9)
    assert not hasattr(accepting.info.Dispatch, "WskConnectEx")


# Registering.


def test_a_block_is_registered_once_and_can_be_used_again() -> None:
    registration = registered(Subsystem())
    npi = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0)))
    assert WskRegister(npi, registration) == STATUS_INVALID_PARAMETER
    WskDeregister(registration)
    with pytest.raises(AssertionError, match="without WskRegister"):
        WskDeregister(registration)
    assert WskRegister(npi, registration) == STATUS_SUCCESS
    reserved = WSK_CLIENT_NPI(None, WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0), 1))
    assert WskRegister(reserved, WSK_REGISTRATION()) == STATUS_INVALID_PARAMETER
    nothing: Any = None
    assert WskRegister(WSK_CLIENT_NPI(None, nothing), WSK_REGISTRATION()) == (
        STATUS_INVALID_PARAMETER
    )


def test_the_process_has_a_subsystem_of_its_own() -> None:
    registration = WSK_REGISTRATION()
    assert registration.subsystem is default_subsystem()


def test_registrations_are_independent(world: World) -> None:
    subsystem = attached(world)
    first, second = registered(subsystem), registered(subsystem)
    (_, one), (_, other) = capture(first), capture(second)
    assert one.Client is not other.Client
    one.Client.static_events = WSK_EVENT_ACCEPT
    kind = (AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, None, None)
    made = [
        Request().issue(npi.Dispatch.WskSocket, npi.Client, *kind, None, None, None).info
        for npi in (one, other)
    ]
    assert [socket.static for socket in made] == [WSK_EVENT_ACCEPT, 0]
    # The socket of one does not hold up the other.
    WskReleaseProviderNPI(second)
    assert close(made[1]).status == "STATUS_SUCCESS"
    WskDeregister(second)
    assert capture(second)[0] == STATUS_DEVICE_NOT_READY
    assert capture(first)[0] == STATUS_SUCCESS


def test_the_client_event_is_never_called(world: World) -> None:
    """No event type of it is defined (wsk.md 1.4)."""
    told: list[Any] = []

    def client_event(*arguments: Any) -> int:
        told.append(arguments)
        return STATUS_SUCCESS

    subsystem = attached(world)
    registration = WSK_REGISTRATION(subsystem)
    dispatch = WSK_CLIENT_DISPATCH(MAKE_WSK_VERSION(1, 0), 0, client_event)
    assert WskRegister(WSK_CLIENT_NPI(None, dispatch), registration) == STATUS_SUCCESS
    assert capture(registration)[0] == STATUS_SUCCESS
    subsystem.detach()
    WskReleaseProviderNPI(registration)
    WskDeregister(registration)
    assert told == []


# Deregistering.


def test_deregistering_wakes_who_waits() -> None:
    registration = registered(Subsystem())
    waiter = Threaded(lambda: capture(registration, WSK_INFINITE_WAIT))
    WskDeregister(registration)
    assert waiter.result()[0] == STATUS_DEVICE_NOT_READY
    assert capture(registration, WSK_INFINITE_WAIT)[0] == STATUS_DEVICE_NOT_READY


def test_sockets_outlive_the_release_and_hold_up_deregistration() -> None:
    with Real() as real:
        registration = registered(real.subsystem)
        _, npi = capture(registration)
        kind = (AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, None, None)
        made = real.inside(
            lambda: Request().issue(npi.Dispatch.WskSocket, npi.Client, *kind, None, None, None)
        )
        WskReleaseProviderNPI(registration)
        leaving = Threaded(lambda: WskDeregister(registration))
        real.inside(lambda: None)
        assert leaving.running
        socket = made.info
        closing = real.inside(lambda: close(socket))
        assert closing.status == "STATUS_SUCCESS"
        leaving.result()
        assert capture(registration)[0] == STATUS_DEVICE_NOT_READY


def test_deregistering_waits_for_requests_of_the_provider(world: World) -> None:
    """A WskSocketConnect in progress is a call that has not returned."""
    a, b = world.pair()
    party = Party(world, a)
    connect = party.npi.Dispatch.WskSocketConnect
    local, remote = party.address(2, 0), Party(world, b).address(2, 80)
    local.sin6_addr = bytes(16)
    what = (party.npi.Client, SOCK_STREAM, IPPROTO_TCP, local, remote, 0, None, None)
    request = Request().issue(connect, *what, None, None, None)
    assert request.pending
    WskReleaseProviderNPI(party.registration)
    WskDeregister(party.registration)
    assert request.status == "STATUS_CONNECTION_REFUSED"


def test_deregistering_cancels_what_waits_for_changes(world: World) -> None:
    party = Party(world, world.pair()[0])
    client, request = party.npi.Client, Request()

    def wait_for_a_change(irp: Any) -> tuple[int, Any]:
        client.list_changes.append(irp)
        irp.set_cancel(lambda held: client.engine.complete(held, STATUS_CANCELLED))
        return STATUS_PENDING, 0

    request.issue(lambda irp: client.engine.issue(irp, wait_for_a_change))
    assert request.pending
    WskReleaseProviderNPI(party.registration)
    WskDeregister(party.registration)
    assert request.ends == [("STATUS_CANCELLED", 0)]


def test_deregistering_on_the_stacks_own_thread_is_refused_and_changes_nothing() -> None:
    with Real() as real:
        registration = registered(real.subsystem)
        assert capture(registration)[0] == STATUS_SUCCESS
        refused = real.inside(lambda: WskDeregister(registration))
        assert isinstance(refused, StackThreadWait)
        assert capture(registration)[0] == STATUS_SUCCESS
        WskReleaseProviderNPI(registration)
        WskReleaseProviderNPI(registration)
        assert real.inside(lambda: WskDeregister(registration)) is None
        assert capture(registration)[0] == STATUS_DEVICE_NOT_READY


def test_what_can_never_end_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """Real threads would block for ever; a virtual world knows that nothing is left to happen."""
    party = Party(world, world.pair()[0])
    party.socket(WSK_FLAG_LISTEN_SOCKET)
    with caplog.at_level(logging.ERROR):
        WskDeregister(party.registration)
    assert "1 captures, 1 sockets open" in caplog.text
