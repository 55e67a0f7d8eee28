# SPDX-License-Identifier: MIT
"""TCP: finding the path MTU by trying (RFC 4821 7; states and retries in RFC 8899's words).

Where routers report nothing, segments begin at a size that nearly every path takes
(`Config.tcp_base_mss`), and now and then one larger segment of new data goes out by itself.  If it
is acknowledged, that is the size from now on.  If it alone is lost, that says something about its
size and nothing about congestion: its data goes again in small pieces, and the window stays as it
was.  After three such losses the size is given up.

    BASE        not larger than the base yet       SEARCHING   a size is still to be tried
    COMPLETE    no worthwhile one is left          ERROR       even the base was too large

What is found is shared through `ip/pmtu`: how much is proven, and after a search how much is too
much.  The latter is forgotten after `Config.tcp_mtu_probe_interval`, and every search of that
destination then goes on from where it stands.  The sizes here are those of IP packets.

Needs SACK, without which the loss of one segment cannot be told from others.  Not done: probes of
padding (RFC 4821 8), which TCP has no way to send; a choice of size by the window there is.

`output` asks `due` and sends; `acking`, `recovery`, `timeouts` and `path_mtu` tell what became of
it.  `Tcb.search` is None for a connection that does not search.
"""

from __future__ import annotations

from typing import Final

from stack.base.units import SECOND
from stack.ip.pmtu import MIN6
from stack.tcp import options
from stack.tcp.names import HEADER
from stack.tcp.tcb import NO_PROBE, NO_RECOVERY, Tcb

OFF: Final = "off"
ALWAYS: Final = "always"

BASE: Final = 0
SEARCHING: Final = 1
COMPLETE: Final = 2
ERROR: Final = 3
STATES: Final = ("base", "searching", "complete", "error")

HOLD: Final = -1
"""A probe is due, and new data waits until the window has room for it."""

COMMON: Final = (1280, 1400, 1420, 1450, 1460, 1476, 1480, 1492, 1500, 4352, 9000, 16384)
"""What links and tunnels leave, above the least: tried before anything in between."""
_WORTHWHILE: Final = 8  # octets: less is not worth a probe
_NEAR: Final = 16  # a common size within a sixteenth of what is excluded is taken to be it
_MAX_PROBES: Final = 3  # RFC 8899 5.1.2: a loss may have been congestion after all
_PAUSE: Final = SECOND  # RFC 8899 5.1.1, after a loss
_BEHIND: Final = 4  # segments that follow, so that duplicates tell of the loss


