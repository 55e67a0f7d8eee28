# SPDX-License-Identifier: MIT
"""The registrar (wsk.md 1.5): attach, version fallback, detach pending, cleanup, deregister."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from tests.harness import World
from tests.wsk.kit import Request, close
from tests.wsk.real import Real, Threaded
from wsk_api import (
    AF_INET6,
    IPPROTO_TCP,
    MAKE_WSK_VERSION,
    NPI_CLIENT_CHARACTERISTICS,
    NPI_PROVIDER_CHARACTERISTICS,
    NPI_REGISTRATION_INSTANCE,
    NPI_WSK_INTERFACE_ID,
    SOCK_STREAM,
    STATUS_INVALID_DEVICE_STATE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOINTERFACE,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_DISPATCH,
    WSK_FLAG_LISTEN_SOCKET,
    NmrClientAttachProvider,
    NmrClientDetachProviderComplete,
    NmrDeregisterClient,
    NmrDeregisterProvider,
    NmrProviderDetachClientComplete,
    NmrRegisterClient,
    NmrRegisterProvider,
    NmrWaitForClientDeregisterComplete,
    NmrWaitForProviderDeregisterComplete,
    Ref,
    Registrar,
    StackThreadWait,
    Subsystem,
)

ONE = MAKE_WSK_VERSION(1, 0)


class Module:
    """A client module, and what the registrar told it."""

    def __init__(self, *versions: int, detach: int = STATUS_SUCCESS) -> None:
        self.versions = versions or (ONE,)
        self.detach_answer: int = detach
        self.log: list[str] = []
        self.handle: Any = Ref()
        self.binding: Any = None
        self.client: Any = Ref()
        self.dispatch: Any = Ref()
        self.range: tuple[int, int] = (0, 0)
        self.statuses: list[int] = []
        self.in_detach: Callable[[], object] | None = None
        self.reserved = 0

    def register(self, registrar: Registrar) -> Module:
        instance = NPI_REGISTRATION_INSTANCE(NPI_WSK_INTERFACE_ID)
        about = NPI_CLIENT_CHARACTERISTICS(self.attach, self.detach, self.cleanup, instance)
        assert NmrRegisterClient(about, self, self.handle, registrar) == STATUS_SUCCESS
        return self

    def attach(
        self, NmrBindingHandle: Any, ClientContext: Any, ProviderRegistrationInstance: Any
    ) -> int:
        assert ClientContext is self
        assert ProviderRegistrationInstance.NpiId == NPI_WSK_INTERFACE_ID
        about = ProviderRegistrationInstance.NpiSpecificCharacteristics
        self.range = (about.LowestVersion, about.HighestVersion)
        self.log.append("attach")
        self.binding = NmrBindingHandle
        for version in self.versions:
            table = WSK_CLIENT_DISPATCH(version, self.reserved)
            outs = (self.client, self.dispatch)
            status = NmrClientAttachProvider(NmrBindingHandle, self, table, *outs)
            self.statuses.append(status)
            if status != STATUS_NOINTERFACE:
                return status
        return STATUS_NOINTERFACE

    def detach(self, ClientBindingContext: Any) -> int:
        assert ClientBindingContext is self
        self.log.append("detach")
        if self.in_detach is not None:
            self.in_detach()
        answer: int = self.detach_answer
        return answer

    def cleanup(self, ClientBindingContext: Any) -> None:
        assert ClientBindingContext is self
        self.log.append("cleanup")

    def listener(self) -> Any:
        kind = (AF_INET6, SOCK_STREAM, IPPROTO_TCP, WSK_FLAG_LISTEN_SOCKET, None, None)
        create = self.dispatch.value.WskSocket
        return Request().issue(create, self.client.value, *kind, None, None, None).info


def attached(world: World, **versions: Any) -> Subsystem:
    host, _ = world.host()
    subsystem = Subsystem()
    subsystem.attach(host.stack.providers, world.env.executor, **versions)
    return subsystem


def test_attaching_to_a_provider_that_is_there(world: World) -> None:
    subsystem = attached(world)
    module = Module().register(subsystem.registrar)
    assert module.log == ["attach"]
    assert module.range == (ONE, MAKE_WSK_VERSION(1, 3))
    assert module.dispatch.value.Version == MAKE_WSK_VERSION(1, 3)
    socket = module.listener()
    assert close(socket).status == "STATUS_SUCCESS"
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS
    assert NmrWaitForClientDeregisterComplete(module.handle.value) == STATUS_SUCCESS
    assert module.log == ["attach", "detach", "cleanup"]


def test_attaching_to_a_provider_that_comes_later_and_to_the_next(world: World) -> None:
    host, _ = world.host()
    subsystem = Subsystem()
    module = Module().register(subsystem.registrar)
    assert module.log == []
    for _ in range(2):
        subsystem.attach(host.stack.providers, world.env.executor)
        assert module.log == ["attach"]
        assert close(module.listener()).status == "STATUS_SUCCESS"
        subsystem.detach()
        assert module.log == ["attach", "detach", "cleanup"]
        module.log.clear()
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS
    subsystem.attach(host.stack.providers, world.env.executor)
    assert module.log == []


def test_another_version_in_the_same_callback(world: World) -> None:
    subsystem = attached(world, HighestVersion=MAKE_WSK_VERSION(1, 1))
    module = Module(MAKE_WSK_VERSION(2, 0), MAKE_WSK_VERSION(1, 2), MAKE_WSK_VERSION(1, 1))
    module.register(subsystem.registrar)
    assert module.statuses == [STATUS_NOINTERFACE, STATUS_NOINTERFACE, STATUS_SUCCESS]
    assert module.range == (ONE, MAKE_WSK_VERSION(1, 1))
    assert close(module.listener()).status == "STATUS_SUCCESS"


def test_giving_up_an_attachment(world: World) -> None:
    module = Module(MAKE_WSK_VERSION(9, 0)).register(attached(world).registrar)
    assert module.client.value is None
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS
    assert module.log == ["attach"]  # there is nothing to detach from


def test_attaching_twice_or_too_late(world: World) -> None:
    subsystem = attached(world)
    module = Module().register(subsystem.registrar)
    again: Any = (module.binding, module, WSK_CLIENT_DISPATCH(ONE), Ref(), Ref())
    assert NmrClientAttachProvider(*again) == STATUS_INVALID_DEVICE_STATE
    subsystem.detach()
    assert NmrClientAttachProvider(*again) == STATUS_INVALID_DEVICE_STATE


def test_a_reserved_member_must_be_zero(world: World) -> None:
    module = Module()
    module.reserved = 1
    module.register(attached(world).registrar)
    assert module.statuses == [STATUS_INVALID_PARAMETER]


def test_detach_pending_until_the_sockets_are_closed(world: World) -> None:
    """The provider leaves: the socket is dead first, then the client is asked to let go."""
    subsystem = attached(world)
    module = Module(detach=STATUS_PENDING).register(subsystem.registrar)
    socket = module.listener()
    bound = Request()
    module.in_detach = lambda: bound.issue(socket.Dispatch.WskGetLocalAddress, socket, Ref())
    subsystem.detach()
    assert bound.status == "STATUS_FILE_FORCED_CLOSED"
    assert module.log == ["attach", "detach"]
    assert close(socket).status == "STATUS_SUCCESS"
    NmrClientDetachProviderComplete(module.binding)
    assert module.log == ["attach", "detach", "cleanup"]
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS


def test_deregister_pending_and_wait(world: World) -> None:
    subsystem = attached(world)
    module = Module(detach=STATUS_PENDING).register(subsystem.registrar)
    socket = module.listener()
    assert NmrDeregisterClient(module.handle.value) == STATUS_PENDING
    assert module.log == ["attach", "detach"]

    def close_and_complete() -> None:
        assert close(socket).status == "STATUS_SUCCESS"
        NmrClientDetachProviderComplete(module.binding)

    # The provider stays, and the socket works until it is closed.
    name: Ref[Any] = Ref()
    bind = Request().issue(socket.Dispatch.WskGetLocalAddress, socket, name)
    assert bind.status == "STATUS_INVALID_DEVICE_STATE"
    world.env.executor.submit(close_and_complete)
    assert NmrWaitForClientDeregisterComplete(module.handle.value) == STATUS_SUCCESS
    assert module.log == ["attach", "detach", "cleanup"]


def test_completing_inside_of_the_callback(world: World) -> None:
    """The completion may be faster than the callback's own STATUS_PENDING."""
    module = Module(detach=STATUS_PENDING).register(attached(world).registrar)
    module.in_detach = lambda: NmrClientDetachProviderComplete(module.binding)
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS
    assert module.log == ["attach", "detach", "cleanup"]


