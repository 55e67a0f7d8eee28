# SPDX-License-Identifier: MIT
"""The system calls of a script, by name.

Each takes the table of descriptors and the arguments, and returns its result, raises
`CallError` with the name of an errno, or is a generator that yields what it waits for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from stack.base import addr
from stack.base.units import MS
from tools.drill import sockopts
from tools.drill.constants import CONSTANTS
from tools.drill.outcome import CallError, Failure, Unsupported
from tools.drill.script import IGNORED, Name, Struct
from tools.drill.settings import Settings
from tools.drill.sockets import Socket, TcpSocket, UdpSocket, Waiting
from tools.drill.world import World

_SEND_FLAGS: Final = ("MSG_OOB", "MSG_DONTWAIT", "MSG_NOSIGNAL", "MSG_DONTROUTE", "MSG_FASTOPEN")
_RECEIVE_FLAGS: Final = ("MSG_PEEK", "MSG_DONTWAIT", "MSG_WAITALL", "MSG_TRUNC", "MSG_NOSIGNAL")
_NONBLOCK: Final = CONSTANTS["O_NONBLOCK"]
Address = tuple[bytes, int]


class Calls:
    """The descriptors of one script and the calls on them."""

    def __init__(self, world: World, opened: Callable[[str, TcpSocket, int, int], None]) -> None:
        self._world = world
        self._settings: Settings = world.settings
        self._opened = opened
        self.sockets: dict[int, Socket] = {}
        self.wanted = 0  # the descriptor the script expects next

    def find(self, name: str) -> Callable[[list[Any]], int | Waiting]:
        """The call of this name."""
        call = getattr(self, "sys_" + name, None)
        if call is None:
            raise Unsupported(f"system call {name}")
        found: Callable[[list[Any]], int | Waiting] = call
        return found

    # Arguments.

    def _socket(self, fd: Any) -> Socket:
        if fd not in self.sockets:
            raise CallError("EBADF")
        return self.sockets[fd]

    def _tcp(self, fd: Any) -> TcpSocket:
        socket = self._socket(fd)
        if not isinstance(socket, TcpSocket):
            raise CallError("EOPNOTSUPP")
        return socket

    def _new(self, socket: Socket) -> int:
        fd = self.wanted if self.wanted > 2 else 3  # a script may give a number another meaning
        while fd in self.sockets and fd != self.wanted:
            fd += 1
        self.sockets[fd] = socket
        return fd

    def _address(self, given: Any, own: bool) -> Address:
        """The live address for the one in the script; `...` is the usual one."""
        builder = self._world.builder
        usual = builder.local if own else builder.remote
        if not isinstance(given, Struct):
            port = self._settings.bind_port if own else self._settings.connect_port
            return b"" if own else usual, port
        fields = given.fields
        port = fields.get("sin_port", fields.get("sin6_port", 0))
        text = fields.get("sin_addr", fields.get("sin6_addr", IGNORED))
        if isinstance(text, Struct):
            text = next(iter(text.fields.values()), IGNORED)
        if text in (0, "0.0.0.0", "::") or (text is IGNORED and own):
            address = b""
        elif text is IGNORED or not isinstance(text, str):
            address = usual
        else:
            address = addr.parse(text)
            if addr.is_mapped(address):
                address = address[12:]
            if len(address) != len(usual):
                address = usual
        return address, port if isinstance(port, int) else 0

    def _number(self, value: Any, what: str) -> int:
        if isinstance(value, Name):
            raise Unsupported(value.text)
        if not isinstance(value, int):
            raise Failure(f"{what} is not a number")
        return value

    def _flags(self, value: Any, known: tuple[str, ...]) -> set[str]:
        number = self._number(value, "flags")
        found = {name for name in known if number & CONSTANTS[name]}
        rest = number & ~sum(CONSTANTS[name] for name in found)
        if rest:
            names = [n for n, v in CONSTANTS.items() if n.startswith("MSG_") and rest & v]
            raise Unsupported(" ".join(names) or f"flags {rest:#x}")
        return found

    @staticmethod
    def _iov_size(iov: Any) -> int:
        if not isinstance(iov, list):
            raise Unsupported("this way to write an iovec")
        total = 0
        for part in iov:
            size = list(part.fields.values())[1] if isinstance(part, Struct) else IGNORED
            if not isinstance(size, int):
                raise Unsupported("an iovec without a length")
            total += size
        return total

    # Making and ending sockets.

    def sys_socket(self, args: list[Any]) -> int:
        domain, kind = args[0], self._number(args[1], "the type")
        if domain is IGNORED:
            domain = CONSTANTS["AF_INET" if self._settings.ip_version == "ipv4" else "AF_INET6"]
        mapped = self._settings.ip_version == "ipv4-mapped-ipv6"
        families = {
            CONSTANTS["AF_INET"]: addr.V4,
            CONSTANTS["AF_INET6"]: addr.V4 | addr.V6 if mapped else addr.V6,
        }.get(domain)
        if families is None:
            raise CallError("EAFNOSUPPORT")
        base = kind & 0xF
        socket: Socket
        usual = {1: CONSTANTS["IPPROTO_TCP"], 2: CONSTANTS["IPPROTO_UDP"]}.get(base)
        if isinstance(args[2], int) and usual is not None and args[2] not in (0, usual):
            raise CallError("EPROTONOSUPPORT")
        if base == CONSTANTS["SOCK_STREAM"]:
            socket = TcpSocket(self._world, families)
        elif base == CONSTANTS["SOCK_DGRAM"]:
            socket = UdpSocket(self._world, families)
        else:
            raise Unsupported("raw sockets")
        socket.nonblocking = bool(kind & CONSTANTS["SOCK_NONBLOCK"])
        return self._new(socket)

    def sys_bind(self, args: list[Any]) -> int:
        socket = self._socket(args[0])
        assert isinstance(socket, TcpSocket | UdpSocket)
        return socket.bind(*self._address(args[1], own=True))

    def sys_listen(self, args: list[Any]) -> int:
        socket = self._tcp(args[0])
        socket.listen()
        assert socket.bound is not None
        self._opened("listen", socket, socket.bound[1], 0)
        return 0

    def sys_accept(self, args: list[Any]) -> Waiting:
        return self._accept(args, 0)

    def sys_accept4(self, args: list[Any]) -> Waiting:
        return self._accept(args, self._number(args[3], "flags"))

    def _accept(self, args: list[Any], flags: int) -> Waiting:
        listener = self._tcp(args[0])
        child = yield from listener.accept(listener.nonblocking)
        child.nonblocking = bool(flags & CONSTANTS["SOCK_NONBLOCK"])
        child.options = dict(listener.options)
        child.linger = listener.linger
        child.receive_buffer = listener.receive_buffer
        child.send_buffer = listener.send_buffer
        sockopts.inherit(child)
        fd = self._new(child)
        self._opened("accept", child, *self._ports(child))
        return fd

    @staticmethod
    def _ports(socket: TcpSocket) -> tuple[int, int]:
        local, remote = socket.stream.local_name(), socket.stream.remote_name()
        return local.port if local else 0, remote.port if remote else 0

    def sys_connect(self, args: list[Any]) -> int | Waiting:
        socket = self._socket(args[0])
        address, port = self._address(args[1], own=False)
        if isinstance(socket, UdpSocket):
            return socket.connect(address, port)
        tcp = self._tcp(args[0])
        return self._connect(tcp, port, tcp.connect(address, port))

    def _connect(self, socket: TcpSocket, port: int, call: Waiting) -> Waiting:
        """A call that may begin a connection."""
        before = socket.connecting
        try:
            wait = next(call)
        except StopIteration as end:
            return int(end.value)
        finally:
            if socket.connecting and not before:
                self._opened("connect", socket, self._ports(socket)[0], port)
        yield wait
        return (yield from call)

    def sys_close(self, args: list[Any]) -> int | Waiting:
        socket = self._socket(args[0])
        del self.sockets[args[0]]
        socket.close()
        if isinstance(socket, TcpSocket) and socket.linger[0] and socket.linger[1]:
            return self._linger(socket)
        return 0

    def _linger(self, socket: TcpSocket) -> Waiting:
        until = self._world.now + socket.linger[1] * 1000 * MS
        self._alarm(until)
        yield lambda: socket.fin_done or socket.gone or self._world.now >= until
        return 0

    def sys_shutdown(self, args: list[Any]) -> int:
        socket = self._socket(args[0])
        assert isinstance(socket, TcpSocket | UdpSocket)
        return socket.shutdown(self._number(args[1], "how"))

    # Data.

    def _buffer(self, args: list[Any]) -> int:
        """The size of a buffer that is the second and third argument."""
        size = self._number(args[2], "count")
        if args[1] == 0 and size:
            raise CallError("EFAULT")
        return size

    def sys_read(self, args: list[Any]) -> int | Waiting:
        return self._receive(args[0], self._buffer(args), 0)

    def sys_recv(self, args: list[Any]) -> int | Waiting:
        return self._receive(args[0], self._buffer(args), args[3])

    def sys_recvfrom(self, args: list[Any]) -> int | Waiting:
        return self.sys_recv(args)

    def sys_readv(self, args: list[Any]) -> int | Waiting:
        return self._receive(args[0], self._iov_size(args[1]), 0)

    def sys_recvmsg(self, args: list[Any]) -> int | Waiting:
        message = args[1]
        if not isinstance(message, Struct) or "msg_control" in message.fields:
            raise Unsupported("control messages")
        return self._receive(args[0], self._iov_size(message.get("msg_iov")), args[2])

    def _receive(self, fd: Any, count: int, flags: Any) -> int | Waiting:
        socket = self._socket(fd)
        names = self._flags(flags, _RECEIVE_FLAGS)
        nonblocking = socket.nonblocking or "MSG_DONTWAIT" in names
        peek = "MSG_PEEK" in names
        if isinstance(socket, UdpSocket):
            return socket.receive(count, peek, nonblocking)
        return self._tcp(fd).receive(count, peek, "MSG_WAITALL" in names, nonblocking)

    def sys_write(self, args: list[Any]) -> int | Waiting:
        return self._send(args[0], self._buffer(args), 0)

    def sys_send(self, args: list[Any]) -> int | Waiting:
        return self._send(args[0], self._buffer(args), args[3])

    def sys_sendto(self, args: list[Any]) -> int | Waiting:
        to = self._address(args[4], own=False) if isinstance(args[4], Struct) else None
        if args[4] is IGNORED and isinstance(self._socket(args[0]), UdpSocket):
            to = self._address(IGNORED, own=False)
        return self._send(args[0], self._buffer(args), args[3], to)

    def sys_writev(self, args: list[Any]) -> int | Waiting:
        return self._send(args[0], self._iov_size(args[1]), 0)

    def sys_sendmsg(self, args: list[Any]) -> int | Waiting:
        message = args[1]
        if not isinstance(message, Struct) or "msg_control" in message.fields:
            raise Unsupported("control messages")
        name = message.get("msg_name")
        to = self._address(name, own=False) if isinstance(name, Struct | type(IGNORED)) else None
        return self._send(args[0], self._iov_size(message.get("msg_iov")), args[2], to)

    def _send(self, fd: Any, count: int, flags: Any, to: Address | None = None) -> int | Waiting:
        socket = self._socket(fd)
        names = self._flags(flags, _SEND_FLAGS)
        if isinstance(socket, UdpSocket):
            return socket.send(count, to)
        nonblocking = socket.nonblocking or "MSG_DONTWAIT" in names
        tcp = self._tcp(fd)
        idle = not (tcp.connected or tcp.connecting or tcp.gone)
        asked = "MSG_FASTOPEN" in names
        if idle and (asked or (tcp.implied and not self._settings.policy.defers_connect)):
            to = to or self._address(IGNORED, own=False)
            call = tcp.connect_early(count, *to, nonblocking, queue=not asked)
            return self._connect(tcp, to[1], call)
        if idle and tcp.deferred is not None:
            call = tcp.send(count, "MSG_OOB" in names, nonblocking)
            return self._connect(tcp, tcp.deferred[1], call)
        return tcp.send(count, "MSG_OOB" in names, nonblocking)

    # Options and states.

    def sys_getsockopt(self, args: list[Any]) -> int:
        socket = self._socket(args[0])
        key = sockopts.option_key(args[1], args[2])
        sockopts.compare(key, args[3], sockopts.read_option(socket, key))
        return 0

    def sys_setsockopt(self, args: list[Any]) -> int:
        key = sockopts.option_key(args[1], args[2])
        return sockopts.set_option(self._socket(args[0]), key, args[3])

    def sys_fcntl(self, args: list[Any]) -> int:
        socket, command = self._socket(args[0]), args[1]
        if command == CONSTANTS["F_GETFL"]:
            return CONSTANTS["O_RDWR"] | (_NONBLOCK if socket.nonblocking else 0)
        if command == CONSTANTS["F_SETFL"]:
            value = self._number(args[2], "flags")
            socket.nonblocking = bool(value & _NONBLOCK)
            return 0
        if command in (CONSTANTS["F_GETFD"], CONSTANTS["F_SETFD"]):
            return 0
        raise Unsupported("this fcntl")

    def sys_ioctl(self, args: list[Any]) -> int:
        socket, command = self._socket(args[0]), self._number(args[1], "the request")
        if command == CONSTANTS["FIONBIO"]:
            given = args[2][0] if isinstance(args[2], list) else args[2]
            socket.nonblocking = bool(given)
            return 0
        tcp = self._tcp(args[0])
        if command == CONSTANTS["SIOCINQ"]:
            actual = tcp.available
        elif command == CONSTANTS["SIOCOUTQ"]:
            actual = tcp.unsent()[0]
        elif command == CONSTANTS["SIOCOUTQNSD"]:
            actual = tcp.unsent()[1]
        else:
            raise Unsupported("this ioctl")
        expected = args[2][0] if isinstance(args[2], list) and args[2] else IGNORED
        if expected is not IGNORED and expected != actual:
            raise Failure(f"ioctl: expected: {expected} vs actual: {actual}")
        return 0

    def sys_poll(self, args: list[Any]) -> Waiting:
        entries = [entry.fields for entry in args[0] if isinstance(entry, Struct)]
        timeout = self._number(args[2], "the timeout")
        until = None if timeout < 0 else self._world.now + timeout * MS
        if until is not None and timeout:
            self._alarm(until)

        def answers() -> list[int]:
            always = CONSTANTS["POLLERR"] | CONSTANTS["POLLHUP"]
            return [
                self._socket(e["fd"]).events() & (self._number(e["events"], "events") | always)
                for e in entries
            ]

        while not any(answers()) and (until is None or self._world.now < until):
            yield lambda: any(answers()) or (until is not None and self._world.now >= until)
        for entry, answer in zip(entries, answers(), strict=True):
            expected = entry.get("revents", IGNORED)
            if expected is not IGNORED and expected != answer:
                raise Failure(f"revents: expected: {expected:#x} vs actual: {answer:#x}")
        return sum(1 for answer in answers() if answer)

    def _alarm(self, when: int) -> None:
        """Make sure that the world does not sleep past `when`."""
        self._world.alarm(when)
