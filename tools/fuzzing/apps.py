# SPDX-License-Identifier: MIT
"""The programs above a stack that is tried: listeners, sockets, and what they do when told to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack import Stack
from stack.base import addr
from stack.link.nic import Nic
from stack.transport.datagram_seam import Datagram, DatagramSink, Received
from stack.transport.naming import NameSink
from stack.transport.options import JOIN, LEAVE, Name
from stack.transport.seam import (
    INSPECT_ACCEPT,
    OPTION_FAST_OPEN,
    OPTION_INSPECT,
    Listener,
    ListenerSink,
    Stream,
    StreamSink,
)
from tools.fuzzing.frames import ABSENT, THEM

_BOTH: Final = addr.V4 | addr.V6
_GROUPS: Final = {4: ("224.0.0.251", "239.1.2.3"), 6: ("ff02::fb", "ff0e::1234")}


class Echoing(StreamSink):
    """Sends everything back; `taking` False leaves it where it is."""

    def __init__(self, stream: Stream, taking: bool = True) -> None:
        self.stream = stream
        self.taking = taking

    def received(self, views: list[memoryview], count: int, flags: int) -> int:
        if not self.taking:
            return 0
        self.stream.send([bytes(view) for view in views], count, 0, "echo")
        self.stream.grant(count)
        return count

    def finished(self) -> None:
        self.stream.disconnect("end")

    def aborted(self, status: int) -> None:
        self.stream.close()


class Door(ListenerSink):
    """Accepts everybody."""

    def __init__(self, taking: bool = True) -> None:
        self.taking = taking

    def accepted(self, stream: Stream) -> StreamSink:
        return Echoing(stream, self.taking)

    def inspect(self, ticket: int, local: Name, remote: Name) -> int:
        return INSPECT_ACCEPT


class Back(DatagramSink):
    """Answers every datagram."""

    def __init__(self, endpoint: Datagram, answering: bool) -> None:
        self.endpoint = endpoint
        self.answering = answering

    def received(self, batch: list[Received]) -> int:
        for one in batch:
            if self.answering and one.port:
                self.endpoint.send(
                    [bytes(one.view)], len(one.view), one.address, one.port, one.scope
                )
        self.endpoint.grant(sum(one.charge for one in batch))
        return len(batch)


class Apps:
    """Port 7 answers datagrams; 5353 listens to groups; 80 echoes, 82 with Fast Open, 83 after an
    inspection; 84 never takes what it is sent."""

    def __init__(self, stack: Stack, nic: Nic) -> None:
        self.stack = stack
        self.nic = nic
        self.streams: list[Stream] = []
        self._opened = 0
        self._listen(80)
        self._listen(82, OPTION_FAST_OPEN, 4)
        self._listen(83, OPTION_INSPECT, 1)
        self._listen(84, taking=False)
        self._udp = self._datagram(7, True)
        self._multicast = self._datagram(5353, False)
        self._raw = [self._open_raw(protocol) for protocol in (253, 44, 6)]
        for icmp in (stack.v4.icmp, stack.v6.icmp):
            icmp.listen(0x1234, lambda *_: None)
        self._calls: dict[str, Callable[[], object]] = {
            "connect4": lambda: self._connect(4),
            "connect6": lambda: self._connect(6),
            "send": lambda: [
                stream.send([bytes(3000)], 3000, 0, "sent") for stream in self.streams
            ],
            "close": lambda: [stream.disconnect("end") for stream in self.streams],
            "abort": self._abort,
            "udp4": lambda: self._udp.send([b"question"], 8, THEM[4], 9000, 0),
            "udp6": lambda: self._udp.send([b"question"], 8, THEM[6], 9000, 0),
            "ping4": lambda: stack.v4.icmp.echo(THEM[4], 0x1234, 1, bytes(8)),
            "ping6": lambda: stack.v6.icmp.echo(THEM[6], 0x1234, 1, bytes(8)),
            "raw": self._send_raw,
            "join": lambda: self._membership(JOIN),
            "leave": lambda: self._membership(LEAVE),
            "lookup": self._lookup,
            "address": self._address,
            "no-address": self._no_address,
            "route": lambda: stack.add_route("198.51.100.0", 24, nic, "10.77.0.3"),
            "no-route": lambda: stack.remove_route("198.51.100.0", 24, nic, "10.77.0.3"),
            "dhcp": self._configure,
            "down": lambda: stack.set_link(nic, up=False),
            "up": lambda: stack.set_link(nic, up=True),
        }

    def call(self, name: str) -> None:
        """Do what is called so; nothing if nothing is."""
        what = self._calls.get(name)
        if what is not None:
            what()

    def _listen(self, port: int, option: int = 0, value: int = 0, taking: bool = True) -> Listener:
        listener = self.stack.tcp.open_listener(_BOTH)
        listener.attach(Door(taking))
        if option:
            listener.set_option(option, value)
        listener.bind(b"", port, 0)
        return listener

    def _datagram(self, port: int, answering: bool) -> Datagram:
        endpoint = self.stack.udp.open_datagram(_BOTH)
        endpoint.attach(Back(endpoint, answering))
        endpoint.bind(b"", port, 0)
        return endpoint

    def _open_raw(self, protocol: int) -> Datagram:
        endpoint = self.stack.raw.open_raw(_BOTH, protocol)
        assert endpoint is not None
        endpoint.attach(Back(endpoint, False))
        endpoint.bind(b"", 0, 0)
        return endpoint

    def _send_raw(self) -> None:
        """To somebody who is not there, in headers that are none."""
        for endpoint in self._raw:
            for family in (4, 6):
                for data in (b"", b"\6", bytes(40)):
                    endpoint.send([data], len(data), ABSENT[family], 0, 0)

    def _connect(self, family: int) -> None:
        """Port 5000 and up to port 81 of the station."""
        if len(self.streams) >= 8:
            return
        stream = self.stack.tcp.open_stream(_BOTH)
        stream.attach(Echoing(stream))
        stream.bind(b"", 5000 + self._opened, 0)
        self._opened += 1
        stream.connect(THEM[family], 81, 0, "connected")
        self.streams.append(stream)

    def _abort(self) -> None:
        while self.streams:
            self.streams.pop().close()

    def _membership(self, action: int) -> None:
        for family in (4, 6):
            for group in _GROUPS[family]:
                self._multicast.membership(action, addr.parse(group), self.nic.index, b"")

    def _lookup(self) -> None:
        self.stack.resolver.find_addresses("a.local", _BOTH, False, NameSink(), object())

    def _configure(self) -> None:
        """Ask for an IPv4 address, if the stack knows how."""
        client = getattr(self.stack, "autoconf4", None)
        if client is not None:
            client(self.nic).start()

    def _address(self) -> None:
        self.stack.add_address(self.nic, "10.77.0.9", 24)
        self.stack.add_address(self.nic, "fd77::9", 64)

    def _no_address(self) -> None:
        for text in ("10.77.0.9", "fd77::9"):
            self.stack.remove_address(text)
