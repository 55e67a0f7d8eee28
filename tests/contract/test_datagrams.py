# SPDX-License-Identifier: MIT
"""The contract of datagrams: boundaries, order, retention, cancels, ends."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.transports import DATAGRAMS
from tests.harness import Host, World
from tests.wsk.kit import Party, Request, close, data_of, events
from tests.wsk.test_datagram import receive_from
from tests.wsk.test_messages import send_to
from wsk_api import (
    MSG_TRUNC,
    STATUS_INVALID_PARAMETER,
    STATUS_PENDING,
    STATUS_SUCCESS,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_EVENT_RECEIVE_FROM,
    IoCancelIrp,
)


class Ends:
    """A socket on each host; the far one keeps what it is told of."""

    def __init__(self, world: World, family: int, hosts: tuple[Host, Host]) -> None:
        self.world = world
        self.near, self.far = (Party(world, host) for host in hosts)
        self.kept: list[Any] = []
        self.a = self.near.datagram(1000)
        self.b = self.far.datagram(2000, WSK_CLIENT_DATAGRAM_DISPATCH(self._keep))
        self.to = self.far.address(family, 2000)

    def _keep(self, context: Any, flags: int, head: Any) -> int:
        if head is not None:
            self.kept.append(head)
        return STATUS_PENDING

    def send(self, data: bytes) -> Request:
        request = send_to(self.a, data, self.to)
        self.world.run(10**9)
        return request


@pytest.fixture(params=list(DATAGRAMS.values()), ids=list(DATAGRAMS))
def ends(request: pytest.FixtureRequest, world: World, family: int) -> Ends:
    return Ends(world, family, request.param(world))


def test_each_receive_takes_one_datagram(ends: Ends) -> None:
    reading = [receive_from(ends.b, 100) for _ in range(4)]
    for data in (b"one", b"", b"three"):
        assert ends.send(data).info == len(data)
    assert [request.info for request, *_ in reading[:3]] == [3, 0, 5]
    assert [bytes(memory[:5]) for _, memory, *_ in reading[:3]] == [b"one\0\0", bytes(5), b"three"]
    assert reading[3][0].pending


def test_what_does_not_fit_is_said(ends: Ends) -> None:
    request, memory, _, flags = receive_from(ends.b, 4)
    ends.send(b"too long")
    assert (request.info, bytes(memory), flags.value) == (4, b"too ", MSG_TRUNC)


def test_a_queued_receive_goes_before_the_event(ends: Ends) -> None:
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == "STATUS_SUCCESS"
    request, *_ = receive_from(ends.b, 10)
    ends.send(b"first")
    ends.send(b"second")
    assert request.info == 5
    assert [data_of(head) for head in ends.kept] == [b"second"]


def test_what_is_retained_stays_and_is_released_once(ends: Ends) -> None:
    assert events(ends.b, WSK_EVENT_RECEIVE_FROM) == "STATUS_SUCCESS"
    texts = [bytes([n]) * 1000 for n in range(20)]
    for text in texts:
        ends.send(text)
    release = ends.b.Dispatch.WskRelease
    assert [data_of(head) for head in ends.kept] == texts
    for head in ends.kept:
        assert release(ends.b, head) == STATUS_SUCCESS
        assert release(ends.b, head) == STATUS_INVALID_PARAMETER


def test_cancel(ends: Ends) -> None:
    first, second = receive_from(ends.b, 10)[0], receive_from(ends.b, 10)[0]
    assert IoCancelIrp(first.irp)
    ends.send(b"data")
    assert (first.status, second.info) == ("STATUS_CANCELLED", 4)
    assert not IoCancelIrp(second.irp)


def test_closing_ends_what_waits(ends: Ends) -> None:
    waiting = receive_from(ends.b, 10)[0]
    assert close(ends.b).status == "STATUS_SUCCESS"
    assert waiting.status == "STATUS_CANCELLED"
    assert ends.far.npi.Client.engine.outstanding == set()


def test_dead_provider(ends: Ends) -> None:
    waiting = receive_from(ends.b, 10)[0]
    ends.far.subsystem.detach()
    assert waiting.status == "STATUS_FILE_FORCED_CLOSED"
    assert receive_from(ends.b, 10)[0].status == "STATUS_FILE_FORCED_CLOSED"
    assert close(ends.b).status == "STATUS_SUCCESS"
