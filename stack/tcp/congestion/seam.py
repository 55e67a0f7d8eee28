# SPDX-License-Identifier: MIT
"""TCP congestion control seam: what an algorithm is told and what it answers with.

An algorithm never sees the connection.  It is told what an acknowledgment brought, that
something was lost, that a timer expired; it answers with a window, and if it likes a pacing rate.

One that models the path instead of counting losses says so in two class attributes: `wants_rate`
has every delivery and every loss told to it, with samples of the delivery rate (`loss.rate`);
`own_recovery` leaves its window in force during recovery, where others are held to PRR's
allowance, and after an undo.  Where both are off none of that costs anything.
"""

from __future__ import annotations

from typing import ClassVar


class AckSample:
    """What one acknowledgment of new data brought, or several that are taken together.

    acked      octets newly acknowledged
    count      acknowledgments
    flight     octets in flight before it
    rtt        a measurement in ns, or 0
    limited    the window, not the application, had held us back (RFC 7661)
    now        ns
    """

    __slots__ = ("acked", "count", "flight", "limited", "now", "rtt")

    def __init__(
        self, acked: int, flight: int, rtt: int, limited: bool, now: int, count: int = 1
    ) -> None:
        self.acked = acked
        self.count = count
        self.flight = flight
        self.rtt = rtt
        self.limited = limited
        self.now = now


class RateSample:
    """What one acknowledgment delivered, new or out of order, in recovery or not.

    The rate sample of draft-ietf-ccwg-bbr 4.1, octets and ns.  What is said of *the newest* is
    said of that span among those delivered which was sent last.

    acked           octets newly delivered, cumulatively or selectively
    lost            octets given up because of this acknowledgment
    flight          octets in flight after it
    total           octets delivered since the connection began
    delivered       octets delivered since the newest left
    prior           `total` when the newest left, -1 if that is not known
    rate            octets per second delivered meanwhile, 0 if that cannot be told
    sent_flight     octets in flight when the newest left
    sent_lost       octets given up since the newest left
    app_limited     there was too little to send when the newest left: `rate` is a lower bound
    window_limited  the window was full some time since the newest left
    rtt             of the newest, 0 if it was sent more than once
    recovering      in recovery from a loss or a time-out
    now             ns
    dry             the algorithm may set it: it keeps the flight low on purpose, so that what is
                    measured of the octets now out is a lower bound too
    """

    __slots__ = (
        "acked",
        "app_limited",
        "delivered",
        "dry",
        "flight",
        "lost",
        "now",
        "prior",
        "rate",
        "recovering",
        "rtt",
        "sent_flight",
        "sent_lost",
        "total",
        "window_limited",
    )

    def __init__(self, acked: int, total: int, flight: int, now: int) -> None:
        self.acked = acked
        self.total = total
        self.flight = flight
        self.now = now
        self.lost = self.delivered = self.rate = self.sent_flight = self.sent_lost = self.rtt = 0
        self.prior = -1
        self.app_limited = self.window_limited = self.recovering = self.dry = False


class LossSample:
    """One span that was given up, or what is left of it.

    start, end      its offsets in the stream
    sent_flight     octets in flight when it left, itself included
    sent_lost       octets given up since then, itself included
    app_limited     there was too little to send when it left
    total           octets delivered so far
    now             ns
    """

    __slots__ = ("app_limited", "end", "now", "sent_flight", "sent_lost", "start", "total")

    def __init__(self, start: int, end: int, total: int, now: int) -> None:
        self.start = start
        self.end = end
        self.total = total
        self.now = now
        self.sent_flight = self.sent_lost = 0
        self.app_limited = False


class CongestionControl:
    """One algorithm's state for one connection.

    Most algorithms are easier to write on `window.WindowBased`, which answers everything here
    but what is particular to them.

    window       octets that may be in flight
    ssthresh     the slow start threshold in octets
    pacing_rate  octets per second at which they leave; 0 leaves that to `Config.tcp_pacing`
    send_quantum octets that may leave at once when paced; 0 leaves that to `pacing`
    """

    wants_rate: ClassVar[bool] = False
    """Call `settle_in`, `on_delivery`, `on_lost` and `on_restart`."""
    own_recovery: ClassVar[bool] = False
    """`window` rules in recovery and after an undo too."""

    window: int
    ssthresh: int
    pacing_rate: int = 0
    send_quantum: int = 0

    def start(self, mss: int, segments: int) -> None:
        """The connection is established; `segments` is the initial window in segments."""
        raise NotImplementedError

    def resize(self, mss: int) -> None:
        """The segment size changed."""
        raise NotImplementedError

    def on_ack(self, sample: AckSample) -> None:
        """New data was acknowledged outside of recovery."""
        raise NotImplementedError

    def on_loss(self, flight: int, now: int) -> None:
        """Recovery begins: something was lost while `flight` octets were out."""
        raise NotImplementedError

    def on_recovered(self, flight: int) -> None:
        """Recovery ends."""
        raise NotImplementedError

    def on_timeout(self, flight: int, again: bool, now: int) -> None:
        """The retransmission timer expired; `again` if for the same data as before."""
        raise NotImplementedError

    def on_undo(self) -> None:
        """The last `on_loss` or `on_timeout` was a mistake: nothing had been lost."""
        raise NotImplementedError

    def after_idle(self) -> None:
        """Nothing was sent for longer than a retransmission time-out."""
        raise NotImplementedError

    def on_congestion(self, flight: int, now: int) -> None:
        """A router's mark, or a loss that is repaired already: `on_loss`, but no recovery
        follows."""
        self.on_loss(flight, now)

    # With `wants_rate`.

    def settle_in(self, rtt: int, sack: bool, seed: int, now: int) -> None:
        """Right after `start`: the round trip so far, or 0; whether more than one loss per round
        trip can be seen; and a number from 0 to 2**32 - 1 for whoever needs chance."""

    def on_delivery(self, sample: RateSample) -> None:
        """Something was delivered.  Comes after `on_ack` and after `on_lost`."""

    def on_lost(self, sample: LossSample) -> None:
        """A span was given up; in recovery or on the way there."""

    def on_restart(self, now: int) -> None:
        """Something is about to be sent after there was nothing in flight and nothing to send."""
