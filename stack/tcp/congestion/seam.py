# SPDX-License-Identifier: MIT
"""TCP congestion control seam: what an algorithm is told and what it answers with.

An algorithm never sees the connection.  It is told what an acknowledgment brought, that
something was lost, that a timer expired; it answers with a window.
"""

from __future__ import annotations


class AckSample:
    """What one acknowledgment of new data brought.

    acked      octets newly acknowledged
    flight     octets in flight before it
    rtt        a measurement in ns, or 0
    limited    the window, not the application, had held us back (RFC 7661)
    now        ns
    """

    __slots__ = ("acked", "flight", "limited", "now", "rtt")

    def __init__(self, acked: int, flight: int, rtt: int, limited: bool, now: int) -> None:
        self.acked = acked
        self.flight = flight
        self.rtt = rtt
        self.limited = limited
        self.now = now


class CongestionControl:
    """One algorithm's state for one connection.

    Most algorithms are easier to write on `window.WindowBased`, which answers everything here
    but what is particular to them.

    window     octets that may be in flight
    ssthresh   the slow start threshold in octets
    """

    window: int
    ssthresh: int

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
