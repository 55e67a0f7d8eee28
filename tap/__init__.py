# SPDX-License-Identifier: MIT
"""Floor 8, one side: Ethernet frames in and out, and the loops that drive a stack.

port            what a loop needs of a device: read, wait, deadline
memory          two ports joined in memory
impair          loss, delay, jitter, rate, reorder, duplicate, corrupt, around any port
patch           a cable between two ports, for two kernels on an impaired wire
pcapng          a capture file, around any port
fdport          a TAP or a packet socket, by file descriptor
ioctls          opening and naming a TAP, its offloads
netns           a private namespace with a kernel on the other side
shards          several stacks, one host: a queue each, a mesh between them; what goes where
                is in steering, their processes in crew
ladder          which of these works here, and why not a better one
clock, loop     the turn, on the real clock and on a virtual one
thread, aio     runtimes: turns on a thread, turns on an asyncio loop
"""
