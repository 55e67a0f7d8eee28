# SPDX-License-Identifier: MIT
"""An interpreter of the packetdrill language that runs scripts in virtual time.

    text       scanner, expressions, packet_text, parser   -> script (the syntax tree)
    world      world (stack, clock, the other end), wire (packets as octets), compare
    calls      sockets, sockopts, syscalls                  on the seam of the transports
    settings   settings (options, profiles), sysctl, info (tcp_info)
    running    runner (one script), batch (many), outcome (what came of it)

`tools/packetdrill` is the command; docs/packetdrill.md the page for its users.
"""
