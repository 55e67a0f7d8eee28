# SPDX-License-Identifier: MIT
"""Floor 0: values, timers, counters, and the seam to the world outside the core.

Everything here is either a plain value (an address, a checksum, a range of bytes) or a
small mechanism every floor above needs (a timer heap, the drop door).  Nothing here knows
that packets have layers.

Reading order: `seam`, `units`, `seq`, `checksum`, `addr`, `ranges`, `views`, `timers`,
`packet`, `head`, `fate`, `worklist`, `status`, `counters`.
"""
