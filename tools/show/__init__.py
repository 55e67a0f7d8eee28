# SPDX-License-Identifier: MIT
"""What `tools/wsk` prints of a running stack, in the columns that people know.

ip       addresses, routes, neighbours, groups and links, as iproute2's ip does
ss       sockets, as iproute2's ss does
nstat    counters, by the names of Linux's nstat
probes   ping and traceroute from the stack
"""
