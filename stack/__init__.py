# SPDX-License-Identifier: MIT
"""A TCP/IP stack without input or output of its own.

Floors, lowest first; imports only point down:

    base        values, timers, counters, the seam to the world
    wire        what bits mean
    filter      (its place; the filtering platform comes later)
    link        interfaces, neighbours, ARP, offload          seam: devices
    ip          one IP layer, two families; ICMP, NDP         seam: transports
    transport   ports, demultiplexing                         seam: WSK
    tcp, udp    the transports, and raw for everything else
    services    names, over the transports
    core        `Stack`: all of it, put together

To read it like a book, follow one frame: `link/nic`, `ip/layer`, `tcp/protocol`, `tcp/input`,
`tcp/indicate`, `tcp/output`, `ip/path`, and back to `link/nic`.
"""

from stack.base.config import Config
from stack.base.seam import Env, Executor, Trace
from stack.core import Stack

__all__ = ["Config", "Env", "Executor", "Stack", "Trace"]
