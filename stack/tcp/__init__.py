# SPDX-License-Identifier: MIT
"""Floor 6: TCP (RFC 9293) as functions over a record.

A `Tcb` holds the variables of one connection, spelled as the RFC spells them; every file
beside it is one question asked of that record:

    names, chart      states, and the only way from one to another
    tcb               the variables
    sendq, recvq      borrowed views out, indicated views in
    rtt, isn          the estimator; initial sequence numbers
    options           what the two SYNs agreed on
    loss/             what was sent and what became of it
    congestion/       how much may be in flight
    pacing            when the next of it may leave
    reset, challenge  answers that need no connection, or no trust
    ecn, accecn       a router marks instead of dropping; negotiation between the two
    fastopen          data in the SYN
    usertimeout       how patient both ends agree to be
    tuning            how far the receive window grows
    path_mtu          a path that is smaller than thought
    mtu_probe         how large a segment the path takes, by trying
    output            whether, what and how much to send: the only maker of segments
    handshake         SYN-SENT, simultaneous open, becoming established
    input             SEGMENT ARRIVES, step by step
    keepalive         is anybody there?
    preferences       what a user may set
    timeouts          what happens when a timer fires
    timewait          what is left of a connection for a minute
    listener          LISTEN; syncookies when it is crowded
    user, endpoint    OPEN, SEND, RECEIVE, CLOSE, ABORT; the stream a user holds
    info              what is known about a connection, for those who look
    estats            the same in RFC 4898's words, and counted if asked for
    protocol          lookup, settling, composition

One rule above all: *input marks, output decides*.  A received segment changes the record and
leaves marks (`ack`, lost spans, a wider window); what goes on the wire is decided once per
turn in `output`.
"""