def test_completing_what_nobody_asked_for_is_a_bug_of_the_client(world: World) -> None:
    module = Module().register(attached(world).registrar)
    with pytest.raises(AssertionError, match="nobody asked for"):
        NmrClientDetachProviderComplete(module.binding)
    assert NmrDeregisterClient(module.handle.value) == STATUS_SUCCESS
    with pytest.raises(AssertionError, match="already given up"):
        NmrDeregisterClient(module.handle.value)


def test_a_thread_waits_and_the_stacks_own_may_not() -> None:
    with Real() as real:
        module = Module(detach=STATUS_PENDING).register(real.subsystem.registrar)
        handle = module.handle.value
        assert NmrDeregisterClient(handle) == STATUS_PENDING
        refused = real.inside(lambda: NmrWaitForClientDeregisterComplete(handle))
        assert isinstance(refused, StackThreadWait)
        waiting = Threaded(lambda: NmrWaitForClientDeregisterComplete(handle))
        assert waiting.running
        NmrClientDetachProviderComplete(module.binding)
        assert waiting.result() == STATUS_SUCCESS
        assert real.inside(lambda: NmrWaitForClientDeregisterComplete(handle)) == STATUS_SUCCESS


def test_clients_are_independent(world: World) -> None:
    subsystem = attached(world)
    first = Module().register(subsystem.registrar)
    second = Module(detach=STATUS_PENDING).register(subsystem.registrar)
    assert first.client.value is not second.client.value
    assert NmrDeregisterClient(first.handle.value) == STATUS_SUCCESS
    assert second.log == ["attach"]
    assert close(second.listener()).status == "STATUS_SUCCESS"


