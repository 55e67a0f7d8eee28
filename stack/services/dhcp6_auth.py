# SPDX-License-Identifier: MIT
"""Floor 6: the Reconfiguration Key Authentication Protocol (RFC 8415 20.3, 20.4).

A server gives its client a key in a Reply and signs Reconfigure messages with it.  Whoever can
listen to the Reply has the key too: this keeps strangers elsewhere from troubling a client, no
more.  Other protocols are not known, and what they sign counts as not signed.

Used by `dhcp6_client`.
"""

from __future__ import annotations

import hmac
from hashlib import md5
from typing import Final

from stack.wire.dhcp6 import Auth, Message

PROTOCOL: Final = 3
ALGORITHM: Final = 1  # HMAC-MD5
RDM: Final = 0  # a counter that only grows

_KEY: Final = 1  # types of authentication information
_DIGEST: Final = 2
_SIZE: Final = 16


def digest(key: bytes, data: bytes, at: int) -> bytes:
    """The digest of a message whose authentication information starts at `at`."""
    blank = data[: at + 1] + bytes(_SIZE) + data[at + 1 + _SIZE :]
    inner = md5(_pad(key, 0x36) + blank, usedforsecurity=False).digest()
    return md5(_pad(key, 0x5C) + inner, usedforsecurity=False).digest()


def _pad(key: bytes, value: int) -> bytes:
    return bytes(octet ^ value for octet in key.ljust(64, b"\0"))


class ReconfigureKey:
    """The key of one server, and the last counter it used."""

    __slots__ = ("_key", "_replay", "_server")

    def __init__(self) -> None:
        self._server = b""
        self._key = b""
        self._replay = -1

    @property
    def known(self) -> bool:
        """There is a key."""
        return bool(self._key)

    def forget(self) -> None:
        """No message is authentic any more."""
        self._server = self._key = b""
        self._replay = -1

    def learn(self, message: Message) -> bool:
        """Take the key out of a Reply, if there is one in it.  False: it is an old message."""
        auth = message.auth
        if auth is None or not _ours(auth, _KEY):
            return True
        if message.server == self._server and auth.replay <= self._replay:
            return False
        self._server = message.server
        self._replay = auth.replay
        self._key = auth.information[1:]
        return True

    def verify(self, message: Message, data: bytes) -> bool:
        """The server that gave the key has sent `message`, whose octets are `data`, and has not
        done so before."""
        auth = message.auth
        if auth is None or not _ours(auth, _DIGEST) or not self._key:
            return False
        if message.server != self._server or auth.replay <= self._replay:
            return False
        if not hmac.compare_digest(digest(self._key, data, auth.at), auth.information[1:]):
            return False
        self._replay = auth.replay
        return True


def _ours(auth: Auth, kind: int) -> bool:
    information = auth.information
    return (
        (auth.protocol, auth.algorithm, auth.rdm) == (PROTOCOL, ALGORITHM, RDM)
        and len(information) == 1 + _SIZE
        and information[0] == kind
    )
