# SPDX-License-Identifier: MIT
"""Floor 6: the messages of a DHCP client, as RFC 2131 4.4.1 table 5 has them.

What goes where:

                    ciaddr   requested address   server identifier   broadcast flag   parameters
    DISCOVER        0        a wish              no                  yes              yes
    REQUEST
      selecting     0        yes                 yes                 yes              yes
      rebooting     0        yes                 no                  yes              yes
      renewing      ours     no                  no                  no               yes
      rebinding     ours     no                  no                  no               yes
    INFORM          ours     no                  no                  no               yes
    DECLINE         0        yes                 yes                 no               no
    RELEASE         ours     no                  yes                 no               no

The broadcast flag is set while the interface cannot be addressed: this IP layer takes no packets
for addresses that are not its own.  The client identifier, RFC 4361's unless configured
otherwise, is in every message.  Option 121 stands before 3 and 33 in the parameter request list
(RFC 3442).
"""

from __future__ import annotations

from typing import Final

from stack.base.config import Config
from stack.link.nic import Nic
from stack.wire import dhcp4
from stack.wire import dhcp4_options as opt
from stack.wire.dhcp4 import Message

REQUESTED: Final = bytes(
    (
        opt.SUBNET_MASK,
        opt.CLASSLESS_ROUTES,
        opt.ROUTER,
        opt.STATIC_ROUTE,
        opt.NAME_SERVER,
        opt.DOMAIN_NAME,
        opt.DOMAIN_SEARCH,
        opt.INTERFACE_MTU,
        opt.BROADCAST_ADDRESS,
        opt.LEASE_TIME,
        opt.RENEWAL_TIME,
        opt.REBINDING_TIME,
    )
)
_INFORMED: Final = bytes(
    code for code in REQUESTED if code not in (opt.LEASE_TIME, opt.RENEWAL_TIME, opt.REBINDING_TIME)
)
_LEAST: Final = 576
_MOST: Final = 1500


class Composer:
    """Writes the messages of one interface."""

    __slots__ = ("_host_name", "_mac", "_size", "client_id")

    def __init__(self, nic: Nic, config: Config, client_id: bytes) -> None:
        self.client_id = client_id
        self._mac = nic.mac
        self._host_name = config.dhcp4_hostname.encode("ascii")
        # The largest message we take: what arrives unfragmented, never below what all must take.
        self._size = max(_LEAST, min(nic.mtu, _MOST))

    def discover(self, xid: int, secs: int, wish: bytes) -> Message:
        """Look for servers; `wish` is an address we would like, or empty."""
        message = self._asking(opt.DISCOVER, xid, secs, REQUESTED)
        message.flags = dhcp4.BROADCAST
        if wish:
            message.options[opt.REQUESTED_ADDRESS] = wish
        return message

    def select(self, xid: int, secs: int, address: bytes, server: bytes) -> Message:
        """Take a server's offer; for server empty, ask whether `address` is still ours."""
        message = self._asking(opt.REQUEST, xid, secs, REQUESTED)
        message.flags = dhcp4.BROADCAST
        message.options[opt.REQUESTED_ADDRESS] = address
        if server:
            message.options[opt.SERVER_ID] = server
        return message

    def extend(self, xid: int, secs: int, address: bytes) -> Message:
        """Renew or rebind the lease of the address we have."""
        message = self._asking(opt.REQUEST, xid, secs, REQUESTED)
        message.ciaddr = address
        return message

    def inform(self, xid: int, secs: int, address: bytes) -> Message:
        """Ask for parameters only; the address is from elsewhere (RFC 2131 3.4)."""
        message = self._asking(opt.INFORM, xid, secs, _INFORMED)
        message.ciaddr = address
        return message

    def decline(self, xid: int, address: bytes, server: bytes) -> Message:
        """Another station has the address."""
        message = self._plain(opt.DECLINE, xid)
        message.options[opt.REQUESTED_ADDRESS] = address
        message.options[opt.SERVER_ID] = server
        return message

    def release(self, xid: int, address: bytes, server: bytes) -> Message:
        """We need the address no longer."""
        message = self._plain(opt.RELEASE, xid)
        message.ciaddr = address
        message.options[opt.SERVER_ID] = server
        return message

    def _plain(self, kind: int, xid: int) -> Message:
        message = Message(dhcp4.BOOTREQUEST, xid, self._mac)
        message.options[opt.MESSAGE_TYPE] = bytes((kind,))
        message.options[opt.CLIENT_ID] = self.client_id
        return message

    def _asking(self, kind: int, xid: int, secs: int, wanted: bytes) -> Message:
        message = self._plain(kind, xid)
        message.secs = secs
        message.options[opt.PARAMETER_LIST] = wanted
        message.options[opt.MAXIMUM_SIZE] = self._size.to_bytes(2, "big")
        if self._host_name:
            message.options[opt.HOST_NAME] = self._host_name
        return message


def identify(nic: Nic, config: Config, duid: bytes) -> bytes:
    """The client identifier of an interface: the configured one, or RFC 4361's.

    The IAID is the end of the hardware address: the same after every start, another on every
    interface of a host.
    """
    return config.dhcp4_client_id or opt.client_id(nic.mac[-4:], duid)
