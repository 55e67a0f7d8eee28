# SPDX-License-Identifier: MIT
"""Users of streams and listeners, for tests."""

from __future__ import annotations

from typing import Any

from stack.base import status
from stack.base.status import OK, PENDING
from stack.transport.seam import ListenerSink, Stream, StreamSink
from tests.harness import Host, World


class User(StreamSink):
    """Takes everything and grants it back, until told otherwise.

    limit   octets still taken; what is beyond stays with the transport
    keep    do not grant back
    """

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.parts: list[bytes] = []
        self.events: list[Any] = []
        self.troubles: list[str] = []
        self.backlogs: list[int] = []
        self.limit = 1 << 62
        self.keep = False
        self.kept = 0
        self.calls = 0

    @property
    def data(self) -> bytes:
        return b"".join(self.parts)

    @property
    def final(self) -> str:
        """Why the connection is gone, or nothing."""
        ends = [e[1] for e in self.events if isinstance(e, tuple) and e[0] == "aborted"]
        return ends[-1] if ends else ""

    def done(self, token: object, result: int, count: int) -> None:
        self.events.append((token, status.name(result), count))

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        self.calls += 1
        taken = min(count, self.limit)
        self.limit -= taken
        self.parts.append(b"".join(views)[:taken])
        if self.keep:
            self.kept += taken
        else:
            self.stream.grant(taken)
        return taken

    def urgent(self, left: int) -> None:
        self.events.append(("urgent", left))

    def troubled(self, result: int) -> None:
        self.troubles.append(status.name(result))

    def finished(self) -> None:
        self.events.append("finished")

    def aborted(self, result: int) -> None:
        self.events.append(("aborted", status.name(result)))

    def backlog_changed(self, ideal: int) -> None:
        self.backlogs.append(ideal)

    def send(self, data: bytes, token: object = "send", flags: int = 0) -> int:
        return self.stream.send([memoryview(data)] if data else [], len(data), flags, token)


class Acceptor(ListenerSink):
    """Accepts everything."""

    def __init__(self) -> None:
        self.users: list[User] = []

    def accepted(self, stream: Stream) -> StreamSink:
        user = User(stream)
        self.users.append(user)
        return user


def serve(host: Host, port: int = 80) -> Acceptor:
    """A listener for both families that accepts everything."""
    acceptor = Acceptor()
    listener = host.listener()
    listener.attach(acceptor)
    assert listener.bind(b"", port, 0) == OK
    return acceptor


def connect(host: Host, address: bytes, port: int = 80) -> User:
    """A stream that is about to connect."""
    stream = host.stream()
    user = User(stream)
    stream.attach(user)
    assert stream.bind(b"", 0, 0) == OK
    assert stream.connect(address, port, 0, "connect") == PENDING
    return user


def joined(world: World, a: Host, b: Host, family: int) -> tuple[User, User]:
    """Two ends of an established connection, opened by `a`."""
    acceptor = serve(b)
    user = connect(a, b.address(family))
    world.run(10**9)
    assert user.events == [("connect", "OK", 0)]
    return user, acceptor.users[-1]
