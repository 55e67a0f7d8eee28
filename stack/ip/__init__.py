# SPDX-License-Identifier: MIT
"""Floor 4: one IP layer, two families.

`layer` is written once, in the order a packet is received; `v4` and `v6` supply only what
really differs: the header, its options or extension headers, the fragments, the errors.
Tables are keyed by address bytes, so one table serves both families.

Reading order.  Packets: `seam`, `layer`, `v4` and `options4`, `v6` and `extensions`, `fragments`,
`outbound`, `holding`, `path`, `path4`, `path6`, `identities`, `pmtu`, `forward` and `hop`.  The
host: `host`, `interface`, `counters`, `announcer`, `nameservers`.  Errors: `errors`, `icmp`,
`icmp4`, `icmp6`.  Ways: `routes`, `gateways`, `solicit`, `router`, `routers`, `redirects`, `ndp`.
Addresses: `policy`, `source`, `destination`, `addrconf`, `dad`, `slaac`, `temporary`,
`interface_ids`.  Groups: `groups`, `reports`, `listener`, `membership`, `igmp`, `mld`.
"""
