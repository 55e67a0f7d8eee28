# SPDX-License-Identifier: MIT
"""Floor 1: what bits mean.  Parse and build, nothing else.

One file per format, each in the same order: the header's diagram, constants, reading,
building, describing.  Reading is total: any octets give a record or a refusal, never an
exception.  No file here has an opinion about a packet beyond "this can be read safely".

Reading order: `vnet`, `ethernet`, `arp`, `ipv4`, `ipv6`, `ext6`, `icmp4`, `icmp6`, `ndp`,
`udp`, `tcp`, `describe`.
"""
