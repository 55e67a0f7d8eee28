# SPDX-License-Identifier: MIT
"""TCP: `TcpStream`, the `Stream` a user holds, before, during and after a connection.

Names and options before there is a Tcb; afterwards each call is a line to `user` or `ending`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from stack.base import addr, status
from stack.base.units import View
from stack.tcp import backlog, ending, preferences, statistics, user
from stack.tcp.congestion import ALGORITHMS
from stack.tcp.names import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_2,
    LAST_ACK,
    TIME_WAIT,
)
from stack.tcp.tcb import Tcb
from stack.transport.options import BOTH, Claim, Name
from stack.transport.ports import Binding
from stack.transport.seam import Listener, Stream, StreamSink

if TYPE_CHECKING:
    from stack.tcp.protocol import TcpProtocol

SILENT: Final = StreamSink()
"""The sink of a stream nobody has claimed: takes nothing."""
_UNTOLD: Final[dict[int, dict[int, int]]] = {4: {}, 16: {}}
"""The options of a stream that was told none; never written to."""


class TcpStream(Stream):
    """One TCP socket of the connecting or accepted kind."""

    __slots__ = (
        "_binding",
        "_congestion",
        "_families",
        "_options",
        "_protocol",
        "_tcb",
        "_ticket",
        "sink",
    )

    def __init__(self, protocol: TcpProtocol, families: int) -> None:
        self.sink: StreamSink = SILENT
        self._protocol = protocol
        self._families = families
        self._binding: Binding | None = None
        self._tcb: Tcb | None = None
        self._options = _UNTOLD  # by length of address
        self._congestion = ""  # the name chosen for this stream, if one was
        self._ticket = 0

    def attach(self, sink: StreamSink) -> None:
        self.sink = sink

    def adopt(self, tcb: Tcb, ticket: int = 0) -> None:
        """This stream is for `tcb`."""
        self._tcb = tcb
        self._ticket = ticket
        tcb.endpoint = self
        options = self._options[len(tcb.remote)]
        if options:
            preferences.apply_all(tcb, options)
        if self._congestion:
            user.change_congestion(tcb, self._congestion)

    def bind(self, address: bytes, port: int, sharing: int, claim: Claim | None = None) -> int:
        if self._binding is not None or self._tcb is not None:
            return status.STATE
        if address and not self._protocol.may_bind(address, self._families):
            return status.NOT_LOCAL
        result, self._binding = self._protocol.ports.bind(
            self._families, address, port, sharing, claim
        )
        return result

    def connect(self, address: bytes, port: int, scope: int, token: object) -> int:
        if self._binding is None or not self._may_connect():
            return status.STATE
        if not 0 < port < 65536 or not addr.family(address) & self._families:
            return status.INVALID
        own = self._binding.address
        if own and len(own) != len(address):
            return status.INVALID
        result, tcb = self._protocol.connect(address, port, scope, own, self._binding.port)
        if tcb is None:
            return result
        self.adopt(tcb)
        user.open_active(tcb, token)
        return status.PENDING

    def _may_connect(self) -> bool:
        """Not connected yet, or an attempt failed: then it may be made again."""
        tcb = self._tcb
        return tcb is None or (tcb.state == CLOSED and not tcb.snd.una_at)

    def send(self, views: Sequence[View], count: int, flags: int, token: object) -> int:
        if self._tcb is None:
            return status.NOT_CONNECTED
        return user.send(self._tcb, views, count, flags, token)

    def resume(self) -> None:
        if self._tcb is not None:
            self._tcb.paused = False
            self._protocol.work.mark(self._tcb)

    def grant(self, count: int) -> None:
        if self._tcb is not None and count:
            user.grant(self._tcb, count)

    def backlog(self) -> int:
        return 0 if self._tcb is None else self._tcb.recvq.size

    def disconnect(self, token: object) -> int:
        if self._tcb is None:
            return status.NOT_CONNECTED
        return user.disconnect(self._tcb, token)

    def abort(self) -> None:
        if self._tcb is not None:
            ending.abort(self._tcb)

    def close(self) -> None:
        tcb = self._tcb
        if tcb is not None:
            tcb.endpoint = None
            if tcb.state != CLOSED and (tcb.state not in (CLOSING, LAST_ACK) or tcb.sendq):
                ending.abort(tcb)
            tcb.recvq.clear()
            tcb.done.clear()
            self._protocol.unhush(tcb)
            self._tcb = None
        self.sink = SILENT
        binding, self._binding = self._binding, None
        if binding is not None:
            self._protocol.ports.release(binding)

    def cancel(self, token: object) -> bool:
        return self._tcb is not None and user.cancel(self._tcb, token)

    def set_option(self, option: int, value: int, families: int = BOTH) -> int:
        result = preferences.check(option, value)
        if result != status.OK:
            return result
        if self._options is _UNTOLD:
            self._options = {4: {}, 16: {}}
        for size, family in ((4, addr.V4), (16, addr.V6)):
            if families & family:
                self._options[size][option] = value
        tcb = self._tcb
        if tcb is None or tcb.state in (CLOSED, TIME_WAIT):
            return result
        if addr.family(tcb.remote) & families:
            preferences.apply(tcb, option, value)
            if option in preferences.KEEPALIVE_OPTIONS:
                preferences.keep_alive(tcb, self._options[len(tcb.remote)])
        return result

    def silence(self) -> int:
        tcb = self._tcb
        if tcb is None or tcb.state not in (ESTABLISHED, CLOSE_WAIT, FIN_WAIT_2):
            return status.NOT_CONNECTED
        if tcb.sendq or tcb.fin_token is not None:
            return status.STATE
        if tcb.path.nic.is_loopback:
            return status.NOT_SUPPORTED
        ending.silence(tcb)
        return status.OK

    def statistics(self) -> dict[str, Any] | None:
        tcb = self._tcb
        return None if tcb is None or not tcb.snd.una_at else statistics.snapshot(tcb)

    def path_mtu(self) -> int:
        tcb = self._tcb
        return 0 if tcb is None or not tcb.snd.una_at else tcb.path.mtu

    def urgent_left(self) -> int:
        return 0 if self._tcb is None else self._tcb.urgent_left

    def set_congestion(self, name: str) -> int:
        if name not in ALGORITHMS:
            return status.NOT_SUPPORTED
        self._congestion = name
        if self._tcb is not None:
            user.change_congestion(self._tcb, name)
        return status.OK

    def listen(self) -> Listener | None:
        binding = self._binding
        if binding is None or self._tcb is not None:
            return None
        self._binding = None
        self.sink = SILENT
        listener = self._protocol.open_listener(self._families)
        listener.begin(binding)
        return listener

    def ideal_backlog(self) -> int:
        return 0 if self._tcb is None else backlog.ideal(self._tcb)

    def watch_backlog(self, on: bool) -> None:
        if self._tcb is not None:
            self._tcb.backlog_told = backlog.ideal(self._tcb) if on else -1

    def ticket(self) -> int:
        return self._ticket

    def local_name(self) -> Name | None:
        tcb = self._tcb
        if tcb is not None:
            return Name(tcb.local, tcb.lport, self._scope(tcb.local, tcb))
        binding = self._binding
        return None if binding is None else Name(binding.address, binding.port)

    def remote_name(self) -> Name | None:
        tcb = self._tcb
        if tcb is None or not (tcb.snd.una_at or tcb.early is not None):
            return None
        return Name(tcb.remote, tcb.rport, self._scope(tcb.remote, tcb))

    @staticmethod
    def _scope(address: bytes, tcb: Tcb) -> int:
        return tcb.path.nic.index if len(address) == 16 and addr.is_link_scope(address) else 0
