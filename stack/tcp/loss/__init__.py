# SPDX-License-Identifier: MIT
"""TCP loss: what was sent and what became of it.

    scoreboard   the spans that are in flight, delivered or lost
    rack         what was sent well before something delivered is lost (RFC 8985 6)
    tlp          a probe after the last segment (RFC 8985 7)
    recovery     fast retransmit and fast recovery, with RACK, with SACK, without either
    prr          how much to send in recovery (RFC 9937)
    frto         was the time-out spurious? (RFC 5682)
    undo         then what was reduced is given back (RFC 3522, 3708, 4015)

None of them sends: they mark spans, and `output` sees what is lost.
"""
