# SPDX-License-Identifier: MIT
"""Two WSK clients that do anything in any order: legal calls and illegal ones, cancels, closes,
events switched on and off, time passing.

Whatever they do, every IRP is completed exactly once, what a function returned agrees with how its
IRP ended, every octet that arrives is the next one that was sent, and when both have closed
everything nothing is left: no connection, no timer, no port, no work.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stack.base import addr
from stack.base.units import MS, SECOND
from tap.impair import Impairment
from tests.harness import World
from tests.wsk.kit import Party, Request, bind, data_of, disconnect, events
from wsk_api import (
    STATUS_SUCCESS,
    WSK_BUF,
    WSK_CLIENT_CONNECTION_DISPATCH,
    WSK_CLIENT_DATAGRAM_DISPATCH,
    WSK_CLIENT_LISTEN_DISPATCH,
    WSK_EVENT_DISABLE,
    WSK_EVENT_DISCONNECT,
    WSK_EVENT_RECEIVE,
    WSK_EVENT_RECEIVE_FROM,
    WSK_FLAG_CONNECTION_SOCKET,
    WSK_FLAG_LISTEN_SOCKET,
    IoCancelIrp,
    Ref,
    wsk_buf,
)

CONNECTION, LISTEN, DATAGRAM = "connection", "listen", "datagram"
STATE = "STATUS_INVALID_DEVICE_STATE"
GONE = 10 * 60 * SECOND


class Told(Request):
    """A request that says when it is over."""

    def __init__(self, over: Callable[[str, Any], None] = lambda status, info: None) -> None:
        super().__init__()
        self._over = over

    def _done(self, device: Any, irp: Any, context: Any) -> int:
        answer = super()._done(device, irp, context)
        self._over(*self.ends[-1])
        return answer


class Known:
    """A socket as its client knows it."""

    def __init__(self, machine: Machine, who: int, category: str, handle: Any = None) -> None:
        self.machine = machine
        self.who = who
        self.category = category
        self.bound = self.connected = handle is not None
        self.closed = False
        self.tried = False  # a connect was issued
        self.ended = False  # a disconnect was
        self.sent = bytearray()
        self.got = bytearray()
        self.handle = handle
        self.peer: Known | None = None
        self.events = 0

    @property
    def party(self) -> Party:
        return self.machine.parties[self.who]

    def table(self) -> Any:
        if self.category == CONNECTION:
            return WSK_CLIENT_CONNECTION_DISPATCH(self.arrived, self.hung_up)
        if self.category == DATAGRAM:
            return WSK_CLIENT_DATAGRAM_DISPATCH(self.datagrams)
        return WSK_CLIENT_LISTEN_DISPATCH()

    def arrived(self, context: Any, flags: int, node: Any, count: int, accepted: Any) -> int:
        if node is not None:
            self.got += data_of(node)
        return STATUS_SUCCESS

    def hung_up(self, context: Any, flags: int) -> int:
        return STATUS_SUCCESS

    def datagrams(self, context: Any, flags: int, node: Any) -> int:
        while node is not None:
            assert bytes(node.Buffer.Mdl.view) == bytes(len(node.Buffer.Mdl.view))
            node = node.Next
        return STATUS_SUCCESS


class Machine(RuleBasedStateMachine):
    """Parties 0 and 1; sockets and requests of both."""

    @initialize(
        seed=st.integers(0, 2**32),
        family=st.sampled_from((addr.V4, addr.V6)),
        loss=st.sampled_from((0.0, 0.05)),
    )
    def begin(self, seed: int, family: int, loss: float) -> None:
        self.world = World(seed)
        wire = Impairment(loss=loss, delay=5 * MS) if loss else None
        hosts = self.world.pair(there=wire, back=wire)
        self.hosts = hosts
        self.family = family
        self.parties = [Party(self.world, host) for host in hosts]
        self.sockets: list[Known] = []
        self.requests: list[Request] = []
        self.ports = 0
        for who in (0, 1):
            self.make(who, LISTEN)
            assert bind(self.sockets[-1].handle, 0).status == "STATUS_SUCCESS"
            self.sockets[-1].bound = True
            self.make(who, DATAGRAM)
        self.meet(0)
        self.meet(1)

    # Helpers.

    def some(self, *categories: str) -> list[Known]:
        return [s for s in self.sockets if not s.closed and s.category in categories]

    def issued(self, request: Request) -> Request:
        self.requests.append(request)
        return request

    def pick(self, index: int, *categories: str) -> Known | None:
        found = self.some(*categories)
        return found[index % len(found)] if found else None

    def has(self, *categories: str) -> bool:
        return bool(self.some(*categories))

    # Making, binding, closing.

    @precondition(lambda self: len(self.some(CONNECTION, LISTEN, DATAGRAM)) < 12)
    @rule(who=st.integers(0, 1), category=st.sampled_from((CONNECTION, LISTEN, DATAGRAM)))
    def make(self, who: int, category: str) -> None:
        known = Known(self, who, category)
        if category == DATAGRAM:
            self.ports += 1
            known.handle = known.party.datagram(9000 + self.ports, known.table())
            known.bound = True
        else:
            listening = category == LISTEN
            flags = WSK_FLAG_LISTEN_SOCKET if listening else WSK_FLAG_CONNECTION_SOCKET
            known.handle = known.party.socket(flags, known.table())
        self.sockets.append(known)

    @rule(index=st.integers(0, 50))
    def bind_one(self, index: int) -> None:
        known = self.pick(index, CONNECTION, LISTEN)
        if known is None:
            return
        request = self.issued(bind(known.handle, 0))
        assert request.status == (STATE if known.bound else "STATUS_SUCCESS")
        known.bound = True

    @rule(index=st.integers(0, 50))
    def close_one(self, index: int) -> None:
        known = self.pick(index, CONNECTION, LISTEN, DATAGRAM)
        if known is not None:
            self.close(known)

    def close(self, known: Known) -> None:
        known.closed = True
        close = known.handle.Dispatch.WskCloseSocket
        assert self.issued(Request().issue(close, known.handle)).status == "STATUS_SUCCESS"

    # Connecting.

    @precondition(lambda self: len(self.some(CONNECTION, LISTEN, DATAGRAM)) < 12)
    @rule(who=st.integers(0, 1))
    def meet(self, who: int) -> None:
        """The ordinary way to a connection, so that there are some."""
        listeners = [s for s in self.some(LISTEN) if s.who != who and s.bound]
        if listeners:
            self.accept(self.some(LISTEN).index(listeners[0]))
            self.make(who, CONNECTION)
            known = self.sockets[-1]
            assert bind(known.handle, 0).status == "STATUS_SUCCESS"
            known.bound = True
            self.connect(self.some(CONNECTION).index(known), self.some(LISTEN).index(listeners[0]))
            self.wait(100 * MS)

    @rule(index=st.integers(0, 50), which=st.integers(0, 50))
    def connect(self, index: int, which: int) -> None:
        known, listener = self.pick(index, CONNECTION), self.pick(which, LISTEN)
        if known is None:
            return
        port = self.port_of(listener) if listener is not None and listener.bound else 9
        where = self.parties[1 - known.who if listener is None else listener.who]
        remote = where.address(self.family, port)

        def over(status: str, info: Any) -> None:
            known.connected |= status == "STATUS_SUCCESS"

        call = known.handle.Dispatch.WskConnect
        request = self.issued(Told(over).issue(call, known.handle, remote, 0))
        if not known.bound or known.connected:
            assert request.status == STATE
        elif not known.tried:
            assert request.returned != STATE
        known.tried |= known.bound

    def port_of(self, known: Known) -> int:
        out: Ref[Any] = Ref()
        get = known.handle.Dispatch.WskGetLocalAddress
        assert self.issued(Request().issue(get, known.handle, out)).status == "STATUS_SUCCESS"
        assert out.value is not None
        return int(out.value.sin6_port)

    @rule(index=st.integers(0, 50))
    def accept(self, index: int) -> None:
        listener = self.pick(index, LISTEN)
        if listener is None:
            return
        taken = Known(self, listener.who, CONNECTION)

        def over(status: str, info: Any) -> None:
            if status == "STATUS_SUCCESS":
                taken.handle, taken.bound, taken.connected = info, True, True
                self.sockets.append(taken)

        call = listener.handle.Dispatch.WskAccept
        request = Told(over).issue(call, listener.handle, 0, None, taken.table(), Ref(), Ref())
        self.issued(request)
        if not listener.bound:
            assert request.status == STATE

    # Data.

    @rule(index=st.integers(0, 50), size=st.sampled_from((1, 100, 5000, 70_000)))
    def send(self, index: int, size: int) -> None:
        known = self.pick(index, CONNECTION)
        if known is None:
            return
        start = len(known.sent)
        data = bytes((start + n) % 251 for n in range(size))
        call = known.handle.Dispatch.WskSend
        request = self.issued(Told().issue(call, known.handle, wsk_buf(data), 0))
        if not known.connected or known.ended:
            assert request.status != "STATUS_SUCCESS"
        elif request.returned in ("STATUS_PENDING", "STATUS_SUCCESS"):
            known.sent += data

    @rule(index=st.integers(0, 50), room=st.sampled_from((0, 10, 4000, 100_000)))
    def receive(self, index: int, room: int) -> None:
        known = self.pick(index, CONNECTION)
        if known is None:
            return
        memory = bytearray(room)

        def over(status: str, info: Any) -> None:
            if status == "STATUS_SUCCESS":
                known.got += memory[:info]

        buffer = wsk_buf(memory) if room else WSK_BUF(None, 0, 0)
        call = known.handle.Dispatch.WskReceive
        request = self.issued(Told(over).issue(call, known.handle, buffer, 0))
        if not known.connected:
            assert request.status != "STATUS_SUCCESS"

    @rule(who=st.integers(0, 1), span=st.sampled_from((0, 100 * MS)))
    def everybody_reads(self, who: int, span: int) -> None:
        for index, known in enumerate(self.some(CONNECTION)):
            if known.who == who and known.connected:
                self.receive(index, 100_000)
        self.wait(span)

    @rule(index=st.integers(0, 50), abortive=st.booleans())
    def hang_up(self, index: int, abortive: bool) -> None:
        known = self.pick(index, CONNECTION)
        if known is None:
            return
        request = self.issued(disconnect(known.handle, flags=1 if abortive else 0))
        if not known.connected:
            assert request.status == STATE
        else:
            known.ended = True

    @rule(index=st.integers(0, 50), which=st.integers(0, 50), size=st.integers(0, 1200))
    def send_to(self, index: int, which: int, size: int) -> None:
        known, other = self.pick(index, DATAGRAM), self.pick(which, DATAGRAM)
        if known is None or other is None:
            return
        to = other.party.address(self.family, self.port_of(other))
        call = known.handle.Dispatch.WskSendTo
        self.issued(Request().issue(call, known.handle, wsk_buf(bytes(size)), 0, to, 0, None))

    @rule(index=st.integers(0, 50))
    def receive_from(self, index: int) -> None:
        known = self.pick(index, DATAGRAM)
        if known is None:
            return
        call = known.handle.Dispatch.WskReceiveFrom
        outs: tuple[Any, ...] = (Ref(), Ref(0), None, Ref(0))
        self.issued(Request().issue(call, known.handle, wsk_buf(bytearray(2000)), 0, *outs))

    # Events, cancels, time.

    @rule(index=st.integers(0, 50), wanted=st.booleans())
    def switch_events(self, index: int, wanted: bool) -> None:
        known = self.pick(index, CONNECTION, DATAGRAM)
        if known is None:
            return
        if known.category == DATAGRAM:
            mask = WSK_EVENT_RECEIVE_FROM
        else:
            mask = WSK_EVENT_RECEIVE | (WSK_EVENT_DISCONNECT if wanted else 0)
        answer = events(known.handle, mask if wanted else mask | WSK_EVENT_DISABLE)
        if wanted and not (known.bound and (known.connected or known.category == DATAGRAM)):
            assert answer != "STATUS_SUCCESS"

    @rule(index=st.integers(0, 500))
    def cancel(self, index: int) -> None:
        waiting = [request for request in self.requests if request.pending]
        if waiting:
            request = waiting[index % len(waiting)]
            if IoCancelIrp(request.irp):
                assert request.status == "STATUS_CANCELLED"

    @rule(span=st.sampled_from((0, MS, 100 * MS, 3 * SECOND)))
    def wait(self, span: int) -> None:
        self.world.run(span)

    # What always holds.

    @invariant()
    def every_request_ends_once(self) -> None:
        for request in getattr(self, "requests", ()):
            assert len(request.ends) <= 1
            if request.returned and request.returned != "STATUS_PENDING":
                assert request.status == request.returned

    @invariant()
    def octets_arrive_in_order(self) -> None:
        for known in getattr(self, "sockets", ()):
            expected = bytes(n % 251 for n in range(len(known.got)))
            assert known.got == expected

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        for known in list(self.sockets):
            if not known.closed:
                self.close(known)
        self.world.run(GONE)
        for known in list(self.sockets):  # accepted while the others were closing
            if not known.closed:
                self.close(known)
        self.world.run(GONE)
        for request in self.requests:
            assert request.status
        for host in self.hosts:
            assert host.stack.tcp.connections() == []
            assert host.tcp_timers() == []
            assert host.stack.tcp.ports.in_use() == 0
            assert host.stack.udp.ports.in_use() == 0
            assert not host.stack.busy()


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=100, stateful_step_count=60)