class MtuSearch:
    """The search of one connection: numbers only.

    low         the largest size that is proven, or believed to begin with
    high        the largest size that is not excluded
    ceiling     what the interface, the peer and routers allow
    wanted      the size to try next, 0 if none
    size        of the probe that is out, 0 if none is
    start, end  its offsets; they stay when it is over
    again_at    no probe before this time
    """

    __slots__ = (
        "_base",
        "_floor",
        "_tries",
        "again_at",
        "ceiling",
        "end",
        "high",
        "low",
        "size",
        "start",
        "wanted",
    )

    def __init__(self, base: int, floor: int, proven: int) -> None:
        self._base = base
        self._floor = min(floor, base)
        self._tries = 0
        self.low = max(base, proven)
        self.high = self.ceiling = 0
        self.wanted = 0
        self.size = 0
        self.start = self.end = 0
        self.again_at = 0

    @property
    def state(self) -> int:
        """BASE, SEARCHING, COMPLETE or ERROR."""
        if self.low < min(self._base, self.ceiling):
            return ERROR
        if not self.wanted:
            return COMPLETE
        return BASE if self.low == self._base else SEARCHING

    def settle(self, ceiling: int) -> int:
        """No more than `ceiling` is allowed now: the size to use."""
        if ceiling != self.ceiling:
            # An old conclusion is void when the path may have grown.
            self.high = ceiling if ceiling > self.ceiling else min(self.high, ceiling)
            self.ceiling = ceiling
            self._tries = 0
        self.low = min(self.low, ceiling)
        self.wanted = self._next()
        return self.low

    def sent(self, start: int, octets: int) -> None:
        """The wanted probe left with the data from offset `start` on."""
        self.size = self.wanted
        self.start = start
        self.end = start + octets

    def succeeded(self) -> None:
        self.low = self.size
        self.size = 0
        self._tries = 0
        self.wanted = self._next()

    def failed(self, now: int) -> None:
        """The probe, and nothing else, was lost."""
        self._tries += 1
        if self._tries >= _MAX_PROBES:
            self._tries = 0
            self.high = self.size - 1
        self.gave_up(now)

    def gave_up(self, now: int) -> None:
        """What became of the probe proves nothing (RFC 4821 7.6.4)."""
        self.size = 0
        self.again_at = now + _PAUSE
        self.wanted = self._next()

    def black_hole(self, deep: bool, now: int) -> None:
        """Even what was believed vanishes (RFC 4821 7.7): back to the base, or to the floor."""
        self.low = min(self.low, self._floor if deep else self._base)
        self.high = self.ceiling
        self._tries = 0
        self.gave_up(now)

    def _next(self) -> int:
        """RFC 4821 7.3: everything at once, then the common sizes, then halving."""
        low, high = self.low, self.high
        if high - low < _WORTHWHILE:
            return 0
        if high == self.ceiling:
            return high
        common = [size for size in COMMON if low < size <= high]
        if common:
            return common[len(common) // 2]
        if low in COMMON and high - low < low // _NEAR:
            return 0
        return (low + high + 1) // 2


# One connection.


def begin(tcb: Tcb) -> None:
    """Established: search, if that is asked for or a hole on this path is known."""
    mode = tcb.protocol.config.tcp_mtu_probing
    if mode == OFF:
        return
    proven = tcb.protocol.pmtu.proven(tcb.path)
    if mode == ALWAYS or 0 < proven < tcb.path.mtu:
        _search(tcb, proven)
        options.update_mss(tcb)


def _search(tcb: Tcb, proven: int) -> MtuSearch:
    config = tcb.protocol.config
    headers = tcb.path.overhead + HEADER
    least = MIN6 if len(tcb.remote) == 16 else 0
    base = max(config.tcp_base_mss + headers, least)
    floor = max(config.tcp_mtu_probe_floor + headers, least)
    tcb.search = search = MtuSearch(base, floor, proven)
    return search


def due(tcb: Tcb) -> int:
    """Octets of new data for a probe that should leave now; 0 for none, or HOLD.

    RFC 4821 7.4: while nothing is missing, and with enough behind it that its loss is noticed.
    """
    search = tcb.search
    assert search is not None
    if not search.wanted or search.size or not _undisturbed(tcb):
        return 0
    if tcb.protocol.env.now < search.again_at:
        return 0
    snd = tcb.snd
    octets = _payload(tcb, search.wanted)
    needed = octets + _BEHIND * snd.mss
    if min(tcb.sendq.end, snd.una_at + snd.wnd) - snd.nxt_at < needed or tcb.cc.window < needed:
        return 0
    return octets if tcb.room >= octets else HOLD


def _undisturbed(tcb: Tcb) -> bool:
    return (
        tcb.sack_ok
        and tcb.recover == NO_RECOVERY
        and not tcb.dupacks
        and not tcb.board.sacked
        and not tcb.board.lost
        and not tcb.frto
        and not tcb.probe
        and not tcb.urge
        and tcb.tlp_end == NO_PROBE
        and tcb.snd.up_at <= tcb.snd.nxt_at
    )


def _payload(tcb: Tcb, size: int) -> int:
    octets = size - tcb.path.overhead - HEADER
    return octets - options.TIMESTAMPS if tcb.ts_ok else octets


def acknowledged(tcb: Tcb, search: MtuSearch) -> None:
    """SND.UNA advanced: over a probe that was sent once?"""
    if not search.size or tcb.snd.una_at < search.end:
        return
    search.succeeded()
    tcb.protocol.pmtu.prove(tcb.path, search.low)
    options.update_mss(tcb)
    tcb.snd.proven = tcb.snd.mss
    _conclude(tcb, search)


def lost(tcb: Tcb, search: MtuSearch) -> bool:
    """Something was found to be lost.  True if it was the probe alone: then that is no congestion
    (RFC 4821 7.6.2), and what is marked goes again at once."""
    board = tcb.board
    if not search.size:
        # Without RACK duplicates are counted; these are still those of the probe.
        return not board.lost and tcb.snd.una_at < search.end
    if not board.lost and tcb.snd.una_at == search.start:
        board.mark_first_lost(search.end - search.start)
    if not board.lost_exactly(search.start, search.end):
        return False
    search.failed(tcb.protocol.env.now)
    _conclude(tcb, search)
    return True


def sent_again(tcb: Tcb, search: MtuSearch, start: int) -> None:
    """Data from offset `start` on left once more.  If it is the probe's, its acknowledgment will
    prove nothing."""
    if search.size and start < search.end:
        search.gave_up(tcb.protocol.env.now)


def timed_out(tcb: Tcb, search: MtuSearch) -> None:
    """The retransmission timer expired, which is congestion, too (RFC 4821 7.6.3)."""
    if not search.size:
        return
    if tcb.snd.una_at == search.start:
        search.failed(tcb.protocol.env.now)
        _conclude(tcb, search)
    else:
        search.gave_up(tcb.protocol.env.now)


def too_big(tcb: Tcb, search: MtuSearch, at: int, mtu: int) -> bool:
    """A router reports `mtu` for the segment at offset `at`.  True if that is the probe, and
    nothing else is too big: then the search is as good as over (RFC 8899 4.6.2)."""
    if not search.size or not search.start <= at < search.end:
        return False
    if not search.low <= mtu < search.size:
        return False
    tcb.board.mark_lost(search.start, search.end)
    search.gave_up(0)
    tcb.protocol.pmtu.lower(tcb.path, mtu)
    tcb.protocol.work.mark(tcb)
    return True


def black_hole(tcb: Tcb, deep: bool) -> bool:
    """Full segments keep vanishing.  True if that changed the size of a segment."""
    search = tcb.search or _search(tcb, 0)
    before = tcb.snd.mss
    tcb.protocol.pmtu.disprove(tcb.path)
    search.black_hole(deep, tcb.protocol.env.now)
    options.update_mss(tcb)
    return tcb.snd.mss < before


def _conclude(tcb: Tcb, search: MtuSearch) -> None:
    """The search may be over: let everybody know what the path takes, for a while."""
    if not search.wanted and search.high < search.ceiling:
        protocol = tcb.protocol
        protocol.pmtu.lower(tcb.path, search.low, protocol.config.tcp_mtu_probe_interval)
