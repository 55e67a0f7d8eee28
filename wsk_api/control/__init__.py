# SPDX-License-Identifier: MIT
"""Control of sockets as tables (wsk.md 4): options, IOCTLs, and what each of them demands.

    rows             what a row is
    socket_options, tcp_options, udp_options, ip_options     one level, one file
    ioctls           IOCTLs; with addresses, reservation and tcp_info for the longer ones
    tables           all of them by code
    dispatch         from a call to its row

Called by `basic`.
"""
