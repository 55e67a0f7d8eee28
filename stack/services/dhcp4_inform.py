# SPDX-License-Identifier: MIT
"""Floor 6: parameters for an interface whose address was configured by hand (RFC 2131 3.4, 4.4.3).

DHCPINFORM from the address to everybody, up to four times in a minute; the first sound answer
counts.  Name servers, search domains and MTU are put to use; routes are not, since whoever
configures an address configures its routes.  Owned by `autoconf4`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from stack.base import fate, status
from stack.base.timers import Timer
from stack.ip.host import IpHost
from stack.link.nic import Nic
from stack.services.dhcp4_lease import Parameters
from stack.services.dhcp4_port import Dhcp4Port
from stack.services.dhcp4_talk import PATIENCE, Talker
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message

IDLE: Final = 0
INFORMING: Final = 1
INFORMED: Final = 2
UNANSWERED: Final = 3

STATE_NAMES: Final = ("idle", "informing", "informed", "unanswered")


class Dhcp4Inform(Talker):
    """One interface's question.  `changed` is called after every change of state."""

    __slots__ = ("_address", "_changed", "parameters", "state")

    def __init__(
        self, host: IpHost, port: Dhcp4Port, nic: Nic, changed: Callable[[], None]
    ) -> None:
        super().__init__(host, port, nic)
        self.state = IDLE
        self.parameters: Parameters | None = None
        self._address = b""
        self._changed = changed

    def start(self, address: bytes) -> int:
        """Ask on behalf of `address`.

        OK; NOT_LOCAL if the interface has no such address that can be used, IN_USE if a DHCP
        client has the port.
        """
        entry = self._layer.local.get(address)
        if entry is None or entry.nic is not self._nic:
            return status.NOT_LOCAL
        result = self._port.join(self._nic, self)
        if result == status.OK:
            self._address = address
            self._begin()
            self._enter(INFORMING)
            self._ask()
        return result

    def stop(self) -> None:
        """Forget question and answer."""
        if self.state == IDLE:
            return
        self._retry.disarm()
        self._applied.clear()
        self.parameters = None
        if self.state == INFORMING:
            self._port.leave(self._nic)
        self._enter(IDLE)

    def fired(self, timer: Timer) -> None:
        if self._tries < PATIENCE:
            self._ask()
        else:
            self._port.leave(self._nic)
            self._enter(UNANSWERED)

    def _ask(self) -> None:
        message = self._composer.inform(self._xid, self._secs(), self._address)
        self._port.send(self._nic, message, self._address)
        self._wait()

    def heard(self, message: Message) -> int:
        if message.xid != self._xid:
            return fate.DHCP4_NOT_FOR_US
        if message.type != opt.ACK:
            return fate.DHCP4_UNEXPECTED
        if opt.address(message.options.get(opt.SERVER_ID)) is None:
            return fate.DHCP4_INVALID
        parameters = Parameters(message.options, self._address, self._config.dhcp4_mtu_min)
        self._retry.disarm()
        self.parameters = parameters
        self._applied.put(parameters, routes=False)
        self._port.leave(self._nic)
        self._enter(INFORMED)
        return fate.DELIVERED

    def _enter(self, state: int) -> None:
        self.state = state
        self._changed()
