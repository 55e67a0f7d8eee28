# SPDX-License-Identifier: MIT
"""The life of IRPs in any order: issued, completed, cancelled, reused, freed, by a client that
breaks the rules as often as it keeps them, while sockets close and the provider comes and goes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.harness import World
from tests.wsk.kit import Party, bind, close
from wsk_api import (
    IRP,
    NT_SUCCESS,
    SOCKADDR_IN6,
    STATUS_INVALID_PARAMETER,
    STATUS_MORE_PROCESSING_REQUIRED,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_NO_WAIT,
    IoAllocateIrp,
    IoCancelIrp,
    IoFreeIrp,
    IoReuseIrp,
    IoSetCompletionRoutine,
    Ref,
    WskCaptureProviderNPI,
    WskDeregister,
    WskReleaseProviderNPI,
    wsk_buf,
)

IRPS = 4
numbers = st.integers(0, IRPS - 1)

IDLE, QUEUED, FREED = "idle", "queued", "freed"


class Tracked:
    """One IRP, what it ought to be, and how often its requests were told."""

    def __init__(self) -> None:
        self.renew()
        self.issued = self.told = 0
        self.again = 0  # requests its routine is to issue
        self.last: tuple[int, Any] = (0, 0)

    def renew(self) -> None:
        self.irp = IoAllocateIrp(1, False)
        self.state = IDLE
        self.cancelled = False


class Lives(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.world = World(seed=1)
        a, b = self.world.pair()
        self.party, self.peer = Party(self.world, a), Party(self.world, b)
        self.captures = 1
        self.irps = [Tracked() for _ in range(IRPS)]
        self.dead = False
        self.port = 100
        self.open: list[Any] = []
        self.new_sockets()

    def new_sockets(self) -> None:
        self.port += 1
        self.listener = self.party.listener(self.port)
        self.idle = self.party.socket(WSK_FLAG_CONNECTION_SOCKET)
        assert bind(self.idle).status == "STATUS_SUCCESS"
        self.open += [self.listener, self.idle]
        self.closed = False

    # What the client does with an IRP.

    def issue(self, each: Tracked, kind: str) -> None:
        """Issue: it is taken if it is idle, and refused untouched otherwise."""
        table, before = self.listener.Dispatch, each.state
        irp, told = each.irp, each.told
        if before == IDLE:
            IoSetCompletionRoutine(irp, self.completed, each, True, True, True)
            each.state = QUEUED
            each.issued += 1
        if kind == "accept":
            status = table.WskAccept(self.listener, 0, None, None, Ref(), Ref(), irp)
        elif kind == "connect":
            remote = SOCKADDR_IN6(9, self.peer.host.v6)
            status = self.idle.Dispatch.WskConnect(self.idle, remote, 0, irp)
        else:
            status = self.idle.Dispatch.WskSend(self.idle, wsk_buf(b"x"), 0, irp)
        if before != IDLE:
            assert status == STATUS_INVALID_PARAMETER
        elif status != STATUS_PENDING and each.told == told + 1:
            assert each.last[0] == status

    def completed(self, device: Any, irp: IRP, each: Tracked) -> int:
        assert irp is each.irp
        assert each.state == QUEUED
        each.state = IDLE
        each.told += 1
        each.last = (irp.IoStatus.Status, irp.IoStatus.Information)
        if not NT_SUCCESS(each.last[0]):
            assert each.last[1] == 0
        if hasattr(each.last[1], "Dispatch"):
            self.open.append(each.last[1])
        if each.again:
            each.again -= 1
            IoReuseIrp(irp)
            each.cancelled = False
            self.issue(each, "accept")
        return STATUS_MORE_PROCESSING_REQUIRED

    @rule(number=numbers, kind=st.sampled_from(["accept", "connect", "send"]), again=numbers)
    def issues(self, number: int, kind: str, again: int) -> None:
        each = self.irps[number]
        each.again = again
        self.issue(each, kind)

    @rule(number=numbers)
    def cancels(self, number: int) -> None:
        each = self.irps[number]
        if each.state == FREED:
            with pytest.raises(AssertionError, match="freed"):
                IoCancelIrp(each.irp)
            return
        each.again = 0
        told, queued = each.told, each.state == QUEUED
        if IoCancelIrp(each.irp):
            assert queued
            assert (each.told, each.state) == (told + 1, IDLE)
            assert each.last == (0xC0000120, 0)

    @rule(number=numbers)
    def reuses(self, number: int) -> None:
        each = self.irps[number]
        if each.state == IDLE:
            IoReuseIrp(each.irp)
            assert each.irp.IoStatus.Information == 0
        else:
            with pytest.raises(AssertionError, match=r"queued|freed"):
                IoReuseIrp(each.irp)

    @rule(number=numbers)
    def frees(self, number: int) -> None:
        each = self.irps[number]
        if each.state == IDLE:
            IoFreeIrp(each.irp)
            each.state = FREED
        else:
            with pytest.raises(AssertionError, match=r"queued|freed"):
                IoFreeIrp(each.irp)

    @rule(number=numbers)
    def allocates(self, number: int) -> None:
        if self.irps[number].state == FREED:
            self.irps[number].renew()

    # What happens around it.

    @rule()
    def a_peer_connects(self) -> None:
        remote = self.party.address(2, self.port)
        self.open.append(self.peer.connecting(remote)[0])

    @rule(span=st.sampled_from([0, 10**6, 10**9, 10**11]))
    def time_passes(self, span: int) -> None:
        self.world.run(span)

    @precondition(lambda self: not self.closed)
    @rule()
    def the_sockets_are_closed(self) -> None:
        for each in self.irps:
            each.again = 0
        for socket in (self.listener, self.idle):
            self.open.remove(socket)
            assert close(socket).status == "STATUS_SUCCESS"
        self.closed = True
        assert all(each.state != QUEUED for each in self.irps)

    @precondition(lambda self: self.closed and not self.dead)
    @rule()
    def sockets_are_made(self) -> None:
        self.new_sockets()

    @precondition(lambda self: not self.dead)
    @rule()
    def the_provider_leaves(self) -> None:
        for each in self.irps:
            each.again = 0
        self.party.subsystem.detach()
        self.dead = True
        assert all(each.state != QUEUED for each in self.irps)

    @precondition(lambda self: self.dead and self.closed)
    @rule()
    def a_provider_comes(self) -> None:
        party = self.party
        party.subsystem.attach(party.host.stack.providers, self.world.env.executor)
        status = WskCaptureProviderNPI(party.registration, WSK_NO_WAIT, party.npi)
        assert status == STATUS_SUCCESS
        self.captures += 1
        self.dead = False
        self.new_sockets()

    @invariant()
    def every_request_is_told_once(self) -> None:
        for each in self.irps:
            assert each.issued - each.told == (1 if each.state == QUEUED else 0)
            assert each.irp.queued == (each.state == QUEUED)

    def teardown(self) -> None:
        for each in self.irps:
            each.again = 0
        while self.open:
            assert close(self.open.pop()).status == "STATUS_SUCCESS"
        self.world.run(10**9)
        assert all(each.issued == each.told for each in self.irps)
        # Nothing is left that would hold up deregistration.
        for _ in range(self.captures):
            WskReleaseProviderNPI(self.party.registration)
        assert all(client.gone() for client in self.party.registration.clients())
        WskDeregister(self.party.registration)


Lives.TestCase.settings = settings(max_examples=30, stateful_step_count=40)
TestLives = Lives.TestCase
