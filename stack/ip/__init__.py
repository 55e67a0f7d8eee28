# SPDX-License-Identifier: MIT
"""Floor 4: one IP layer, two families.

`layer` is written once, in the order a packet is received; `v4` and `v6` supply only what
really differs: the header, its options or extension headers, the fragments, the errors.
Tables are keyed by address bytes, so one table serves both families.

<<<<<<< HEAD
Reading order: `seam`, `layer`, `v4`, `v6`, `path`, `routes`, `gateways`, `source`, `policy`,
`holding`, `addrconf`, `dad`, `slaac`, `temporary`, `interface_ids`, `groups`, `fragments`, `pmtu`,
`errors`, `icmp`, `icmp4`, `icmp6`, `ndp`, `routers`, `forward`; what routers are told of groups:
`reports`, `listener`, `membership`, `igmp`, `mld`.
=======
Reading order: `seam`, `layer`, `v4` and `options4`, `v6` and `extensions`, `outbound`, `path`,
`path4`, `path6`, `identities`, `routes`, `source`, `addrconf`, `groups`, `fragments`, `pmtu`,
`errors`, `icmp`, `icmp4`, `icmp6`, `ndp`, `forward`.
>>>>>>> ipcore
"""