def test_characteristics_must_be_sound() -> None:
    module = Module()
    instance = NPI_REGISTRATION_INSTANCE(NPI_WSK_INTERFACE_ID)
    nothing: Any = None
    for about in (
        NPI_CLIENT_CHARACTERISTICS(nothing, module.detach, None, instance),
        NPI_CLIENT_CHARACTERISTICS(module.attach, nothing, None, instance),
        NPI_CLIENT_CHARACTERISTICS(module.attach, module.detach, None, nothing),
    ):
        handle: Any = Ref()
        assert NmrRegisterClient(about, None, handle, Registrar()) == STATUS_INVALID_PARAMETER
        assert handle.value is None


def test_a_callback_that_raises_or_lies_is_logged(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    subsystem = attached(world)

    def raises(*_: Any) -> int:
        raise RuntimeError("mine")

    def lies(*_: Any) -> int:
        return STATUS_SUCCESS

    instance = NPI_REGISTRATION_INSTANCE(NPI_WSK_INTERFACE_ID)
    with caplog.at_level(logging.ERROR):
        for attach in (raises, lies):
            handle: Any = Ref()
            about = NPI_CLIENT_CHARACTERISTICS(attach, lies, None, instance)
            assert NmrRegisterClient(about, None, handle, subsystem.registrar) == STATUS_SUCCESS
            assert NmrDeregisterClient(handle.value) == STATUS_SUCCESS
    assert "a callback of a network module raised" in caplog.text
    assert "ClientAttachProvider returned STATUS_SUCCESS, which is not so" in caplog.text


# Any interface.


class Server:
    """A provider module of an interface of its own."""

    def __init__(self, detach: int = STATUS_SUCCESS) -> None:
        self.log: list[str] = []
        self.handle: Any = Ref()
        self.binding: Any = None
        self.detach_answer: int = detach

    def register(self, registrar: Registrar, npi: str = "mine") -> Server:
        about = NPI_PROVIDER_CHARACTERISTICS(
            self.attach, self.detach, self.cleanup, NPI_REGISTRATION_INSTANCE(npi)
        )
        assert NmrRegisterProvider(about, self, self.handle, registrar) == STATUS_SUCCESS
        return self

    def attach(
        self, binding: Any, context: Any, instance: Any, theirs: Any, table: Any, *out: Any
    ) -> int:
        assert context is self
        self.binding = binding
        self.log.append(f"attach {theirs} {table}")
        out[0].value, out[1].value = "ours", "our table"
        return STATUS_SUCCESS

    def detach(self, context: Any) -> int:
        self.log.append(f"detach {context}")
        return self.detach_answer

    def cleanup(self, context: Any) -> None:
        self.log.append(f"cleanup {context}")


def client_of(registrar: Registrar, npi: str, log: list[str]) -> Any:
    def attach(binding: Any, context: Any, instance: Any) -> int:
        mine: Ref[Any] = Ref()
        table: Ref[Any] = Ref()
        status = NmrClientAttachProvider(binding, "theirs", "their table", mine, table)
        log.append(f"{mine.value}, {table.value}")
        return status

    about = NPI_CLIENT_CHARACTERISTICS(
        attach, lambda _: STATUS_SUCCESS, None, NPI_REGISTRATION_INSTANCE(npi)
    )
    handle: Any = Ref()
    assert NmrRegisterClient(about, None, handle, registrar) == STATUS_SUCCESS
    return handle.value


def test_interfaces_meet_their_own(world: World) -> None:
    registrar, log = Registrar(), list[str]()
    server = Server().register(registrar)
    client_of(registrar, "another", log)
    assert log == server.log == []
    client_of(registrar, "mine", log)
    assert log == ["ours, our table"]
    assert server.log == ["attach theirs their table"]


def test_a_provider_may_leave_slowly() -> None:
    registrar, log = Registrar(), list[str]()
    server = Server(STATUS_PENDING).register(registrar)
    client_of(registrar, "mine", log)
    assert NmrDeregisterProvider(server.handle.value) == STATUS_PENDING
    assert server.log[1:] == ["detach ours"]
    client_of(registrar, "mine", log)  # nobody is there any more
    assert len(log) == 1
    waiting = Threaded(lambda: NmrWaitForProviderDeregisterComplete(server.handle.value))
    NmrProviderDetachClientComplete(server.binding)
    assert waiting.result() == STATUS_SUCCESS
    assert server.log[2:] == ["cleanup ours"]
