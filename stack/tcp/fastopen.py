# SPDX-License-Identifier: MIT
"""TCP: Fast Open, data in the SYN (RFC 7413): cookies, and what is remembered about servers.

A server gives a cookie to whoever asks for one in a SYN; it proves, brought back with the next
SYN, that the client is where he says, and the data beside it is delivered before the handshake
is over.  The same data may be delivered twice, when a SYN is duplicated: so both sides must ask
for it (OPTION_FAST_OPEN), and only for what may be repeated.

Server: a cookie is a keyed hash of both addresses under a key of the day; yesterday's is accepted
and replaced (4.1.2).  Nothing is kept for it.  The number of connections opened in this way and
not yet confirmed is bounded by `Pending`, and a reset does not make room at once (5.1).

Client: cookie and MSS by pair of addresses (4.1.3), and whether the attempt has been worthwhile
(4.1.3.1): a SYN with data that got no answer, or an answer that neither took data nor gave a
cookie, makes the next ones go without for two minutes, then four, and so on.

Called by `options`, `output`, `handshake`, `listener`.  The experimental option (RFC 7413 A) is
understood by the server and not used by the client.
Not done: remembering by port, accepting data without a cookie.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2s
from typing import Final

from stack.base.seam import Env
from stack.base.units import SECOND
from stack.wire import tcp
from stack.wire.tcp import Segment

INVALID: Final = 0
OLD: Final = 1
VALID: Final = 2

_SIZE: Final = 8
_PERIOD: Final = 24 * 3600 * SECOND
_OPTION_SPACE: Final = 40
"""What data in a SYN leaves to options, whichever there are."""
_DETERRENT: Final = 60 * SECOND
_MOST_FAILURES: Final = 10


class Offer:
    """What Fast Open adds to our SYN or SYN-ACK.

    option   the TCP option
    mss      client with a cookie: the server's MSS, as far as known; else 0
    carried  client: octets of data that the SYN took along
    """

    __slots__ = ("carried", "mss", "option")

    def __init__(self, option: bytes, mss: int = 0) -> None:
        self.option = option
        self.mss = mss
        self.carried = 0

    def withdraw(self) -> None:
        """The SYN goes again, without: somebody on the way may not bear it (4.1.3.1)."""
        self.option = b""

    @property
    def room(self) -> int:
        """Octets of data that may go with the SYN."""
        return max(self.mss - _OPTION_SPACE, 0)


class Pending:
    """Connections of one listener that were opened early and are not confirmed.

    limit   how many there may be; 0 while Fast Open is off
    """

    __slots__ = ("_count", "_resets", "limit")

    def __init__(self) -> None:
        self.limit = 0
        self._count = 0
        self._resets: list[int] = []  # when those that were reset stop counting

    def take(self, now: int) -> bool:
        """One more, if there is room."""
        while self._resets and self._resets[0] <= now:
            self._resets.pop(0)
            self._count -= 1
        if self._count >= self.limit:
            return False
        self._count += 1
        return True

    def confirmed(self) -> None:
        """One was confirmed, or ended by itself."""
        self._count -= 1

    def reset(self, now: int) -> None:
        """One was reset: it counts for a while, or resets would undo the bound (5.1)."""
        self._resets.append(now + _DETERRENT)


class _Server:
    """What a client remembers about a server."""

    __slots__ = ("cookie", "failed_at", "failures", "mss")

    def __init__(self) -> None:
        self.cookie = b""
        self.mss = 0
        self.failures = 0
        self.failed_at = 0


class FastOpen:
    """Fast Open of one stack."""

    def __init__(self, env: Env, limit: int) -> None:
        """`limit`: servers remembered; the one not used for longest gives way."""
        self._env = env
        self._limit = limit
        self._key = env.random(32)
        self._servers: OrderedDict[bytes, _Server] = OrderedDict()

    # Server.

    def cookie(self, local: bytes, remote: bytes) -> bytes:
        """The cookie of the client `remote` today."""
        return self._cookie(local, remote, self._env.now // _PERIOD)

    def judge(self, local: bytes, remote: bytes, cookie: bytes) -> int:
        """VALID, OLD (accept, and give the new one), or INVALID."""
        day = self._env.now // _PERIOD
        if cookie == self._cookie(local, remote, day):
            return VALID
        return OLD if cookie == self._cookie(local, remote, day - 1) else INVALID

    def _cookie(self, local: bytes, remote: bytes, day: int) -> bytes:
        text = b"%d %b%b" % (day, remote, local)
        return blake2s(text, key=self._key, digest_size=_SIZE).digest()

    def answer(self, local: bytes, remote: bytes, seg: Segment) -> Offer | None:
        """What the SYN-ACK for a SYN with the option says: a cookie, unless the client has it."""
        asked = seg.fast_open
        if asked is None:
            return None
        kind, cookie = asked
        if self.judge(local, remote, cookie) == VALID:
            return None
        return Offer(tcp.fast_open_option(self.cookie(local, remote), kind))

    def good(self, local: bytes, remote: bytes, seg: Segment) -> bool:
        """The SYN brings a cookie of ours."""
        asked = seg.fast_open
        return asked is not None and self.judge(local, remote, asked[1]) != INVALID

    # Client.

    def offer(self, key: bytes) -> Offer | None:
        """What our SYN is to say: a cookie, or the wish for one; None to say nothing."""
        server = self._servers.get(key)
        if server is None:
            return Offer(tcp.fast_open_option(b""))
        self._servers.move_to_end(key)
        patience = _DETERRENT << min(server.failures, _MOST_FAILURES)
        if server.failures and self._env.now - server.failed_at < patience:
            return None
        return Offer(tcp.fast_open_option(server.cookie), server.mss if server.cookie else 0)

    def answered(self, key: bytes, offer: Offer, given: bytes, mss: int, taken: int) -> None:
        """The SYN-ACK came: learn from it (4.1.3.1).

        key     both addresses, local first
        given   the cookie in it, or nothing
        mss     the server's
        taken   octets of the data that it acknowledged
        """
        if given:
            server = self._server(key)
            server.cookie, server.mss, server.failures = given, mss, 0
        elif taken:
            server = self._server(key)
            server.mss, server.failures = mss, 0
        elif offer.carried or (offer.option and not offer.mss):
            self._failed(key)

    def unanswered(self, key: bytes, offer: Offer) -> None:
        """No answer came at all."""
        if offer.carried:
            self._failed(key)

    def _failed(self, key: bytes) -> None:
        server = self._server(key)
        server.failures += 1
        server.failed_at = self._env.now

    def _server(self, key: bytes) -> _Server:
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = _Server()
            if len(self._servers) > self._limit:
                self._servers.popitem(last=False)
        return server
